package server

import (
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// The flags decide about the limits and the figures of the chain, and --check
// says what they decided.
func TestTheFlagsOfAServiceReachItsChain(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"the defaults": {nil, []string{
			"metrics         off", "address-rate    20000/s, burst 20000, per client network",
			"identity-rate   5000/s, burst 5000, per issuer and subject; services are not limited",
		}},
		"limits that are off": {[]string{"--address-rate=0", "--identity-rate=0"}, []string{"address-rate    off", "identity-rate   off"}},
		"limits of one's own": {[]string{"--address-rate=0.5", "--identity-rate=7"}, []string{"address-rate    0.5/s, burst 1", "identity-rate   7/s, burst 7"}},
		"figures":             {[]string{"--telemetry=otlp"}, []string{"metrics         calls, refusals by reason, durations, calls that run"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &config{}
			cmd := command(c)
			cmd.Check = func(w io.Writer) error {
				chain, err := NewChain(nil, &c.Settings, chainConfig(t))
				if err != nil {
					return err
				}
				_, err = io.WriteString(w, chain.Describe())
				return err
			}
			var out bytes.Buffer
			if code := run(cmd, append([]string{"--check", "--keyset-file", "x"}, test.args...), nil, &out, &out); code != exitOK {
				t.Fatalf("exit status %d: %s", code, out.String())
			}
			for _, line := range test.want {
				if !strings.Contains(out.String(), line) {
					t.Errorf("%q is not in:\n%s", line, out.String())
				}
			}
		})
	}
}

func TestALimitThatMakesNoSenseIsUsage(t *testing.T) {
	var out bytes.Buffer
	if code := run(command(&config{}), []string{"--check", "--keyset-file", "x", "--identity-rate=-1"}, nil, &out, &out); code != exitUsage {
		t.Errorf("exit status %d: %s", code, out.String())
	}
}

// The HTTP edge calls through memory: the address that counts is its client's.
func TestAnAddressIsLimitedAtTheEdgeToo(t *testing.T) {
	bound := serve(t, &Settings{AddressRate: 0.001})
	for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
		if code, body := get(t, http.DefaultClient, http.MethodGet, "http://"+bound.HTTP+"/auth/v1/jwks"); code != want {
			t.Errorf("call %d: %d %s", i, code, body)
		}
	}
}

func TestClientsOfATrustedProxyAreLimitedEachAtTheEdge(t *testing.T) {
	bound := serve(t, &Settings{AddressRate: 0.001, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, client := range []string{"198.51.100.1", "198.51.100.2"} {
		for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+bound.HTTP+"/auth/v1/jwks", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Forwarded-For", client)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("call %d of %s: %d", i, client, res.StatusCode)
			}
		}
	}
}
