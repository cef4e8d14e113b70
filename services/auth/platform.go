package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/cluster"
	"github.com/curfew-platform/curfew/services/auth/internal/jwks"
	"github.com/curfew-platform/curfew/services/auth/internal/servicetoken"
)

// ClusterSettings name the Kubernetes cluster whose service accounts stand for
// services. Without an issuer there is none.
type ClusterSettings struct {
	Issuer    string   `help:"iss of the service-account tokens of the Kubernetes cluster that this runs in; empty accepts none." placeholder:"URL"`
	Audience  string   `help:"Audience that such a token must be for; empty is --issuer."`
	JWKSURL   string   `name:"jwks-url" help:"Where the cluster publishes its keys, as a rule https://kubernetes.default.svc/openid/v1/jwks." placeholder:"URL"`
	JWKSFile  string   `name:"jwks-file" help:"The keys of the cluster in a file, instead; read again every minute." type:"path"`
	CAFile    string   `name:"ca-file" help:"Certificates that --cluster-jwks-url must chain to (PEM), as a rule the ca.crt of the pod." type:"path"`
	TokenFile string   `name:"token-file" help:"Bearer token to ask for the keys with, read each time: a service-account token for the API server; empty sends none." type:"path"`
	Accounts  []string `name:"service-accounts" help:"Which service each account is: NAMESPACE/ACCOUNT=SERVICE, or NAMESPACE/ACCOUNT if both have one name. Others are nobody." placeholder:"NAMESPACE/ACCOUNT"`
}

// config is what the settings mean, for tokens of the issuer of this service.
func (s *ClusterSettings) config(issuer string) (cluster.Config, error) {
	accounts, err := cluster.ParseAccounts(s.Accounts)
	if err != nil {
		return cluster.Config{}, fmt.Errorf("--cluster-service-accounts: %w", err)
	}
	audience := s.Audience
	if audience == "" {
		audience = issuer
	}
	return cluster.Config{
		Issuer: s.Issuer, Audience: audience, Accounts: accounts, Now: time.Now,
		Keys: jwks.Source{URL: s.JWKSURL, CAFile: s.CAFile, TokenFile: s.TokenFile, File: s.JWKSFile},
	}, nil
}

func (s *ClusterSettings) validate(issuer string) error {
	if s.Issuer == "" {
		if s.Audience != "" || s.JWKSURL != "" || s.JWKSFile != "" || s.CAFile != "" || s.TokenFile != "" || len(s.Accounts) > 0 {
			return errors.New("--cluster-issuer is required by the other --cluster flags")
		}
		return nil
	}
	var errs []error
	if s.Issuer == issuer {
		errs = append(errs, errors.New("--cluster-issuer is --issuer: the cluster is not this service"))
	}
	if (s.JWKSURL == "") == (s.JWKSFile == "") {
		errs = append(errs, errors.New("one of --cluster-jwks-url and --cluster-jwks-file is required"))
	}
	if s.JWKSURL == "" && (s.CAFile != "" || s.TokenFile != "") {
		errs = append(errs, errors.New("--cluster-ca-file and --cluster-token-file go with --cluster-jwks-url"))
	}
	if s.CAFile != "" {
		if err := (certfile.Paths{CA: s.CAFile}).Check(); err != nil {
			errs = append(errs, fmt.Errorf("--cluster-ca-file: %w", err))
		}
	}
	_, err := s.config(issuer)
	return errors.Join(append(errs, err)...)
}

// addPlatform returns the cluster, or nil if there is none.
func addPlatform(rt *server.Runtime, cfg *Config) (servicetoken.Platform, error) {
	if cfg.Cluster.Issuer == "" {
		return nil, nil //nolint:nilnil // No platform is a value here.
	}
	settings, err := cfg.Cluster.config(cfg.Issuer)
	if err != nil {
		return nil, &lifecycle.UsageError{Err: err}
	}
	c, err := cluster.Open(settings, rt.Log)
	if err != nil {
		return nil, &lifecycle.UsageError{Err: err}
	}
	return c, rt.Group.Add(lifecycle.Part{
		Name: "keys of the cluster", Phase: lifecycle.Close,
		Stop: func(context.Context) error { c.Close(); return nil },
	})
}
