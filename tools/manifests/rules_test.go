package manifests

import (
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// breach breaks one rule; want is part of what is said about it.
type breach struct {
	want  string
	spoil func(s *Set)
}

func pod(s *Set, name string) *corev1.PodSpec { return &s.StatefulSets[name].Spec.Template.Spec }

func set(s *Set, name, setting, value string) {
	c := s.main(name)
	c.Env = append(c.Env, corev1.EnvVar{Name: variable(name, setting), Value: value})
}

var breaches = []breach{
	// stop.go
	{"--grace is 30s, terminationGracePeriodSeconds 40s", func(s *Set) { pod(s, "auth").TerminationGracePeriodSeconds = new(int64(40)) }},
	{"auth: no terminationGracePeriodSeconds", func(s *Set) { pod(s, "auth").TerminationGracePeriodSeconds = nil }},
	{"--pre-stop is 0s, the preStop hook takes 5s", func(s *Set) {
		s.main("orders").Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}}
	}},
	{"preStop uses up all of the grace", func(s *Set) {
		s.main("orders").Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"x"}}}}
	}},
	{"no grace of the liveness probe", func(s *Set) { s.main("auth").LivenessProbe.TerminationGracePeriodSeconds = nil }},
	{"a liveness kill has 31s", func(s *Set) { s.main("auth").LivenessProbe.TerminationGracePeriodSeconds = new(int64(31)) }},
	{"the startup probe is not", func(s *Set) { s.main("auth").StartupProbe = nil }},
	{"the readiness probe is not", func(s *Set) { s.main("auth").ReadinessProbe.HTTPGet.Path = "/livez" }},
	{"the liveness probe is not", func(s *Set) { s.main("auth").LivenessProbe.HTTPGet.Port = intstr.FromString("http") }},
	{"why it refuses to start would be lost", func(s *Set) { s.main("auth").TerminationMessagePolicy = corev1.TerminationMessageReadFile }},
	{"the stop report goes to", func(s *Set) { set(s, "auth", "TERMINATION_MESSAGE", "/tmp/x") }},
	// pod.go
	{"the pod is not confined", func(s *Set) { pod(s, "auth").SecurityContext.RunAsUser = new(int64(0)) }},
	{"the pod is not confined", func(s *Set) { pod(s, "auth").SecurityContext.SeccompProfile = nil }},
	{"a token for the API server", func(s *Set) { pod(s, "orders").AutomountServiceAccountToken = nil }},
	{"no service account of its own", func(s *Set) { pod(s, "orders").ServiceAccountName = "default" }},
	{"variables of every service", func(s *Set) { pod(s, "orders").EnableServiceLinks = nil }},
	{"namespaces of the host", func(s *Set) { pod(s, "orders").HostNetwork = true }},
	{"auth/migrate: not confined", func(s *Set) { pod(s, "auth").InitContainers[0].SecurityContext = nil }},
	{"auth/auth: not confined", func(s *Set) { s.main("auth").SecurityContext.ReadOnlyRootFilesystem = new(false) }},
	{"auth/auth: not confined", func(s *Set) { s.main("auth").SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_PTRACE"} }},
	{"auth/auth: no request or no limit of memory", func(s *Set) { delete(s.main("auth").Resources.Limits, corev1.ResourceMemory) }},
	{"auth/auth: no request or no limit of cpu", func(s *Set) { delete(s.main("auth").Resources.Requests, corev1.ResourceCPU) }},
	{"image curfew/auth is not pinned", func(s *Set) { s.main("auth").Image = "curfew/auth" }},
	{"image localhost:5000/auth is not pinned", func(s *Set) { s.main("auth").Image = "localhost:5000/auth" }},
	{"image curfew/auth:latest is not pinned", func(s *Set) { s.main("auth").Image = "curfew/auth:latest" }},
	{"auth: no GOMEMLIMIT", func(s *Set) { s.main("auth").Env = nil }},
	{"GOMAXPROCS is set", func(s *Set) {
		s.main("auth").Env = append(s.main("auth").Env, corev1.EnvVar{Name: "GOMAXPROCS", Value: "2"})
	}},
	{"orders: heaps of up to", func(s *Set) {
		s.main("orders").Resources.Requests[corev1.ResourceMemory] = s.main("orders").Resources.Limits[corev1.ResourceMemory]
	}},
	{"logproc: heaps of up to", func(s *Set) { set(s, "logproc", "WORKERS", "12") }},
	{"logproc: heaps of up to", func(s *Set) { s.main("logproc").Resources.Limits[corev1.ResourceMemory] = resource.MustParse("1Gi") }},
	// volumes.go
	{"volume secrets is open to every user", func(s *Set) { pod(s, "auth").Volumes[0].Secret.DefaultMode = nil }},
	{"volume cluster is open to every user", func(s *Set) { pod(s, "auth").Volumes[2].Projected.DefaultMode = new(int32(0o444)) }},
	{"is the host's", func(s *Set) { pod(s, "auth").Volumes[0].HostPath = &corev1.HostPathVolumeSource{Path: "/"} }},
	{"auth/auth: there is no volume x", func(s *Set) { s.main("auth").VolumeMounts[0].Name = "x" }},
	{"has a subPath", func(s *Set) { s.main("auth").VolumeMounts[0].SubPath = "x" }},
	{"can be written", func(s *Set) { s.main("auth").VolumeMounts[0].ReadOnly = false }},
	{"auth/auth: has the password of the schema's owner", func(s *Set) { s.main("auth").VolumeMounts[0].Name = "migrate" }},
	{"does not name the Secret surprise", func(s *Set) { pod(s, "auth").Volumes[0].Secret.SecretName = "surprise" }},
	{"PASSWORD is a secret in the environment", func(s *Set) {
		s.main("auth").Env = append(s.main("auth").Env, corev1.EnvVar{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}})
	}},
	// settings.go
	{"auth/auth: CURFEW_AUTH_NOTHING is no flag", func(s *Set) { set(s, "auth", "NOTHING", "1") }},
	{"orders/orders: CURFEW_ORDERS_WORKERS is no flag", func(s *Set) { set(s, "orders", "WORKERS", "1") }},
	{"auth/auth: its figures do not say which pod they are of", func(s *Set) {
		for i, v := range s.main("auth").Env {
			if v.Name == "OTEL_RESOURCE_ATTRIBUTES" {
				s.main("auth").Env[i].Value = strings.Replace(v.Value, "$(POD_NAME)", "auth", 1)
			}
		}
	}},
	{"settings from something that is not there", func(s *Set) { s.main("auth").EnvFrom[0].ConfigMapRef.Name = "x" }},
	{"is in no volume", func(s *Set) { set(s, "auth", "KEYSET_FILE", "/etc/curfew/keyset.json") }},
	{"CURFEW_AUTH_DATABASE_URL is a secret", func(s *Set) { set(s, "auth", "DATABASE_URL", "postgres://") }},
	{"orders: no token for https://other.example", func(s *Set) { set(s, "orders", "ISSUER", "https://other.example") }},
	{"auth does not believe curfew/orders", func(s *Set) { set(s, "auth", "CLUSTER_SERVICE_ACCOUNTS", "curfew/logproc") }},
	{"orders: --auth-addr is", func(s *Set) { *s.StatefulSets["auth"].Spec.Replicas = 3 }},
	// network.go
	{"lets in everybody", func(s *Set) { s.Policies["orders"].Spec.Ingress[0].From = nil }},
	{"lets out to every port", func(s *Set) { s.Policies["orders"].Spec.Egress[0].Ports = nil }},
	{"no policy lets anybody in to port 9000", func(s *Set) { delete(s.Policies, "auth") }},
	{"logproc: no policy lets it out to TCP/9094", func(s *Set) { set(s, "logproc", "KAFKA_BROKERS", "kafka:9094") }},
	{"auth: no policy lets it out to TCP/9092", func(s *Set) { set(s, "auth", "LOG_KAFKA_BROKERS", "kafka:9092") }},
	{"orders: no policy lets it out to UDP/53", func(s *Set) { delete(s.Policies, "dns") }},
	{"no policy denies", func(s *Set) { delete(s.Policies, "default-deny") }},
	{"no policy denies", func(s *Set) { s.Policies["default-deny"].Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}} }},
	{"service auth: auth has no port web", func(s *Set) { s.Services["auth"].Spec.Ports[0].TargetPort = intstr.FromString("web") }},
	{"service auth: there are no pods", func(s *Set) { s.Services["auth"].Spec.Selector = map[string]string{"app": "auth"} }},
	// rollout.go
	{"auth: the budget is not one replica", func(s *Set) { s.Budgets["auth"].Spec.MaxUnavailable = new(intstr.FromInt32(0)) }},
	{"auth: 0 disruption budgets", func(s *Set) { delete(s.Budgets, "auth") }},
	{"one replica is an outage", func(s *Set) { *s.StatefulSets["logproc"].Spec.Replicas = 1 }},
	{"not updated one at a time", func(s *Set) { s.StatefulSets["auth"].Spec.PodManagementPolicy = "" }},
	{"is taken away before the last one serves", func(s *Set) { s.StatefulSets["auth"].Spec.MinReadySeconds = 0 }},
	{"no headless service", func(s *Set) { s.Services["auth-headless"].Spec.PublishNotReadyAddresses = true }},
	{"does not select its own pods", func(s *Set) { s.StatefulSets["auth"].Spec.Selector.MatchLabels["app.kubernetes.io/name"] = "x" }},
	{"may all be on one node", func(s *Set) { pod(s, "auth").Affinity = nil }},
	{"spreads other pods", func(s *Set) {
		pod(s, "auth").TopologySpreadConstraints[0].LabelSelector.MatchLabels["app.kubernetes.io/name"] = "orders"
	}},
}

func TestEveryRuleIsNoticedWhenItIsBroken(t *testing.T) {
	d := documents(t)
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "deploy/overlays/dev"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaches {
		s, err := parse(rendered)
		if err != nil {
			t.Fatal(err)
		}
		b.spoil(s)
		if wrong := strings.Join(Check(s, d), "\n"); !strings.Contains(wrong, b.want) {
			t.Errorf("want %q, got:\n%s", b.want, wrong)
		}
	}
}

func TestAnIngressPathLeadsToAService(t *testing.T) {
	s := render(t, "production")
	delete(s.Services, "logproc")
	if wrong := strings.Join(Check(s, documents(t)), "\n"); !strings.Contains(wrong, "ingress curfew: there is no service logproc") {
		t.Error(wrong)
	}
}
