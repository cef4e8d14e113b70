package manifests

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// checkGrace: the pod, the process and the probes agree on the time that a stop
// has. Whether that is enough, the service itself says.
func (s *Set) checkGrace(name string, say sayer) {
	pod, c := &s.StatefulSets[name].Spec.Template.Spec, s.main(name)
	if pod.TerminationGracePeriodSeconds == nil {
		say("%s: no terminationGracePeriodSeconds", name)
		return
	}
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	if got := s.duration(name, "GRACE"); got != grace {
		say("%s: --grace is %v, terminationGracePeriodSeconds %v", name, got, grace)
	}
	preStop := preStop(c)
	if got := s.duration(name, "PRE_STOP"); got != preStop {
		say("%s: --pre-stop is %v, the preStop hook takes %v", name, got, preStop)
	}
	if preStop >= grace {
		say("%s: preStop uses up all of the grace", name)
	}
	if c.LivenessProbe == nil || c.LivenessProbe.TerminationGracePeriodSeconds == nil {
		say("%s: no grace of the liveness probe", name)
	} else if own := time.Duration(*c.LivenessProbe.TerminationGracePeriodSeconds) * time.Second; own <= 0 || own > grace {
		say("%s: a liveness kill has %v, the grace is %v", name, own, grace)
	}
}

// duration is a setting of a service; zero if it is not set.
func (s *Set) duration(name, setting string) time.Duration {
	d, err := time.ParseDuration(s.settings(s.main(name))[variable(name, setting)])
	if err != nil {
		return 0
	}
	return d
}

// preStop is how long the hook sleeps; a hook that runs something is taken as
// longer than any grace.
func preStop(c *corev1.Container) time.Duration {
	switch {
	case c.Lifecycle == nil || c.Lifecycle.PreStop == nil:
		return 0
	case c.Lifecycle.PreStop.Sleep != nil:
		return time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	default:
		return time.Hour
	}
}

// checkProbes: each of the three, at the listener that is always there.
func (s *Set) checkProbes(name string, say sayer) {
	c := s.main(name)
	for what, p := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{"startup": {c.StartupProbe, "/livez"}, "readiness": {c.ReadinessProbe, "/readyz"}, "liveness": {c.LivenessProbe, "/livez"}} {
		if p.probe == nil || p.probe.HTTPGet == nil || p.probe.HTTPGet.Port.String() != "health" || p.probe.HTTPGet.Path != p.path {
			say("%s: the %s probe is not %s at the health listener", name, what, p.path)
		}
	}
	if c.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		say("%s: why it refuses to start would be lost", name)
	}
	if path := s.settings(c)[variable(name, "TERMINATION_MESSAGE")]; path != "/dev/termination-log" {
		say("%s: the stop report goes to %q", name, path)
	}
}
