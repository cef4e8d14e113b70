package external

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/services/auth/internal/jwks"
)

// Limits of the file. Names are bounded like those in tokens: longer ones would
// never match.
const (
	maxFileBytes   = 256 << 10
	maxIssuers     = 32
	maxIssuerBytes = 255
	maxNames       = 16
	maxNameBytes   = 128

	defaultLife = time.Hour
	shortest    = time.Minute
	longest     = 24 * time.Hour
)

// Config is the issuers of a file. The zero Config has none.
type Config struct{ issuers []issuer }

// issuer is one element of the file.
type issuer struct {
	name       string
	audiences  []string
	parties    []string
	algorithms []string
	maxLife    time.Duration
	requireSID bool
	provision  bool
	keys       jwks.Source
}

// Load reads a JSON file:
//
//	{"issuers": [{"issuer": "https://id.example.org", "audiences": ["https://api.example.org"]}]}
//
// with, for each issuer:
//
//	issuer              `iss` of its tokens, and where it is asked for its keys (OpenID Connect Discovery)
//	audiences           `aud` must contain one of them
//	authorized_parties  `azp` must be one of them; one of the two lists is required, both together hold both
//	jwks_url            the address of its keys, instead of discovery
//	jwks_file           its keys in a file, read again each minute, instead of discovery
//	ca_file             what its servers must chain to (PEM), instead of what the system trusts
//	algorithms          of RS256, PS256, ES256, ES384, EdDSA; all of them without it
//	max_life            the longest exp - iat, 1m to 24h; 1h without it
//	require_sid         true: tokens without `sid` are refused, for providers that sign others for other uses
//	provision           true: users who are not known here are made; false without it
//
// Unknown and duplicate members, trailing data, more than 32 issuers, and the
// issuers of reserved (those that this process is, or knows otherwise) are
// errors, which name the issuer and the member.
func Load(path string, reserved ...string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("external issuers: %w", err)
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("external issuers: %w", err)
	}
	cfg, err := Parse(content, reserved...)
	if err != nil {
		return Config{}, fmt.Errorf("external issuers %s: %w", path, err)
	}
	return cfg, nil
}

// Parse reads the content of such a file.
func Parse(content []byte, reserved ...string) (Config, error) {
	if len(content) > maxFileBytes {
		return Config{}, fmt.Errorf("longer than %d bytes", maxFileBytes)
	}
	elements, err := read(content)
	if err != nil {
		return Config{}, err
	}
	if len(elements) == 0 {
		return Config{}, errors.New("issuers: none is listed")
	}
	seen := make(map[string]string, len(elements)+len(reserved))
	for _, name := range reserved {
		seen[alike(name)] = "is an issuer that this service knows otherwise"
	}
	cfg := Config{issuers: make([]issuer, 0, len(elements))}
	for n, e := range elements {
		i, err := e.issuer()
		if err != nil {
			return Config{}, fmt.Errorf("%s: %w", e.label(n), err)
		}
		if why, taken := seen[alike(i.name)]; taken {
			return Config{}, fmt.Errorf("%s: issuer: %s", e.label(n), why)
		}
		seen[alike(i.name)] = "is listed twice, or too alike to one that is"
		cfg.issuers = append(cfg.issuers, i)
	}
	return cfg, nil
}

// alike is equal for names that are too alike for two issuers. Tokens are
// compared with the name itself.
func alike(name string) string { return strings.ToLower(strings.TrimRight(name, "/")) }

// issuer checks an element. Errors begin with the name of the member.
func (e element) issuer() (issuer, error) {
	i := issuer{
		name: e.Issuer, audiences: e.Audiences, parties: e.Parties, algorithms: e.Algorithms,
		maxLife: defaultLife, requireSID: e.RequireSID, provision: e.Provision,
		keys: jwks.Source{URL: e.JWKSURL, File: e.JWKSFile, CAFile: e.CAFile, Outside: true, Fresh: true},
	}
	if i.keys.URL == "" && i.keys.File == "" {
		i.keys.Discover = i.name
	}
	if e.MaxLife != "" {
		var err error
		if i.maxLife, err = time.ParseDuration(e.MaxLife); err != nil {
			return issuer{}, errors.New(`max_life: not a duration like "1h"`)
		}
	}
	return i, i.check()
}

func (i issuer) check() error {
	if _, err := token.Discover(i.name, nil); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	switch {
	case !printable(i.name, maxIssuerBytes):
		return fmt.Errorf("issuer: not 1 to %d printable characters", maxIssuerBytes)
	case len(i.audiences) == 0 && len(i.parties) == 0:
		return errors.New("audiences: they or authorized_parties are required, or tokens for anybody would do")
	case i.keys.URL != "" && i.keys.File != "":
		return errors.New("jwks_url: there is a jwks_file too")
	case i.keys.File != "" && i.keys.CAFile != "":
		return errors.New("ca_file: nothing is fetched, there is a jwks_file")
	case i.maxLife < shortest || i.maxLife > longest:
		return fmt.Errorf("max_life: not %s to %s", shortest, longest)
	}
	if i.keys.URL != "" {
		if _, err := token.HTTP(i.keys.URL, nil); err != nil {
			return fmt.Errorf("jwks_url: %w", err)
		}
	}
	if err := list("audiences", i.audiences); err != nil {
		return err
	}
	if err := list("authorized_parties", i.parties); err != nil {
		return err
	}
	return i.checkAlgorithms()
}

// checkAlgorithms admits what the profile has by itself: secrets that two share
// (HS256) prove nothing about who signed.
func (i issuer) checkAlgorithms() error {
	known := token.OIDC("", nil).Algorithms
	for _, alg := range i.algorithms {
		if !slices.Contains(known, alg) {
			return fmt.Errorf("algorithms: not of %s", strings.Join(known, ", "))
		}
	}
	return list("algorithms", i.algorithms)
}

func list(member string, names []string) error {
	if len(names) > maxNames {
		return fmt.Errorf("%s: more than %d", member, maxNames)
	}
	for n, name := range names {
		if !printable(name, maxNameBytes) {
			return fmt.Errorf("%s: element %d is not 1 to %d printable characters", member, n, maxNameBytes)
		}
		if slices.Contains(names[:n], name) {
			return fmt.Errorf("%s: element %d is there twice", member, n)
		}
	}
	return nil
}

// printable tells whether s can stand in a token, on a log line and in a name.
func printable(s string, limit int) bool {
	outside := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"'\<>`, r) }
	return s != "" && len(s) <= limit && !strings.ContainsFunc(s, outside)
}

// profile is what tokens of the issuer must be like.
func (i issuer) profile(keys token.Keys) token.Profile {
	p := token.OIDC(i.name, keys)
	p.Audiences, p.AuthorizedParties = i.audiences, i.parties
	if len(i.algorithms) > 0 {
		p.Algorithms = i.algorithms
	}
	p.MaxLife = i.maxLife
	p.OpaqueSubjects = true
	// A session outlives by far what an impersonator was meant to have.
	p.NoActors = true
	return p
}

// describe is a line for --check.
func (i issuer) describe() string {
	return fmt.Sprintf("%s keys=%s sid=%t provision=%t", i.profile(nil), i.keys, i.requireSID, i.provision)
}
