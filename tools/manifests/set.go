package manifests

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Set is what one overlay renders to, by name. Not safe for concurrent use.
type Set struct {
	// YAML is all of it, as kubectl would apply it.
	YAML []byte
	// Each kind that a rule looks at.
	StatefulSets map[string]*appsv1.StatefulSet
	Services     map[string]*corev1.Service
	ConfigMaps   map[string]*corev1.ConfigMap
	Accounts     map[string]*corev1.ServiceAccount
	Budgets      map[string]*policyv1.PodDisruptionBudget
	Policies     map[string]*networkingv1.NetworkPolicy
	Ingresses    map[string]*networkingv1.Ingress
	Scalers      map[string]*autoscalingv2.HorizontalPodAutoscaler
	// Namespaces are the names that objects are put into.
	Namespaces map[string]bool
}

// Render renders the kustomization in a folder. A field that its kind does not
// have is an error.
func Render(folder string) (*Set, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", folder, err)
	}
	s, err := parse(resources)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", folder, err)
	}
	return s, nil
}

func parse(resources resmap.ResMap) (*Set, error) {
	s := &Set{Namespaces: map[string]bool{}}
	var err error
	if s.YAML, err = resources.AsYaml(); err != nil {
		return nil, err
	}
	for _, r := range resources.Resources() {
		content, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		if err := s.add(r.GetKind(), r.GetName(), content); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err)
		}
		if r.GetNamespace() != "" {
			s.Namespaces[r.GetNamespace()] = true
		}
	}
	return s, nil
}

func (s *Set) add(kind, name string, content []byte) error {
	switch kind {
	case "StatefulSet":
		return put(&s.StatefulSets, name, content)
	case "Service":
		return put(&s.Services, name, content)
	case "ConfigMap":
		return put(&s.ConfigMaps, name, content)
	case "ServiceAccount":
		return put(&s.Accounts, name, content)
	case "PodDisruptionBudget":
		return put(&s.Budgets, name, content)
	case "NetworkPolicy":
		return put(&s.Policies, name, content)
	case "Ingress":
		return put(&s.Ingresses, name, content)
	case "HorizontalPodAutoscaler":
		return put(&s.Scalers, name, content)
	}
	return nil
}

func put[T any](to *map[string]*T, name string, content []byte) error {
	if *to == nil {
		*to = map[string]*T{}
	}
	object := new(T)
	if err := yaml.UnmarshalStrict(content, object); err != nil {
		return err
	}
	(*to)[name] = object
	return nil
}

// names are the StatefulSets in order.
func (s *Set) names() []string { return slices.Sorted(maps.Keys(s.StatefulSets)) }

// replicas are how many a StatefulSet has at least.
func (s *Set) replicas(name string) int32 {
	if n := s.StatefulSets[name].Spec.Replicas; n != nil {
		return *n
	}
	for _, scaler := range s.Scalers {
		if scaler.Spec.ScaleTargetRef.Name == name && scaler.Spec.MinReplicas != nil {
			return *scaler.Spec.MinReplicas
		}
	}
	return 1 // what Kubernetes takes
}

// main is the container that is named like its StatefulSet.
func (s *Set) main(name string) *corev1.Container {
	pod := &s.StatefulSets[name].Spec.Template.Spec
	for i := range pod.Containers {
		if pod.Containers[i].Name == name {
			return &pod.Containers[i]
		}
	}
	return &corev1.Container{}
}

// settings are the variables of a container whose values are in the manifests.
func (s *Set) settings(c *corev1.Container) map[string]string {
	all := map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil && s.ConfigMaps[from.ConfigMapRef.Name] != nil {
			maps.Copy(all, s.ConfigMaps[from.ConfigMapRef.Name].Data)
		}
	}
	for _, v := range c.Env {
		all[v.Name] = v.Value
	}
	return all
}

// selects says whether a selector matches the pods of a StatefulSet.
func selects(selector *metav1.LabelSelector, set *appsv1.StatefulSet) bool {
	by, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && by.Matches(labels.Set(set.Spec.Template.Labels))
}
