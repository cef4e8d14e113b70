package postgres

import (
	"os"
	"path/filepath"
	"strconv"
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
		"listen_addresses=127.0.0.1",
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
