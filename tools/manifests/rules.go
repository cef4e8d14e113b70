package manifests

import "fmt"

// Documents are the pages that manifests are compared with.
type Documents struct {
	// Configuration is docs/configuration.md: what --help of every service prints.
	Configuration string
	// Kubernetes is docs/kubernetes.md, which names every Secret.
	Kubernetes string
}

// Check returns what is wrong with a rendered overlay, one sentence each.
func Check(s *Set, d Documents) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, name := range s.names() {
		s.checkGrace(name, say)
		s.checkProbes(name, say)
		s.checkPod(name, say)
		s.checkMemory(name, say)
		s.checkVolumes(name, say)
		s.checkSecrets(name, d.Kubernetes, say)
		s.checkSettings(name, d.Configuration, say)
		s.checkIdentity(name, say)
		s.checkNetwork(name, say)
		s.checkBudget(name, say)
		s.checkUpdate(name, say)
	}
	s.checkServices(say)
	s.checkDenied(say)
	return wrong
}

// sayer takes one thing that is wrong.
type sayer func(format string, args ...any)
