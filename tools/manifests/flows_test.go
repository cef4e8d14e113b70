package manifests

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// end is one side of a connection: a pod of our namespace, of another one, or
// an address outside of the cluster.
type end struct {
	ours      bool
	namespace labels.Set
	pod       labels.Set
	address   string
}

func service(name string) end {
	return end{ours: true, namespace: labels.Set{"kubernetes.io/metadata.name": "curfew"}, pod: labels.Set{"app.kubernetes.io/name": name}}
}

// allowed answers as a network that enforces the policies: each side that is
// selected by a policy of a direction takes only what one of them lets through.
func (s *Set) allowed(from, to end, port int) bool {
	out, in := !from.ours, !to.ours
	for _, p := range s.Policies {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil {
			return false
		}
		if from.ours && selector.Matches(from.pod) {
			for _, rule := range p.Spec.Egress {
				out = out || through(rule.To, to, rule.Ports, port)
			}
		}
		if to.ours && selector.Matches(to.pod) {
			for _, rule := range p.Spec.Ingress {
				in = in || through(rule.From, from, rule.Ports, port)
			}
		}
	}
	return out && in
}

func through(peers []networkingv1.NetworkPolicyPeer, other end, ports []networkingv1.NetworkPolicyPort, port int) bool {
	open := len(ports) == 0
	for _, p := range ports {
		open = open || *p.Port == intstr.FromInt(port) && (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP)
	}
	if !open || len(peers) == 0 {
		return open
	}
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if address, err := netip.ParseAddr(other.address); err == nil && netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(address) {
				return true
			}
			continue
		}
		if matched(peer.NamespaceSelector, other.namespace, other.ours) && matched(peer.PodSelector, other.pod, other.pod != nil) {
			return true
		}
	}
	return false
}

// matched is absent if there is no selector.
func matched(selector *metav1.LabelSelector, set labels.Set, absent bool) bool {
	if selector == nil {
		return absent
	}
	by, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && set != nil && by.Matches(set)
}

func TestThePoliciesLetThroughWhatIsNeededAndNothingElse(t *testing.T) {
	client := end{namespace: labels.Set{"curfew.dev/client": "true"}, pod: labels.Set{"app": "shop"}}
	stranger := end{namespace: labels.Set{"kubernetes.io/metadata.name": "default"}, pod: labels.Set{"app.kubernetes.io/name": "orders"}}
	database, broker, internet := end{address: "10.20.0.5"}, end{address: "10.30.0.5"}, end{address: "198.51.100.7"}
	api := end{address: "10.96.0.1"}
	s := render(t, "production")
	for _, flow := range []struct {
		from, to end
		port     int
		want     bool
	}{
		{service("orders"), service("auth"), 9000, true},
		{service("logproc"), service("auth"), 9000, true},
		{service("orders"), service("auth"), 8080, false},
		{service("orders"), service("logproc"), 9000, false},
		{service("auth"), service("orders"), 9000, false},
		{service("other"), service("auth"), 9000, false},
		{client, service("auth"), 8080, true},
		{client, service("orders"), 9000, true},
		{client, service("orders"), 8081, false},
		{stranger, service("auth"), 9000, false},
		{stranger, service("orders"), 8080, false},
		{internet, service("auth"), 8080, false},
		{service("tools"), service("auth"), 9000, true},
		{service("tools"), service("logproc"), 8081, true},
		{service("tools"), database, 5432, true},
		{service("auth"), database, 5432, true},
		{service("orders"), database, 5432, true},
		{service("logproc"), broker, 9092, true},
		{service("auth"), broker, 9092, false},
		{service("orders"), internet, 5432, false},
		{service("logproc"), internet, 9092, false},
		{service("auth"), api, 443, true},
		{service("orders"), api, 443, false},
		{service("orders"), internet, 443, false},
		{service("orders"), internet, 4317, true}, // the collector, wherever it is
		{service("other"), internet, 53, true},
	} {
		if got := s.allowed(flow.from, flow.to, flow.port); got != flow.want {
			t.Errorf("%v to %v, port %d: allowed %v", flow.from, flow.to, flow.port, got)
		}
	}
}
