package signingkey

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Bounds of the pause between two calls of Tend.
const (
	leastEvery = 100 * time.Millisecond
	mostEvery  = Lease / 5
)

// Every is how often to Tend: several times within Lease, and often enough to
// notice when a key has been announced for long enough.
func (r *Ring) Every() time.Duration {
	return min(max(r.cfg.Announce/10, leastEvery), mostEvery)
}

// Tend keeps what this replica knows fresh, makes the next standby, notes when
// everybody knows it, and rotates when the primary is old. Each replica does it;
// the store lets one decide.
func (r *Ring) Tend(ctx context.Context) error {
	if err := r.Refresh(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	if !r.set.Load().standby {
		candidate, err := generate(r.cfg.Sealer)
		if err != nil {
			return err
		}
		if err := r.cfg.Store.EnsureStandby(ctx, candidate); err != nil {
			return fmt.Errorf("make the next signing key: %w", err)
		}
		return r.Refresh(ctx)
	}
	if err := r.cfg.Store.NoteKnown(ctx); err != nil {
		return fmt.Errorf("next signing key: %w", err)
	}
	if r.cfg.Rotation <= 0 {
		return nil
	}
	rotated, err := r.cfg.Store.RotateAfter(ctx, r.cfg.Rotation, r.cfg.Announce)
	if err != nil {
		return fmt.Errorf("rotate signing key: %w", err)
	}
	if !rotated {
		return nil
	}
	r.cfg.Log.InfoContext(ctx, "signing key rotated by age", slog.Duration("age", r.cfg.Rotation))
	return r.Refresh(ctx)
}
