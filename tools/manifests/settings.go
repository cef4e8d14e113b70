package manifests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// variable names a setting of a service.
func variable(service, setting string) string {
	return "CURFEW_" + strings.ToUpper(service) + "_" + setting
}

var variableName = regexp.MustCompile(`\$(CURFEW_[A-Z_]+)`)

// known are the variables that a service reads, by the page of its flags.
func known(service, page string) map[string]bool {
	_, section, _ := strings.Cut(page, "\n## "+service+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	all := map[string]bool{}
	for _, match := range variableName.FindAllStringSubmatch(section, -1) {
		all[match[1]] = true
	}
	return all
}

// checkSettings: every variable is a flag of that service, and every file that
// one names is in a volume.
func (s *Set) checkSettings(name, page string, say sayer) {
	flags := known(name, page)
	pod := &s.StatefulSets[name].Spec.Template.Spec
	for _, c := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef == nil || s.ConfigMaps[from.ConfigMapRef.Name] == nil {
				say("%s/%s: settings from something that is not there", name, c.Name)
			}
		}
		settings := s.settings(&c)
		instance := "service.instance.id=$(POD_NAMESPACE).$(POD_NAME)." + name + ","
		if c.Name == name && !strings.HasPrefix(settings["OTEL_RESOURCE_ATTRIBUTES"], instance) {
			say("%s/%s: its figures do not say which pod they are of", name, c.Name)
		}
		for _, v := range slices.Sorted(maps.Keys(settings)) {
			if strings.HasPrefix(v, "CURFEW_") && !flags[v] {
				say("%s/%s: %s is no flag", name, c.Name, v)
			}
			if value := settings[v]; strings.HasPrefix(value, "/etc/") && !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
				return strings.HasPrefix(value, m.MountPath+"/")
			}) {
				say("%s/%s: %s=%s is in no volume", name, c.Name, v, value)
			}
			if strings.HasSuffix(v, "DATABASE_URL") {
				say("%s/%s: %s is a secret, and secrets are files", name, c.Name, v)
			}
		}
	}
}

// checkIdentity: the token of a pod is for the issuer, auth believes its account,
// and the service knows each replica of auth.
func (s *Set) checkIdentity(name string, say sayer) {
	settings := s.settings(s.main(name))
	path, ok := settings[variable(name, "SERVICE_TOKEN_FILE")]
	if !ok {
		return
	}
	issuer := settings[variable(name, "ISSUER")]
	if issuer == "" {
		issuer = "https://auth.curfew.dev"
	}
	pod := &s.StatefulSets[name].Spec.Template.Spec
	if !slices.ContainsFunc(tokens(pod), func(t *corev1.ServiceAccountTokenProjection) bool {
		return t.Audience == issuer && strings.HasSuffix(path, "/"+t.Path)
	}) {
		say("%s: no token for %s at %s", name, issuer, path)
	}
	auth := s.settings(s.main("auth"))
	believed := strings.Split(auth["CURFEW_AUTH_CLUSTER_SERVICE_ACCOUNTS"], ",")
	for namespace := range s.Namespaces {
		if !slices.Contains(believed, namespace+"/"+pod.ServiceAccountName) {
			say("%s: auth does not believe %s/%s", name, namespace, pod.ServiceAccountName)
		}
	}
	var want []string
	for i := range s.replicas("auth") {
		want = append(want, fmt.Sprintf("auth-%d.%s:9000", i, s.StatefulSets["auth"].Spec.ServiceName))
	}
	if got := settings[variable(name, "AUTH_ADDR")]; got != strings.Join(want, ",") {
		say("%s: --auth-addr is %s, the replicas are %s", name, got, strings.Join(want, ","))
	}
}

func tokens(pod *corev1.PodSpec) (list []*corev1.ServiceAccountTokenProjection) {
	for _, v := range pod.Volumes {
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			if source.ServiceAccountToken != nil {
				list = append(list, source.ServiceAccountToken)
			}
		}
	}
	return list
}
