package auth

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// keyReader is how this process takes part in the rotation of keys.
type keyReader struct {
	name    signingkey.Reader
	revoked func(kid string) bool // by what this process has heard
}

// keyReader of a process that follows the feed: it signs nothing with a key that
// it refuses itself.
func (r *revocation) keyReader(issuer string) keyReader {
	return keyReader{name: r.reader, revoked: func(kid string) bool {
		return r.watcher.Check(&identity.Identity{Issuer: issuer, KeyID: kid}).Revoked
	}}
}

// passingKeyReader is a process that signs nothing.
func passingKeyReader() keyReader {
	return keyReader{name: signingkey.Reader{Replica: "seed", Incarnation: rand.Text()}}
}

func openRing(ctx context.Context, log *slog.Logger, cfg *Config, store *postgres.Store, sealer signingkey.Sealer, reader keyReader) (*signingkey.Ring, error) {
	return signingkey.Open(ctx, signingkey.Config{
		Store: store, Sealer: sealer, Reader: reader.name, Clock: leaseclock.System(), Log: log,
		Announce: cfg.SigningKeyAnnounce, Rotation: cfg.SigningKeyRotation, Revoked: reader.revoked,
	})
}

// tendKeys keeps the keys fresh. The first time is at once: the standby is made
// by then, and can be known.
func tendKeys(rt *server.Runtime, ring *signingkey.Ring) {
	rt.Group.Every("signing keys", ring.Every(), ring.Every()/10, ring.Tend)
}
