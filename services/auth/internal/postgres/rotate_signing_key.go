package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// Rotate implements account.Store.
func (s *Store) Rotate(ctx context.Context, expected string, announce time.Duration) (primary signingkey.Key, err error) {
	err = s.transact(ctx, "rotate signing key", func(tx pgx.Tx) error {
		keys, err := s.lockKeys(ctx, tx, announce, 0)
		if err != nil {
			return err
		}
		old, ok := keys.in(signingkey.Primary)
		if ok && expected != "" && old.ID != expected {
			primary = old.key()
			return nil
		}
		next, err := keys.next()
		if err != nil {
			return err
		}
		if err := promote(ctx, tx, next.ID); err != nil {
			return err
		}
		primary, err = oneKey(ctx, tx, next.ID)
		return err
	})
	return primary, err
}

// RotateAfter implements signingkey.Store.
func (s *Store) RotateAfter(ctx context.Context, age, announce time.Duration) (rotated bool, err error) {
	err = s.transact(ctx, "rotate signing key by age", func(tx pgx.Tx) error {
		keys, err := s.lockKeys(ctx, tx, announce, age)
		if err != nil {
			return err
		}
		if primary, ok := keys.in(signingkey.Primary); !ok || !primary.Old {
			return nil
		}
		next, err := keys.next()
		if errors.Is(err, signingkey.ErrNotReady) {
			return nil
		}
		if err != nil {
			return err
		}
		rotated = true
		return promote(ctx, tx, next.ID)
	})
	return rotated && err == nil, err
}
