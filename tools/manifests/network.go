package manifests

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// checkNetwork: every port that a service listens on or connects to is allowed
// by a policy, and nothing else is open to everybody.
func (s *Set) checkNetwork(name string, say sayer) {
	ingress, egress := map[string]bool{}, map[string]bool{}
	for _, p := range s.Policies {
		if !selects(&p.Spec.PodSelector, s.StatefulSets[name]) {
			continue
		}
		for _, rule := range p.Spec.Ingress {
			if len(rule.From) == 0 || len(rule.Ports) == 0 {
				say("%s: policy %s lets in everybody, or to every port", name, p.Name)
			}
			ports(ingress, rule.Ports)
		}
		for _, rule := range p.Spec.Egress {
			if len(rule.Ports) == 0 {
				say("%s: policy %s lets out to every port", name, p.Name)
			}
			ports(egress, rule.Ports)
		}
	}
	for _, port := range s.main(name).Ports {
		if !ingress[fmt.Sprint("TCP/", port.ContainerPort)] {
			say("%s: no policy lets anybody in to port %d", name, port.ContainerPort)
		}
	}
	for _, want := range s.uses(name) {
		if !egress[want] {
			say("%s: no policy lets it out to %s", name, want)
		}
	}
}

func ports(into map[string]bool, list []networkingv1.NetworkPolicyPort) {
	for _, p := range list {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		if p.Port != nil {
			into[fmt.Sprint(protocol, "/", p.Port.String())] = true
		}
	}
}

// uses are the ports that the settings of a service name, and those of DNS and
// PostgreSQL, whose address is in a Secret.
func (s *Set) uses(name string) []string {
	list := []string{"UDP/53", "TCP/53", "TCP/5432"}
	for setting, value := range s.settings(s.main(name)) {
		switch strings.TrimPrefix(setting, variable(name, "")) {
		case "AUTH_ADDR", "KAFKA_BROKERS", "LOG_KAFKA_BROKERS":
			for address := range strings.SplitSeq(value, ",") {
				_, port, _ := net.SplitHostPort(address)
				list = append(list, "TCP/"+port)
			}
		case "CLUSTER_JWKS_URL":
			list = append(list, "TCP/443")
		case "OTEL_EXPORTER_OTLP_ENDPOINT":
			if u, err := url.Parse(value); err == nil {
				list = append(list, "TCP/"+u.Port())
			}
		}
	}
	return list
}

// checkDenied: what no policy allows is denied.
func (s *Set) checkDenied(say sayer) {
	for _, p := range s.Policies {
		if len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0 && len(p.Spec.PolicyTypes) == 2 &&
			len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 {
			return
		}
	}
	say("no policy denies what is not allowed")
}

// checkServices: each service has pods behind it, and names their ports.
func (s *Set) checkServices(say sayer) {
	for _, service := range s.Services {
		if len(service.Spec.Selector) == 0 {
			continue // its endpoints are written by hand
		}
		found := false
		for _, name := range s.names() {
			if !matches(service.Spec.Selector, s.StatefulSets[name].Spec.Template.Labels) {
				continue
			}
			found = true
			for _, port := range service.Spec.Ports {
				if !named(s.main(name), port.TargetPort.String()) {
					say("service %s: %s has no port %s", service.Name, name, port.TargetPort.String())
				}
			}
		}
		if !found {
			say("service %s: there are no pods behind it", service.Name)
		}
	}
	for _, in := range s.Ingresses {
		for _, rule := range in.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				if s.Services[path.Backend.Service.Name] == nil {
					say("ingress %s: there is no service %s", in.Name, path.Backend.Service.Name)
				}
			}
		}
	}
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func named(c *corev1.Container, port string) bool {
	for _, p := range c.Ports {
		if p.Name == port {
			return true
		}
	}
	return false
}
