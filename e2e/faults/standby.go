package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// Demote restarts the database as a standby: it answers what it knows, and
// nobody can write. RestorePrimary undoes it.
func (i *Installation) Demote(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, i.cluster.URL("postgres"))
	if err != nil {
		return fmt.Errorf("demote: %w", err)
	}
	var data string
	err = conn.QueryRow(ctx, "SHOW data_directory").Scan(&data)
	if _ = conn.Close(ctx); err != nil {
		return fmt.Errorf("demote: %w", err)
	}
	i.signal = filepath.Join(data, "standby.signal")
	if err := i.cluster.Stop(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(i.signal, nil, 0o644); err != nil { //nolint:gosec // PostgreSQL runs as another user.
		return fmt.Errorf("demote: %w", err)
	}
	return i.startDatabase(ctx)
}

// RestorePrimary makes the standby the primary that it was.
func (i *Installation) RestorePrimary(ctx context.Context) error {
	if err := os.Remove(i.signal); err != nil {
		return fmt.Errorf("make it the primary: %w", err)
	}
	return i.RestartDatabase(ctx, false)
}
