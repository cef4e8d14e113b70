package database

import (
	"sync"

	"github.com/jackc/pgx/v5"
)

// latest is what the files of a source said when they could last be used. Its
// methods may be called concurrently.
type latest struct {
	source Source

	mu        sync.Mutex
	config    *pgx.ConnConfig
	complaint string // what was logged about the files, "" if they are right
}

// set reads the files. What cannot be used, because it is half written for
// example, is logged once, and what was there before is used.
func (l *latest) set(c *pgx.ConnConfig) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch cfg, err := l.source.parse(""); {
	case err == nil:
		if l.complaint != "" {
			l.source.Log.Info("the database URL can be used again")
		}
		l.config, l.complaint = cfg.ConnConfig, ""
	case err.Error() != l.complaint:
		l.complaint = err.Error()
		l.source.Log.Warn("the database URL cannot be used, that of before is", "error", err)
	}
	now := l.config.Copy() // TLS settings and fallbacks are not for two connections
	c.Host, c.Port, c.Database, c.User, c.Password = now.Host, now.Port, now.Database, now.User, now.Password
	c.TLSConfig, c.SSLNegotiation, c.Fallbacks = now.TLSConfig, now.SSLNegotiation, now.Fallbacks
}
