package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// settings are passed on the command line, so that the same data folder can be
// started with others later.
func (c *Cluster) settings() []string {
	connections := c.config.Connections
	if connections == 0 {
		connections = 200
	}
	values := []string{
		"port=" + strconv.Itoa(c.config.Port),
		"listen_addresses=" + c.host(),
		// A socket's path may be too long below a deep state folder.
		"unix_socket_directories=",
		"max_connections=" + strconv.Itoa(connections),
		"shared_buffers=128MB",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_line_prefix=%m [%p] %u@%d ",
		// Values of statements may hold personal data.
		"log_parameter_max_length=0",
		"log_parameter_max_length_on_error=0",
	}
	if c.hasStatements() {
		values = append(values, "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all")
	}
	if !c.config.Durable {
		values = append(values,
			"fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"max_wal_size=4GB", "checkpoint_timeout=1h", "autovacuum_naptime=10min")
	}
	if c.config.Host != "" {
		values = append(values, "hba_file="+c.admission())
	}
	args := []string{"-D", c.data()}
	for _, value := range values {
		args = append(args, "-c", value)
	}
	return args
}

// hasStatements tells whether the installation holds the pg_stat_statements
// library, which counts the statements of a request in tests.
func (c *Cluster) hasStatements() bool {
	prefix := filepath.Dir(c.binaries.Dir)
	for _, dir := range []string{"lib", "lib/postgresql"} {
		for _, suffix := range []string{".so", ".dylib"} {
			if _, err := os.Stat(filepath.Join(prefix, dir, "pg_stat_statements"+suffix)); err == nil {
				return true
			}
		}
	}
	return false
}

// admission is the file that says who may log in from where, in place of
// initdb's, which knows loopback only.
func (c *Cluster) admission() string { return filepath.Join(c.home, "admission.conf") }

// everybody may log in to every database from everywhere, with a password.
var everybody = strings.Join([]string{"host", "all", "all", "all", "scram-sha-256"}, " ") + "\n"

func (c *Cluster) admit() error {
	if c.config.Host == "" {
		return nil
	}
	if err := os.WriteFile(c.admission(), []byte(everybody), 0o600); err != nil {
		return fmt.Errorf("say who may log in: %w", err)
	}
	return c.account.Own(c.home)
}
