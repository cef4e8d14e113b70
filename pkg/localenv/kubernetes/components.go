//go:build linux

package kubernetes

import "fmt"

// component is a program of a node that runs until the node ends.
type component struct {
	name string
	path string
	args []string
}

func (n node) component(name string, args ...string) component {
	return component{name: name, path: n.lab.program("kubernetes"), args: append([]string{name}, args...)}
}

func (n node) runtime() component {
	return component{name: "containerd", path: "containerd", args: []string{"-c", n.path("containerd.toml")}}
}

func (n node) store() component {
	const clients, peers = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return n.component("etcd", "--data-dir", n.path("etcd"), "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
}

func (n node) api() component {
	l := n.lab
	return n.component("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
		"--bind-address="+n.address(), "--advertise-address="+n.address(), "--secure-port=6443",
		"--tls-cert-file="+l.pki("apiserver.crt"), "--tls-private-key-file="+l.pki("apiserver.key"),
		"--client-ca-file="+l.pki("ca.crt"), "--kubelet-certificate-authority="+l.pki("ca.crt"),
		"--kubelet-client-certificate="+l.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key="+l.pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-key-file="+l.pki("sa.pub"), "--service-account-signing-key-file="+l.pki("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		fmt.Sprintf("--default-not-ready-toleration-seconds=%d", evictAfterSeconds),
		fmt.Sprintf("--default-unreachable-toleration-seconds=%d", evictAfterSeconds))
}

func (n node) controllers() component {
	l := n.lab
	return n.component("kube-controller-manager", append(n.asUser("kube-controller-manager"),
		"--use-service-account-credentials", "--service-account-private-key-file="+l.pki("sa.key"),
		"--root-ca-file="+l.pki("ca.crt"), "--allocate-node-cidrs=false",
		"--node-monitor-period=2s", fmt.Sprintf("--node-monitor-grace-period=%ds", lostAfterSeconds))...)
}

func (n node) scheduler() component {
	return n.component("kube-scheduler", n.asUser("kube-scheduler")...)
}

func (n node) asUser(user string) []string {
	config := n.lab.pki(user + ".kubeconfig")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1", "--leader-elect=false",
	}
}

func (n node) agent() component {
	return n.component("kubelet", "--config="+n.path("kubelet.yaml"), "--kubeconfig="+n.lab.pki(n.name()+".kubeconfig"),
		"--hostname-override="+n.name(), "--node-ip="+n.address(), "--root-dir="+kubeletDir, "--cert-dir="+kubeletDir+"/pki")
}

func (n node) names() component {
	return component{name: "coredns", path: n.lab.program("coredns"), args: []string{"-conf", n.path("Corefile")}}
}

// proxy leaves the limits of the connection table alone: they are the machine's.
func (n node) proxy() component {
	return n.component("kube-proxy", "--kubeconfig="+n.lab.pki("kube-proxy.kubeconfig"),
		"--hostname-override="+n.name(), "--cluster-cidr=10.244.0.0/16", "--bind-address="+n.address(),
		"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
		"--conntrack-max-per-core=0", "--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s")
}
