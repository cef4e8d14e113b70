package manifests

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// checkVolumes: what is mounted stays current, may be read by the service only,
// and the URL of the schema's owner is where migrate is and nowhere else.
func (s *Set) checkVolumes(name string, say sayer) {
	pod := &s.StatefulSets[name].Spec.Template.Spec
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
		if mode := secretMode(v); mode != nil && *mode&0o007 != 0 {
			say("%s: volume %s is open to every user of the machine", name, v.Name)
		}
		if v.HostPath != nil {
			say("%s: volume %s is the host's", name, v.Name)
		}
	}
	for _, c := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		for _, m := range c.VolumeMounts {
			if _, ok := volumes[m.Name]; !ok {
				say("%s/%s: there is no volume %s", name, c.Name, m.Name)
			}
			if m.SubPath != "" {
				say("%s/%s: %s has a subPath and would never be renewed", name, c.Name, m.Name)
			}
			if !m.ReadOnly {
				say("%s/%s: %s can be written", name, c.Name, m.Name)
			}
			if secret := volumes[m.Name].Secret; secret != nil && strings.HasSuffix(secret.SecretName, "-migrate") && c.Name != "migrate" {
				say("%s/%s: has the password of the schema's owner", name, c.Name)
			}
		}
	}
}

// secretMode is the mode of the files of a volume that holds secrets.
func secretMode(v corev1.Volume) *int32 {
	worldReadable := int32(0o644) // what Kubernetes takes without a mode
	switch {
	case v.Secret != nil && v.Secret.DefaultMode != nil:
		return v.Secret.DefaultMode
	case v.Projected != nil && v.Projected.DefaultMode != nil:
		return v.Projected.DefaultMode
	case v.Secret != nil || v.Projected != nil:
		return &worldReadable
	}
	return nil
}

// checkSecrets: whoever deploys is told of every Secret.
func (s *Set) checkSecrets(name, page string, say sayer) {
	pod := &s.StatefulSets[name].Spec.Template.Spec
	told := func(secret string) {
		if !strings.Contains(page, "`"+secret+"`") {
			say("%s: docs/kubernetes.md does not name the Secret %s", name, secret)
		}
	}
	for _, v := range pod.Volumes {
		if v.Secret != nil {
			told(v.Secret.SecretName)
		}
		if v.Projected != nil {
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					told(source.Secret.Name)
				}
			}
		}
	}
	for _, in := range s.Ingresses {
		for _, t := range in.Spec.TLS {
			told(t.SecretName)
		}
	}
	for _, c := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		for _, v := range c.Env {
			if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
				say("%s/%s: %s is a secret in the environment, and secrets are files", name, c.Name, v.Name)
			}
		}
	}
}
