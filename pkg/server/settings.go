package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
)

// telemetryOTLP is the value of --telemetry that turns it on.
const telemetryOTLP = "otlp"

// Settings are the flags that every service has. Kong reads them from the
// command line and from the environment (CURFEW_<SERVICE>_<FLAG>); secrets are
// paths of files. Embed the struct in a service's configuration.
type Settings struct {
	Listen       string `help:"Address of the gRPC listener; port 0 takes a free port." default:"127.0.0.1:0" placeholder:"HOST:PORT"`
	HTTPListen   string `name:"http-listen" help:"Address of the HTTP/JSON edge; empty turns it off." placeholder:"HOST:PORT"`
	HealthListen string `help:"Address that serves /livez and /readyz, with reasons, from the first moment to the last; empty turns it off." placeholder:"HOST:PORT"`
	AddrFile     string `help:"File to write the bound addresses to, as JSON, once the service is ready." type:"path"`

	TLSCert     string `name:"tls-cert" help:"Certificate chain of the listeners (PEM). It, its key and --tls-client-ca are read again for each connection." type:"path"`
	TLSKey      string `name:"tls-key" help:"Private key of the certificate (PEM), which only this service may read." type:"path"`
	TLSClientCA string `name:"tls-client-ca" help:"Certificates that client certificates must chain to (PEM); turns on mutual TLS." type:"path"`
	Insecure    bool   `help:"Allow plaintext on addresses other than loopback."`
	Reflection  bool   `help:"Serve gRPC reflection." negatable:""`

	// The limits are far above what a person or a busy client does; they stop loops and floods.
	AddressRate    float64        `help:"Calls per second that one network address (of IPv6: one /64) may make of this replica, after a burst of as many; 0 is no limit." default:"20000"`
	IdentityRate   float64        `help:"Calls per second that one user may make of this replica, after a burst of as many; 0 is no limit. Services are not limited." default:"5000"`
	TrustedProxies []netip.Prefix `help:"Networks of proxies that append to X-Forwarded-For whom they forward from; the client is the nearest hop outside of them." default:"127.0.0.0/8,::1/128"`

	StartTimeout time.Duration `help:"How long the start may take before it fails." default:"1m"`

	Grace       time.Duration `help:"Time from SIGTERM to SIGKILL; the same value as terminationGracePeriodSeconds." default:"30s"`
	PreStop     time.Duration `help:"Part of the grace that the pod's preStop sleep uses up." default:"0s"`
	Propagation time.Duration `help:"How long clients may still be sent here after readiness turned false." default:"0s"`

	TerminationMessage string `help:"File for the stop report, for kubectl describe pod." type:"path"`

	Telemetry string `help:"Where traces, metrics and logs go: off, or otlp for the collector that the variables OTEL_EXPORTER_OTLP_* name (gRPC)." default:"off" enum:"off,otlp"`

	LogLevel        slog.Level `help:"Lowest level that is logged: debug, info, warn or error." default:"info"`
	LogKafkaBrokers []string   `help:"Brokers to ship log lines to; empty ships nothing." placeholder:"HOST:PORT"`
	LogKafkaTopic   string     `help:"Topic of the shipped log lines." default:"logs"`

	Kafka kafkaconn.Settings `embed:"" prefix:"kafka-"`
}

// Validate returns everything that is wrong with the settings.
func (s *Settings) Validate() error {
	errs := []error{s.checkAddress("--listen", s.Listen, false), s.Kafka.Validate(), s.checkTLS()}
	if s.HTTPListen != "" {
		errs = append(errs, s.checkAddress("--http-listen", s.HTTPListen, false))
	}
	if s.HealthListen != "" {
		errs = append(errs, s.checkAddress("--health-listen", s.HealthListen, true))
	}
	if s.AddrFile != "" {
		errs = append(errs, checkAddrFile(s.AddrFile))
	}
	if rates := s.rates(); rates.Address.Check() != nil {
		errs = append(errs, fmt.Errorf("--address-rate %v: want 0, or up to a million", s.AddressRate))
	} else if rates.Identity.Check() != nil {
		errs = append(errs, fmt.Errorf("--identity-rate %v: want 0, or up to a million", s.IdentityRate))
	} else if err := rates.Check(); err != nil {
		errs = append(errs, fmt.Errorf("--trusted-proxies: %w", err))
	}
	if len(s.LogKafkaBrokers) > 0 {
		if err := kafkaconn.CheckTopic(s.LogKafkaTopic); err != nil {
			errs = append(errs, fmt.Errorf("--log-kafka-topic %w", err))
		}
	}
	if s.Grace <= 0 {
		errs = append(errs, fmt.Errorf("--grace must be positive, got %v", s.Grace))
	}
	return errors.Join(errs...)
}

// checkAddress finds what no machine can listen on. What is open to nobody, or
// says nothing worth hiding, needs no TLS.
func (s *Settings) checkAddress(flag, addr string, open bool) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %q: expected host:port", flag, addr)
	}
	if _, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", port); err != nil {
		return fmt.Errorf("%s %q: %q is no port", flag, addr, port)
	}
	if !open && s.TLSCert == "" && !s.Insecure && !loopback(addr) {
		return fmt.Errorf("%s %s is not loopback: set --tls-cert and --tls-key, or --insecure", flag, addr)
	}
	return nil
}

func (s *Settings) checkTLS() error {
	switch {
	case (s.TLSCert == "") != (s.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case s.TLSCert == "" && s.TLSClientCA != "":
		return errors.New("--tls-client-ca needs --tls-cert")
	case s.TLSCert == "":
		return nil
	}
	if err := s.certificates().Check(); err != nil {
		return fmt.Errorf("--tls-cert, --tls-key and --tls-client-ca: %w", err)
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
