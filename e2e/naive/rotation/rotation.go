// Package rotation is refresh-token rotation as many tutorials write it: the
// hash of the current token is stored, a refresh replaces it, and any other
// token ends the session as stolen. Two tabs that refresh at the same moment
// log their own user out.
package rotation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrReuse says that the token is not the current one; the session is gone.
var ErrReuse = errors.New("refresh token reused: session ended")

// Store keeps one row per session.
type Store struct{ pool *pgxpool.Pool }

// New creates the table and returns a store.
func New(ctx context.Context, pool *pgxpool.Pool) (*Store, error) {
	_, err := pool.Exec(ctx, `DROP TABLE IF EXISTS naive_sessions;
		CREATE TABLE naive_sessions (id text PRIMARY KEY, hash bytea NOT NULL)`)
	if err != nil {
		return nil, fmt.Errorf("create table: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Open makes a session and returns its first refresh token.
func (s *Store) Open(ctx context.Context, session string) (string, error) {
	token := rand.Text()
	if _, err := s.pool.Exec(ctx, "INSERT INTO naive_sessions VALUES ($1, $2)", session, hash(token)); err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	return token, nil
}

// Refresh replaces the token: it reads, compares, then writes.
func (s *Store) Refresh(ctx context.Context, session, token string) (string, error) {
	var current []byte
	err := s.pool.QueryRow(ctx, "SELECT hash FROM naive_sessions WHERE id = $1", session).Scan(&current)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrReuse
	}
	if err != nil {
		return "", fmt.Errorf("read session: %w", err)
	}
	if string(current) != string(hash(token)) {
		if _, err := s.pool.Exec(ctx, "DELETE FROM naive_sessions WHERE id = $1", session); err != nil {
			return "", fmt.Errorf("end session: %w", err)
		}
		return "", ErrReuse
	}
	next := rand.Text()
	if _, err := s.pool.Exec(ctx, "UPDATE naive_sessions SET hash = $2 WHERE id = $1", session, hash(next)); err != nil {
		return "", fmt.Errorf("rotate: %w", err)
	}
	return next, nil
}

// Alive tells whether the session still exists.
func (s *Store) Alive(ctx context.Context, session string) (bool, error) {
	var alive bool
	err := s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM naive_sessions WHERE id = $1)", session).Scan(&alive)
	if err != nil {
		return false, fmt.Errorf("read session: %w", err)
	}
	return alive, nil
}

func hash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}
