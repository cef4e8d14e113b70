// Package migrations is the schema of logproc's database, step by step.
package migrations

import "embed"

// FS holds the goose migrations.
//
//go:embed *.sql
var FS embed.FS
