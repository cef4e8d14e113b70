package auth_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
	"github.com/curfew-platform/curfew/services/auth/internal/cluster/clustertest"
)

// pods are a cluster whose account curfew/orders is services/orders.
type pods struct {
	*clustertest.Cluster

	server *httptest.Server
	down   atomic.Bool
	ca     string
}

func newPods(t *testing.T) *pods {
	t.Helper()
	p := &pods{Cluster: clustertest.New(t), ca: filepath.Join(t.TempDir(), "ca.crt")}
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if p.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(p.JWKS())
	}))
	t.Cleanup(p.server.Close)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	if err := os.WriteFile(p.ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pods) configure(cfg *auth.Config) {
	cfg.Cluster = auth.ClusterSettings{
		Issuer: clustertest.Issuer, JWKSURL: p.server.URL + "/openid/v1/jwks", CAFile: p.ca, Accounts: []string{"curfew/orders"},
	}
}

func TestAPodGetsATokenForItsServiceAccountAgainAndAgain(t *testing.T) {
	w, p := newWorld(t), newPods(t)
	own := w.service(t, "logproc") // services with keys beside it
	r := w.start(t, p.configure)
	req := &authv1.IssueServiceTokenRequest{Assertion: p.Token(t, "curfew", "orders", "https://auth.curfew.dev")}
	tokens := map[string]bool{}
	for range 2 {
		issued, err := r.auth.IssueServiceToken(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(issued.GetAccessExpiresAt().AsTime()); left > 5*time.Minute || left < 4*time.Minute {
			t.Errorf("the token lives %v", left)
		}
		tokens[issued.GetAccessToken()] = true
		me, err := r.token.IntrospectToken(as(t.Context(), issued.GetAccessToken()), &authv1.IntrospectTokenRequest{Token: issued.GetAccessToken()})
		if err != nil || me.GetPrincipal() != "services/orders" {
			t.Errorf("introspection = %v, %v", me, err)
		}
	}
	if len(tokens) != 2 {
		t.Error("two exchanges gave one token")
	}
	assertion, err := own.Sign(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.auth.IssueServiceToken(t.Context(), &authv1.IssueServiceTokenRequest{Assertion: string(assertion)}); err != nil {
		t.Errorf("a service with a key: %v", err)
	}
}

func TestATokenOfTheClusterThatIsNotAServicesIsRefused(t *testing.T) {
	w, p := newWorld(t), newPods(t)
	with, without := w.start(t, p.configure), w.start(t)
	for what, raw := range map[string]string{
		"another account":    p.Token(t, "curfew", "default", "https://auth.curfew.dev"),
		"another namespace":  p.Token(t, "default", "orders", "https://auth.curfew.dev"),
		"for the API server": p.Token(t, "curfew", "orders", clustertest.Issuer),
		"of another cluster": clustertest.New(t).Token(t, "curfew", "orders", "https://auth.curfew.dev"),
	} {
		_, err := with.auth.IssueServiceToken(t.Context(), &authv1.IssueServiceTokenRequest{Assertion: raw})
		if status.Reason(err) != "ASSERTION_INVALID" || strings.Contains(err.Error(), raw) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A service that was told of no cluster believes none.
	raw := p.Token(t, "curfew", "orders", "https://auth.curfew.dev")
	if _, err := without.auth.IssueServiceToken(t.Context(), &authv1.IssueServiceTokenRequest{Assertion: raw}); status.Reason(err) != "ASSERTION_INVALID" {
		t.Errorf("without a cluster: %v", err)
	}
}

func TestAClusterThatShowsNoKeysIsAnOutageAndNoRefusal(t *testing.T) {
	w, p := newWorld(t), newPods(t)
	p.down.Store(true)
	r := w.start(t, p.configure)
	req := &authv1.IssueServiceTokenRequest{Assertion: p.Token(t, "curfew", "orders", "https://auth.curfew.dev")}
	_, err := r.auth.IssueServiceToken(t.Context(), req)
	if grpcstatus.Code(err) != codes.Unavailable || status.Reason(err) != "KEYS_UNAVAILABLE" {
		t.Errorf("err = %v", err)
	}
}

func TestTheSettingsOfAClusterBelongTogether(t *testing.T) {
	w := newWorld(t)
	for what, c := range map[string]auth.ClusterSettings{
		"no issuer":            {Accounts: []string{"curfew/orders"}},
		"no keys":              {Issuer: clustertest.Issuer, Accounts: []string{"curfew/orders"}},
		"no accounts":          {Issuer: clustertest.Issuer, JWKSFile: "jwks.json"},
		"both sources":         {Issuer: clustertest.Issuer, JWKSFile: "jwks.json", JWKSURL: "https://kubernetes.default.svc/openid/v1/jwks", Accounts: []string{"curfew/orders"}},
		"a token for a file":   {Issuer: clustertest.Issuer, JWKSFile: "jwks.json", TokenFile: "token", Accounts: []string{"curfew/orders"}},
		"the service's issuer": {Issuer: "https://auth.curfew.dev", JWKSFile: "jwks.json", Accounts: []string{"curfew/orders"}},
	} {
		cmd := auth.Command()
		cfg := cmd.Config.(*auth.Config)
		w.config(cfg)
		cfg.RegisterRate = 1
		cfg.Cluster = c
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "--cluster") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
