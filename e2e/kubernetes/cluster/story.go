package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// StoryEnvironment is what the stories need beside Environment: the pods as
// replicas, and what a process of orders or logproc of their own needs beside
// them, in the same network. It writes secrets into dir, which only this user
// may read.
func (c *Cluster) StoryEnvironment(ctx context.Context, dir string) ([]string, error) {
	env, err := c.Environment(ctx)
	if err != nil {
		return nil, err
	}
	set := func(name, value string) { env = append(env, name+"="+value) }
	var auths []string
	for service, variable := range map[string]string{"auth": "", "orders": "CURFEW_ORDERS_ADDR", "logproc": "CURFEW_LOGPROC_ADDR"} {
		pods, err := c.Pods(ctx, service)
		if err != nil {
			return nil, err
		}
		var addresses []string
		for _, p := range pods {
			addresses = append(addresses, net.JoinHostPort(p.Status.PodIP, "9000"))
		}
		if service == "auth" {
			auths = addresses
			continue
		}
		set(variable, strings.Join(addresses, ","))
	}
	entrance, err := c.address(ctx, "auth")
	if err != nil {
		return nil, err
	}
	set("CURFEW_AUTH_ADDR", entrance)
	host, _, _ := strings.Cut(entrance, ":")
	set("CURFEW_HTTP_URL", "http://"+net.JoinHostPort(host, "8080"))
	for _, service := range []string{"orders", "logproc"} {
		prefix := "CURFEW_" + strings.ToUpper(service) + "_"
		values, err := c.secret(ctx, service+"-secrets")
		if err != nil {
			return nil, err
		}
		keyset := filepath.Join(dir, service+"-keyset.json")
		if err := os.WriteFile(keyset, []byte(values["keyset.json"]), 0o600); err != nil {
			return nil, fmt.Errorf("story: %w", err)
		}
		// What the kubelet puts into the pods, for a process beside them.
		proof, err := c.Kubectl(ctx, "create", "token", service, "--audience="+issuer, "--duration=1h")
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, service+"-token")
		if err := os.WriteFile(file, proof, 0o600); err != nil {
			return nil, fmt.Errorf("story: %w", err)
		}
		set(prefix+"KEYSET_FILE", keyset)
		set(prefix+"SERVICE_TOKEN_FILE", file)
		set(prefix+"AUTH_ADDR", strings.Join(auths, ","))
		set(prefix+"AUTH_PLAINTEXT", "true")
	}
	for _, variable := range env {
		if brokers, is := strings.CutPrefix(variable, "CURFEW_KAFKA_BROKERS="); is {
			set("CURFEW_ORDERS_KAFKA_BROKERS", brokers)
			set("CURFEW_LOGPROC_KAFKA_BROKERS", brokers)
		}
	}
	admin, err := c.secret(ctx, adminName)
	if err != nil {
		return nil, err
	}
	// The stories register their own customers; somebody has to be named.
	set("CURFEW_CUSTOMER_EMAIL", admin["email"])
	set("CURFEW_CUSTOMER_PASSWORD", admin["password"])
	set("CURFEW_BIN_DIR", c.bin)
	return env, nil
}

// issuer of access tokens, which is the audience of the proofs for it.
const issuer = "https://auth.curfew.dev"
