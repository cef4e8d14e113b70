package otlp

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// transport is the TLS of a signal, with the files that the environment names; nil if it names none. The exporters would read
// them once, and go on without those that they cannot read.
func transport(signal string, log *slog.Logger) (credentials.TransportCredentials, error) {
	env := func(name string) string {
		return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_"+strings.ToUpper(signal)+"_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
	}
	paths := certfile.Paths{Cert: env("CLIENT_CERTIFICATE"), Key: env("CLIENT_KEY"), CA: env("CERTIFICATE")}
	if paths == (certfile.Paths{}) {
		return nil, nil //nolint:nilnil // No TLS of its own is a value here.
	}
	files, err := certfile.Open(paths, log)
	if err != nil {
		return nil, &lifecycle.UsageError{Err: fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY: %w", err)}
	}
	return files.Credentials(), nil
}
