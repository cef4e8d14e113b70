package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
)

// checkBudget: of each StatefulSet a node may take one replica at a time, and
// always one: a budget that admits none would keep a node from ever being drained.
func (s *Set) checkBudget(name string, say sayer) {
	set, budgets := s.StatefulSets[name], 0
	for _, b := range s.Budgets {
		if !selects(b.Spec.Selector, set) {
			continue
		}
		budgets++
		if b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.IntValue() != 1 {
			say("%s: the budget is not one replica at a time", name)
		}
	}
	if budgets != 1 {
		say("%s: %d disruption budgets, want one", name, budgets)
	}
	if s.replicas(name) < 2 {
		say("%s: one replica is an outage at each update", name)
	}
}

// checkUpdate: replicas have names, are updated one at a time and do not wait for
// each other.
func (s *Set) checkUpdate(name string, say sayer) {
	spec := &s.StatefulSets[name].Spec
	if spec.PodManagementPolicy != appsv1.ParallelPodManagement || spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		say("%s: not updated one at a time without waiting", name)
	}
	if spec.MinReadySeconds < 5 {
		say("%s: the next replica is taken away before the last one serves", name)
	}
	if governing := s.Services[spec.ServiceName]; governing == nil || governing.Spec.ClusterIP != "None" || governing.Spec.PublishNotReadyAddresses {
		say("%s: no headless service that names the replicas that are ready", name)
	}
	if !selects(spec.Selector, s.StatefulSets[name]) {
		say("%s: does not select its own pods", name)
	}
	pod := &spec.Template.Spec
	if pod.Affinity == nil || pod.Affinity.PodAntiAffinity == nil || len(pod.TopologySpreadConstraints) == 0 {
		say("%s: replicas may all be on one node", name)
	}
	for _, c := range pod.TopologySpreadConstraints {
		if !selects(c.LabelSelector, s.StatefulSets[name]) {
			say("%s: spreads other pods than its own", name)
		}
	}
}
