// Package kubernetes runs a real Kubernetes on one Linux machine without
// containers around it, images or a registry: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet, kube-proxy and CoreDNS from
// tools/kubernetes, and the system's containerd and runc.
//
// A lab is a folder. Each of its nodes has a network, a mount and a process
// namespace of its own, so that labs do not see each other nor the machine's
// network, and the end of a node's first process is the end of everything on
// it, as that of a machine is. What lives outside of the namespaces is the
// folder, one folder in each hierarchy of control groups, and nothing else.
//
//	node-1      10.200.0.1   control plane, CoreDNS, PostgreSQL and Kafka if asked for
//	node-2      10.200.0.2   kubelet, kube-proxy
//	pods        10.244.N.0/24 on node N, routed: no overlay, no address translation
//	services    10.96.0.0/16
//
// Kubernetes is as its defaults are, with three exceptions for a lab's sake: a
// node whose kubelet is silent counts as lost after 12 s and not 50, its pods are
// evicted after 10 s and not 300 unless they tolerate more, and etcd does not
// wait for the disk. There is no network plugin that enforces NetworkPolicies.
//
// It needs root, and the programs that Missing lists. Debian's containerd 1.6
// and control groups of version 1 are what it was measured with; version 2 is
// prepared for and untested.
package kubernetes
