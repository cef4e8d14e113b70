package auth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

// externals reads the file of external issuers. Tokens of this service and of
// its cluster are none of theirs.
func (c *Config) externals() (external.Config, error) {
	cfg, err := external.Load(c.ExternalIssuersFile, c.Issuer, c.Cluster.Issuer)
	if err != nil {
		return external.Config{}, fmt.Errorf("--external-issuers-file: %w", err)
	}
	return cfg, nil
}

func (c *Config) validateExternals() error {
	if c.ExternalIssuersFile == "" {
		return nil
	}
	_, err := c.externals()
	return err
}

// addExternals returns the external issuers and their names, or nil if there
// are none.
func addExternals(rt *server.Runtime, cfg *Config) (account.Externals, []string, error) {
	if cfg.ExternalIssuersFile == "" {
		return nil, nil, nil
	}
	settings, err := cfg.externals()
	if err != nil {
		return nil, nil, &lifecycle.UsageError{Err: err}
	}
	issuers, err := openExternals(settings, rt.Log)
	if err != nil {
		return nil, nil, err
	}
	return issuers, settings.Names(), rt.Group.Add(lifecycle.Part{
		Name: "keys of external issuers", Phase: lifecycle.Close,
		Stop: func(context.Context) error { issuers.Close(); return nil },
	})
}

func openExternals(settings external.Config, log *slog.Logger) (*external.Issuers, error) {
	issuers, err := external.Open(settings, log, time.Now)
	if err != nil {
		return nil, &lifecycle.UsageError{Err: fmt.Errorf("--external-issuers-file: %w", err)}
	}
	return issuers, nil
}

// describeExternals writes what tokens of external issuers must be like.
func (c *Config) describeExternals(w io.Writer) error {
	if c.ExternalIssuersFile == "" {
		return nil
	}
	settings, err := c.externals()
	if err != nil {
		return err
	}
	issuers, err := openExternals(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer issuers.Close()
	_, err = fmt.Fprintf(w, "\nexternal issuers:\n%s\n", issuers.Describe())
	return err
}
