package auth

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
	"github.com/curfew-platform/curfew/services/auth/internal/servicetoken"
)

// Config is the settings of the service, as flags and as CURFEW_AUTH_*.
type Config struct {
	server.Settings
	Database database.Settings `embed:""`

	KeysetFile      string `name:"keyset-file" help:"Keys that all replicas share: encryption of signing keys, refresh tokens, page tokens." type:"path"`
	ServiceKeysFile string `name:"service-keys-file" help:"Public keys of services (JSON)." type:"path"`

	ExternalIssuersFile string `name:"external-issuers-file" help:"Issuers whose tokens ExchangeExternalToken takes (JSON); without it there are none." type:"path"`

	Cluster ClusterSettings `embed:"" prefix:"cluster-"`

	Issuer     string        `help:"iss of the tokens." default:"https://auth.curfew.dev"`
	AccessLife time.Duration `name:"access-life" help:"Life of an access token: above two refresh windows, and at most 1h." default:"5m"`

	SigningKeyAnnounce time.Duration `name:"signing-key-announce" help:"How long a signing key is shown, and known to all replicas, before it may sign: longer than verifiers go without asking; not below 30s in production." default:"1m"`
	SigningKeyRotation time.Duration `name:"signing-key-rotation" help:"Age at which the signing key is replaced by the next one; 0 is only by RotateSigningKey." default:"720h"`

	RefreshWindow   time.Duration `name:"refresh-window" help:"How long a refresh token gives the same pair again; not below 30s in production." default:"30s"`
	SessionIdle     time.Duration `name:"session-idle" help:"End of a session that is not refreshed." default:"336h"`
	SessionAbsolute time.Duration `name:"session-absolute" help:"End of every session." default:"2160h"`
	MaxSessions     int           `name:"max-sessions" help:"Sessions per user; one more ends the least recently used." default:"20"`

	RegisterRate float64 `name:"register-rate" help:"Users that one network address may register per second, or bring with first tokens of external issuers, after a burst of ten times as many; 0 is no limit." default:"20"`

	ExchangeRate float64 `name:"exchange-rate" help:"Tokens of one subject of an external issuer that are exchanged per second, after a burst of ten times as many; 0 is no limit." default:"1"`

	PasswordConcurrency int `name:"password-concurrency" help:"Passwords checked at a time, 19 MiB each; 0 is one per processor." default:"0"`
}

// Common implements server.Config.
func (c *Config) Common() *server.Settings { return &c.Settings }

// Validate implements server.Config.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate(), c.Database.Validate(), c.validateLife(), c.validateIssuer(), c.Cluster.validate(c.Issuer), c.validateExternals(), keyset.Validate(c.KeysetFile)}
	if err := c.limits().Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--refresh-window, --session-idle, --session-absolute and --max-sessions: %w", err))
	}
	if c.SigningKeyAnnounce <= 0 {
		errs = append(errs, fmt.Errorf("--signing-key-announce %v is not positive", c.SigningKeyAnnounce))
	}
	if r := c.SigningKeyRotation; r != 0 && r < 2*c.SigningKeyAnnounce {
		errs = append(errs, fmt.Errorf("--signing-key-rotation %v is neither 0 nor at least twice --signing-key-announce", r))
	}
	if c.PasswordConcurrency < 0 {
		errs = append(errs, fmt.Errorf("--password-concurrency %d is negative", c.PasswordConcurrency))
	}
	if !(c.RegisterRate >= 0 && c.RegisterRate <= fastestRate) {
		errs = append(errs, fmt.Errorf("--register-rate %v is not between 0 and %d", c.RegisterRate, fastestRate))
	}
	if !(c.ExchangeRate >= 0 && c.ExchangeRate <= fastestRate) {
		errs = append(errs, fmt.Errorf("--exchange-rate %v is not between 0 and %d", c.ExchangeRate, fastestRate))
	}
	if _, err := registry(c); err != nil {
		errs = append(errs, fmt.Errorf("--service-keys-file: %w", err))
	}
	return errors.Join(errs...)
}

// fastestRate is more than any process can serve.
const fastestRate = 10_000

func (c *Config) limits() account.Limits {
	return account.Limits{
		Window: c.RefreshWindow, Idle: c.SessionIdle, Absolute: c.SessionAbsolute, Sessions: c.MaxSessions,
	}
}

func (c *Config) passwordConcurrency() int {
	if c.PasswordConcurrency == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return c.PasswordConcurrency
}

// largestClockError is what verifiers may differ from the database, beside
// their leeway. A rule outlives every token that it is about by that much.
const largestClockError = time.Minute

// verifierLeeway is the largest that a profile of the verifiers admits.
const verifierLeeway = 2 * time.Minute

// ruleLife is how long a rule is kept: as long as any token that verifiers
// admit can live. It does not depend on AccessLife, because tokens from before
// the setting was lowered, and those of replicas that still have the old one,
// are revoked too.
func ruleLife() time.Duration {
	return token.Curfew("", nil).MaxLife + verifierLeeway + largestClockError
}

// validateLife bounds the life of an access token by what verifiers admit, and
// by how old a pair may be when it is handed out again: one window until a
// holder of the parent may get it, another in which it is given as it is.
func (c *Config) validateLife() error {
	profile := token.Curfew("", nil)
	if c.RefreshWindow < time.Second {
		return fmt.Errorf("--refresh-window %v is below 1s, which clients need to hear of a pair", c.RefreshWindow)
	}
	if c.AccessLife > profile.MaxLife {
		return fmt.Errorf("--access-life %v is above %v, the longest life that verifiers admit", c.AccessLife, profile.MaxLife)
	}
	if least := 2*c.RefreshWindow + profile.Leeway; c.AccessLife <= least {
		return fmt.Errorf("--access-life %v is not above %v: a pair is handed out again until it is two --refresh-window old (%v), and clocks differ by up to %v",
			c.AccessLife, least, c.RefreshWindow, profile.Leeway)
	}
	return nil
}

// validateIssuer makes an issuer that never signs.
func (c *Config) validateIssuer() error {
	if _, err := issuer.New(c.issuing(), nil); err != nil {
		return fmt.Errorf("--issuer and --access-life: %w", err)
	}
	return nil
}

func (c *Config) issuing() issuer.Config {
	return issuer.Config{
		Issuer:   c.Issuer,
		Audience: token.CurfewAudience,
		Life:     c.AccessLife,
		Roles:    append(account.Roles(), servicetoken.Role),
	}
}

// stallLimit leaves room in the window: a client gives up after a third of it
// and stops trying after two thirds.
func (c *Config) stallLimit() time.Duration { return c.RefreshWindow / 6 }
