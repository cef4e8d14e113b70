package kafkaconn

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// maxPassword bounds what is read of a password file.
const maxPassword = 4096

// password reads the password; a line end after it is not part of it. Errors
// never quote the content.
func (s *Settings) password() (string, error) {
	info, err := os.Stat(s.SASLPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--kafka-sasl-password-file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("--kafka-sasl-password-file %s is open to every user of the machine (mode %04o); set it to 0600 or 0640", s.SASLPasswordFile, mode)
	}
	if info.Size() > maxPassword {
		return "", fmt.Errorf("--kafka-sasl-password-file %s is longer than %d bytes", s.SASLPasswordFile, maxPassword)
	}
	content, err := os.ReadFile(s.SASLPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--kafka-sasl-password-file: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" {
		return "", fmt.Errorf("--kafka-sasl-password-file %s is empty", s.SASLPasswordFile)
	}
	return password, nil
}

// latest is what the file of the password said when it could last be used. Its
// methods may be called concurrently.
type latest struct {
	settings *Settings
	log      *slog.Logger

	mu        sync.Mutex
	password  string // "" before the first one
	complaint string // what was logged about the file, "" if it is right
}

// get reads the file. What cannot be used, because somebody is writing it for
// example, is logged once, and what was there before is used.
func (l *latest) get() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch password, err := l.settings.password(); {
	case err == nil:
		if l.complaint != "" {
			l.log.Info("the password for Kafka can be used again")
		}
		l.password, l.complaint = password, ""
	case l.password == "":
		return "", err
	case err.Error() != l.complaint:
		l.complaint = err.Error()
		l.log.Warn("the password for Kafka cannot be used, that of before is", "error", err)
	}
	return l.password, nil
}
