package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Pod is what the tests read of a pod; the names are those of the API.
type Pod struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Labels            map[string]string `json:"labels"`
		DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		NodeName string `json:"nodeName"`
	} `json:"spec"`
	Status struct {
		Phase      string `json:"phase"`
		PodIP      string `json:"podIP"`
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		InitContainers []Container `json:"initContainerStatuses"`
		Containers     []Container `json:"containerStatuses"`
	} `json:"status"`
}

// Container is the state of a container.
type Container struct {
	Name         string `json:"name"`
	ContainerID  string `json:"containerID"`
	RestartCount int    `json:"restartCount"`
	State        State  `json:"state"`
	LastState    State  `json:"lastState"`
}

// State is one of them.
type State struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Terminated *Terminated `json:"terminated"`
}

// Terminated is how a container ended.
type Terminated struct {
	ExitCode    int       `json:"exitCode"`
	Signal      int       `json:"signal"`
	Reason      string    `json:"reason"`
	Message     string    `json:"message"`
	StartedAt   time.Time `json:"startedAt"`
	FinishedAt  time.Time `json:"finishedAt"`
	ContainerID string    `json:"containerID"`
}

// Ready tells whether the pod may get traffic.
func (p Pod) Ready() bool {
	return p.Metadata.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c struct {
		Type   string `json:"type"`
		Status string `json:"status"`
	},
	) bool {
		return c.Type == "Ready" && c.Status == "True"
	})
}

// Service is the service that the pod is of.
func (p Pod) Service() string { return p.Metadata.Labels["app.kubernetes.io/name"] }

// Pods returns the pods of the services.
func (c *Cluster) Pods(ctx context.Context, services ...string) ([]Pod, error) {
	var list struct{ Items []Pod }
	err := c.get(ctx, &list, "pods", "--selector=app.kubernetes.io/name in ("+strings.Join(services, ",")+")")
	return list.Items, err
}

// Pod returns one pod.
func (c *Cluster) Pod(ctx context.Context, name string) (Pod, error) {
	var p Pod
	err := c.get(ctx, &p, "pod", name)
	return p, err
}

// statefulSet is what a rollout is judged by.
type statefulSet struct {
	Metadata struct {
		Generation int64 `json:"generation"`
	} `json:"metadata"`
	Spec struct {
		Replicas int `json:"replicas"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64  `json:"observedGeneration"`
		Replicas           int    `json:"replicas"`
		AvailableReplicas  int    `json:"availableReplicas"`
		UpdatedReplicas    int    `json:"updatedReplicas"`
		CurrentRevision    string `json:"currentRevision"`
		UpdateRevision     string `json:"updateRevision"`
	} `json:"status"`
}

// Settled waits until every replica of the services is of the newest revision and available.
func (c *Cluster) Settled(ctx context.Context, limit time.Duration, services ...string) error {
	for _, service := range services {
		err := Await(ctx, limit, "the rollout of "+service, func(ctx context.Context) (bool, error) {
			var s statefulSet
			if err := c.get(ctx, &s, "statefulset", service); err != nil {
				return false, err
			}
			n := s.Spec.Replicas
			done := s.Status.ObservedGeneration == s.Metadata.Generation && s.Status.Replicas == n && s.Status.AvailableReplicas == n &&
				s.Status.CurrentRevision == s.Status.UpdateRevision
			if done {
				return true, nil
			}
			return false, fmt.Errorf("%+v", s.Status)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Replicas returns how many replicas a service is to have.
func (c *Cluster) Replicas(ctx context.Context, service string) (int, error) {
	var s statefulSet
	err := c.get(ctx, &s, "statefulset", service)
	return s.Spec.Replicas, err
}

// FirstNode is the node that is never taken away.
func (c *Cluster) FirstNode(ctx context.Context) (string, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string    `json:"name"`
				CreationTimestamp time.Time `json:"creationTimestamp"`
			} `json:"metadata"`
		} `json:"items"`
	}
	if err := c.get(ctx, &list, "nodes", "--sort-by=.metadata.creationTimestamp"); err != nil {
		return "", err
	}
	if len(list.Items) == 0 {
		return "", errors.New("the cluster has no node")
	}
	return list.Items[0].Metadata.Name, nil
}
