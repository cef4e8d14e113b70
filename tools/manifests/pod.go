package manifests

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// checkPod: no container may do more than it needs, each says what it needs, and
// what runs is pinned.
func (s *Set) checkPod(name string, say sayer) {
	pod := &s.StatefulSets[name].Spec.Template.Spec
	if sc := pod.SecurityContext; sc == nil || sc.RunAsNonRoot == nil || !*sc.RunAsNonRoot || sc.RunAsUser == nil || *sc.RunAsUser == 0 ||
		sc.FSGroup == nil || sc.SeccompProfile == nil || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		say("%s: the pod is not confined to a user and the seccomp profile of the runtime", name)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		say("%s: the pod gets a token for the API server that it does not need", name)
	}
	if a := s.Accounts[pod.ServiceAccountName]; a == nil || a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
		say("%s: no service account of its own, or one whose token is mounted", name)
	}
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		say("%s: variables of every service in the namespace", name)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		say("%s: namespaces of the host", name)
	}
	for _, c := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		s.checkContainer(name+"/"+c.Name, &c, say)
	}
}

func (s *Set) checkContainer(what string, c *corev1.Container, say sayer) {
	if sc := c.SecurityContext; sc == nil || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation || sc.ReadOnlyRootFilesystem == nil ||
		!*sc.ReadOnlyRootFilesystem || sc.Capabilities == nil || fmt.Sprint(sc.Capabilities.Drop) != "[ALL]" || len(sc.Capabilities.Add) > 0 {
		say("%s: not confined", what)
	}
	for _, kind := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if c.Resources.Limits[kind] == (resource.Quantity{}) || c.Resources.Requests[kind] == (resource.Quantity{}) {
			say("%s: no request or no limit of %s", what, kind)
		}
	}
	_, tag, tagged := strings.Cut(c.Image[strings.LastIndex(c.Image, "/")+1:], ":")
	if !strings.Contains(c.Image, "@sha256:") && (!tagged || tag == "" || tag == "latest") {
		say("%s: image %s is not pinned", what, c.Image)
	}
}

// workerHeap is what logproc gives each of its workers, in bytes, and beyond the
// heap what a process has at least.
const (
	workerHeap = 192 << 20
	beyond     = 16 << 20
)

// checkMemory: the garbage collector knows of the limit before the kernel does.
func (s *Set) checkMemory(name string, say sayer) {
	c := s.main(name)
	limit, request := c.Resources.Limits.Memory().Value(), c.Resources.Requests.Memory().Value()
	heap := int64(0)
	for _, v := range c.Env {
		switch {
		case v.Name == "GOMAXPROCS":
			say("%s: GOMAXPROCS is set: Go no longer follows the limit of processors", name)
		case v.Name != "GOMEMLIMIT":
		case v.ValueFrom != nil && v.ValueFrom.ResourceFieldRef != nil && v.ValueFrom.ResourceFieldRef.Resource == "requests.memory" &&
			v.ValueFrom.ResourceFieldRef.Divisor.IsZero():
			heap = request
		default:
			heap = size(v.Value)
		}
	}
	if heap <= 0 {
		say("%s: no GOMEMLIMIT", name)
	}
	all := heap + beyond
	if settings := s.settings(c); settings[variable(name, "WORKERS")] != "" {
		workers, _ := strconv.ParseInt(settings[variable(name, "WORKERS")], 10, 64)
		isolation, err := strconv.ParseInt(settings[variable(name, "ISOLATION_MEMORY")], 10, 64)
		if err != nil {
			isolation = 512 << 20
		}
		all += workers*(workerHeap+beyond) + isolation
	}
	if all > limit {
		say("%s: heaps of up to %d MiB do not fit into a limit of %d MiB", name, all>>20, limit>>20)
	}
}

// size reads the form of GOMEMLIMIT; zero if it is wrong.
func size(text string) int64 {
	number, mebi := strings.CutSuffix(text, "MiB")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	if mebi {
		return n << 20
	}
	return n
}
