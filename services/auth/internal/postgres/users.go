package postgres

import (
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// userColumns are those of userRow.
const userColumns = `id, email, roles, active, created_at, updated_at`

type userRow struct {
	ID        uuid.UUID
	Email     string
	Roles     []string
	Active    bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

func (r userRow) user() account.User { return account.User(r) }

// epochRow is a user with the epoch of the same row version.
type epochRow struct {
	userRow

	Epoch int64
}

// lockUserSQL waits for logins that are under way, whose sessions count, and
// lets later ones wait.
const lockUserSQL = `SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE`
