// Package external recognises the users of identity providers that are not us:
// an access token of a configured issuer, verified with the keys that the
// issuer publishes, says who somebody is there. Who that is here is for others
// to say, and roles of the token count for nothing.
package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Errors of Verify. Causes never contain a part of a token.
var (
	// ErrRefused: no access token of a configured issuer for us, or over.
	ErrRefused = errors.New("not a valid token of an external issuer")
	// ErrUnavailable: the keys of the issuer cannot be had now, so nothing is
	// known about the token.
	ErrUnavailable = errors.New("keys of the external issuer unavailable")
)

// Claim is what a token says that was believed.
type Claim struct {
	// Issuer and Subject are who: byte for byte, and only together. Subject has
	// 1 to 255 bytes of printable ASCII.
	Issuer, Subject string
	// SessionID is `sid`, the session at the issuer; empty if the token has none.
	SessionID string
	// AuthTime is when the user proved who they are; zero if the token does not
	// say. It may be ahead of our clock by the leeway of the profile.
	AuthTime time.Time
	// Provision says that users of this issuer who are not known here may be
	// made.
	Provision bool
}

// Issuers verifies tokens. It is safe for concurrent use. Close it.
type Issuers struct {
	log      *slog.Logger
	verifier *token.Verifier
	known    map[string]issuer
	keys     []*token.Remote
	lines    []string
}

// Open returns the issuers of a Config that Load gave. Keys are not asked for
// before the first token. It fails on certificate authorities that cannot be
// read. A Config without issuers is an error: nothing could be exchanged.
func Open(cfg Config, log *slog.Logger, now func() time.Time) (*Issuers, error) {
	is := &Issuers{log: log, known: make(map[string]issuer, len(cfg.issuers))}
	profiles := make([]token.Profile, 0, len(cfg.issuers))
	for _, i := range cfg.issuers {
		keys, err := i.keys.Open(log.With(slog.String("issuer", i.name)))
		if err != nil {
			is.closeKeys()
			return nil, fmt.Errorf("keys of the external issuer %s: %w", i.name, err)
		}
		is.keys = append(is.keys, keys)
		is.known[i.name] = i
		profiles = append(profiles, i.profile(keys))
		is.lines = append(is.lines, i.describe())
	}
	var err error
	// An exchange is rare and opens a session, so it is judged with the keys of
	// the moment and not by what was once believed.
	if is.verifier, err = (token.Options{Uncached: true, Now: now}).NewVerifier(profiles...); err != nil {
		is.closeKeys()
		return nil, fmt.Errorf("tokens of external issuers: %w", err)
	}
	slices.Sort(is.lines)
	return is, nil
}

// Verify returns what raw says. The error is ErrRefused or ErrUnavailable. It
// blocks only while the keys of the issuer have to be fetched, bounded by ctx.
// Why a token is refused is in the log; whoever presents it is not told.
func (is *Issuers) Verify(ctx context.Context, raw string) (Claim, error) {
	claim, err := is.verify(ctx, raw)
	if errors.Is(err, ErrRefused) {
		is.log.LogAttrs(ctx, slog.LevelInfo, "external token refused", slog.String("error", err.Error()))
	}
	return claim, err
}

func (is *Issuers) verify(ctx context.Context, raw string) (Claim, error) {
	id, err := is.verifier.Verify(ctx, raw)
	switch {
	case errors.Is(err, token.ErrKeysUnavailable):
		return Claim{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return Claim{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	from := is.known[id.Issuer]
	if from.requireSID && id.SessionID == "" {
		return Claim{}, fmt.Errorf("%w: no sid", ErrRefused)
	}
	return Claim{
		Issuer: id.Issuer, Subject: id.Subject, SessionID: id.SessionID,
		AuthTime: id.AuthTime, Provision: from.provision,
	}, nil
}

// Close ends what runs for the issuers and waits for it.
func (is *Issuers) Close() {
	is.verifier.Close()
	is.closeKeys()
}

func (is *Issuers) closeKeys() {
	for _, k := range is.keys {
		k.Close()
	}
}

// Describe lists the issuers, one per line and ordered, for --check: what their
// tokens must be like, where the keys come from, and whether users are made.
func (is *Issuers) Describe() string { return strings.Join(is.lines, "\n") }
