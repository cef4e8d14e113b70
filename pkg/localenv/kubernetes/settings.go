//go:build linux

package kubernetes

import (
	"fmt"
	"os"
)

// What differs from Kubernetes' defaults, for scenarios that end: see the
// package's comment.
const (
	lostAfterSeconds  = 12
	evictAfterSeconds = 10
)

// runtimeDir is a memory file system of the node: sockets in it have short
// paths wherever the lab is.
const runtimeDir = "/run/containerd"

const containerdSocket = runtimeDir + "/containerd.sock"

// kubeletDir is where the node sees the kubelet's folder, which is the lab's:
// sockets in it, too, have to have short paths.
const kubeletDir = "/var/lib/kubelet"

// pauseImage is a sandbox's; nothing pulls it.
const pauseImage = "curfew/pause:lab"

// configure writes the node's settings.
func (n node) configure() error {
	for _, dir := range []string{"log", "net.d", "kubelet", "containerd"} {
		if err := makeDir(n.path(dir)); err != nil {
			return err
		}
	}
	files := map[string]string{
		n.path("containerd.toml"):       n.containerd(),
		n.path("net.d", "lab.conflist"): n.network(),
		n.path("kubelet.yaml"):          n.kubelet(),
		n.path("Corefile"):              n.dns(),
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("write the node's settings: %w", err)
		}
	}
	return nil
}

// containerd has one setting that is not its default's spirit: without
// CAP_SYS_RESOURCE, as in many virtual machines, no process may lower its
// oom_score_adj, and runc fails with "can't get final child's PID from pipe".
func (n node) containerd() string {
	return fmt.Sprintf(`version = 2
root = %q
state = "%s/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/%s"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, n.path("containerd"), runtimeDir, containerdSocket, pauseImage, plugins, n.path("net.d"))
}

// network gives each pod a link to its node and lets the node route. On a
// bridge, answers between pods of one node would bypass the node's address
// translation unless the kernel has br_netfilter.
func (n node) network() string {
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "lab", "plugins": [{
  "type": "ptp", "ipMasq": false,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"}
}]}
`, n.pods())
}

func (n node) kubelet() string {
	l := n.lab
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
tlsCertFile: %q
tlsPrivateKeyFile: %q
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
cgroupRoot: %s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
resolvConf: ""
clusterDNS: [%s]
clusterDomain: cluster.local
podLogsDir: %q
oomScoreAdj: 0
nodeStatusUpdateFrequency: 3s
nodeLeaseDurationSeconds: %d
evictionHard: {memory.available: "100Mi", nodefs.available: "1%%", imagefs.available: "1%%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
`, n.address(), l.pki("ca.crt"), l.pki(n.name()+"-server.crt"), l.pki(n.name()+"-server.key"), containerdSocket,
		n.group(), l.Address(), n.path("pods"), lostAfterSeconds)
}

func (n node) dns() string {
	l := n.lab
	return fmt.Sprintf(`cluster.local:53 {
 bind %s
 errors
 ready 127.0.0.1:8181
 kubernetes cluster.local {
  endpoint https://%s:6443
  tls %s %s %s
  ttl 1
 }
}
`, n.address(), l.Address(), l.pki("admin.crt"), l.pki("admin.key"), l.pki("ca.crt"))
}
