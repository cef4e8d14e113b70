package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	adminEmail = "admin@e2e.example"
	adminName  = "e2e-admin"
)

// secret returns the values of a Secret.
func (c *Cluster) secret(ctx context.Context, name string) (map[string]string, error) {
	var s struct{ Data map[string][]byte }
	if err := c.get(ctx, &s, "secret", name); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for key, value := range s.Data {
		values[key] = string(value)
	}
	return values, nil
}

// address returns the address of a Service without a selector, as the node sees it.
func (c *Cluster) address(ctx context.Context, service string) (string, error) {
	var s struct {
		Spec struct {
			ClusterIP string
			Ports     []struct{ Port int }
		}
	}
	if err := c.get(ctx, &s, "service", service); err != nil {
		return "", err
	}
	if len(s.Spec.Ports) == 0 {
		return "", fmt.Errorf("service %s has no port", service)
	}
	return fmt.Sprintf("%s:%d", s.Spec.ClusterIP, s.Spec.Ports[0].Port), nil
}

// Environment is what `curfew dev` would export, for programs in the network of
// the node: the names of pods mean nothing there.
func (c *Cluster) Environment(ctx context.Context) ([]string, error) {
	var env []string
	set := func(name, value string) { env = append(env, name+"="+value) }
	database, err := c.address(ctx, "postgres")
	if err != nil {
		return nil, err
	}
	for _, service := range Services {
		for kind, variable := range map[string]string{"secrets": "DATABASE_URL", "migrate": "MIGRATE_DATABASE_URL"} {
			values, err := c.secret(ctx, service+"-"+kind)
			if err != nil {
				return nil, err
			}
			u, err := url.Parse(strings.TrimSpace(values["database-url"]))
			if err != nil {
				return nil, errors.New("the database-url of " + service + "-" + kind + " is no URL")
			}
			u.Host = database
			set("CURFEW_"+strings.ToUpper(service)+"_"+variable, u.String())
		}
	}
	kafka, err := c.address(ctx, "kafka")
	if err != nil {
		return nil, err
	}
	set("CURFEW_KAFKA_BROKERS", kafka)
	set("CURFEW_LOGS_TOPIC", "logs")
	set("CURFEW_DEAD_LETTER_TOPIC", "logs.dlq")
	set("CURFEW_ORDER_EVENTS_TOPIC", "order-events")
	admin, err := c.secret(ctx, adminName)
	if err != nil {
		return nil, err
	}
	set("CURFEW_ADMIN_EMAIL", admin["email"])
	set("CURFEW_ADMIN_PASSWORD", admin["password"])
	return env, nil
}

// Seed makes the administrator that load and stories need, once.
func (c *Cluster) Seed(ctx context.Context) error {
	if _, err := c.secret(ctx, adminName); err == nil {
		return nil
	}
	password := "correct horse " + rand.Text()
	users, err := json.Marshal([]map[string]any{{"email": adminEmail, "password": password, "roles": []string{"admin"}}})
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	// In the container of auth is all that the command needs.
	if _, err := c.KubectlWith(ctx, users, "exec", "--stdin", "auth-0", "--", "/auth", "seed", "--file", "/dev/stdin"); err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, "create", "secret", "generic", adminName, "--from-literal=email="+adminEmail, "--from-literal=password="+password)
	return err
}
