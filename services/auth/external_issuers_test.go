package auth_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

func TestWhenAnExternalIssuerIsRevokedNothingOfItIsAdmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, other := newProvider(t, "https://id.example.com"), newProvider(t, "https://other.example.com")
	believed := w.believe(t, true, id, other)
	one, two := w.start(t, believed), w.start(t, believed)
	admin := as(t.Context(), w.administrator(t, one).GetAccessToken())
	stranger := one.exchange(t, other.token(t, "anna"))
	victims := []*authv1.ExchangeExternalTokenResponse{one.exchange(t, id.token(t, "anna")), two.exchange(t, id.token(t, "anna")), two.exchange(t, id.token(t, "bert"))}

	if _, err := one.admin.RevokeExternalIssuer(as(t.Context(), stranger.GetAccessToken()), &authv1.RevokeExternalIssuerRequest{Issuer: id.URL}); status.Reason(err) != "PERMISSION_DENIED" {
		t.Errorf("by a customer: %v", err)
	}
	for range 2 {
		done, err := two.admin.RevokeExternalIssuer(admin, &authv1.RevokeExternalIssuerRequest{Issuer: id.URL})
		if err != nil || done.GetEnded() != int64(len(victims)) || done.GetRevocation().GetAcked() != 2 {
			t.Fatalf("%v, %v", done, err)
		}
		if i := done.GetExternalIssuer(); !i.GetConfigured() || i.GetRevokeTime() == nil || i.GetLiveSessions() != 0 || time.Until(i.GetRefuseUntil().AsTime()) < 6*24*time.Hour {
			t.Errorf("%v", i)
		}
		for _, r := range []*replica{one, two} {
			for _, gone := range victims {
				if err := r.me(t.Context(), gone.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
					t.Errorf("a token of a session: %v", err)
				}
				if _, err := r.refresh(t, gone.GetRefreshToken()); status.Reason(err) != "SESSION_REVOKED" {
					t.Errorf("its refresh: %v", err)
				}
			}
			for _, subject := range []string{"anna", "new"} {
				if _, err := r.tryExchange(t, id.token(t, subject)); status.Reason(err) != "EXTERNAL_TOKEN_INVALID" {
					t.Errorf("an exchange for %s: %v", subject, err)
				}
			}
			if err := r.me(t.Context(), stranger.GetAccessToken()); err != nil {
				t.Errorf("a session of another issuer: %v", err)
			}
		}
		victims = nil // the same again ends nothing
	}
	rule := query[int](t, w, `SELECT count(*) FROM revocation_rules WHERE kind = 'issuer' AND issuer = $1`, id.URL)
	if rule != 1 {
		t.Errorf("%d rules about the issuer's own tokens", rule)
	}

	accepted, err := one.admin.AcceptExternalIssuer(admin, &authv1.AcceptExternalIssuerRequest{Issuer: id.URL})
	if err != nil || accepted.GetExternalIssuer().GetRevokeTime() != nil || accepted.GetExternalIssuer().GetRefuseUntil() == nil {
		t.Errorf("%v, %v", accepted, err)
	}
	if err := two.me(t.Context(), two.exchange(t, id.token(t, "anna")).GetAccessToken()); err != nil {
		t.Errorf("a session of afterwards: %v", err)
	}
	list, err := two.admin.ListExternalIssuers(admin, &authv1.ListExternalIssuersRequest{})
	if err != nil || len(list.GetExternalIssuers()) != 2 || list.GetExternalIssuers()[0].GetLiveSessions() != 1 || list.GetExternalIssuers()[1].GetIssuer() != other.URL {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAnIssuerIsRevokedByItsNameAndNeverOurOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(t)
	root := w.administrator(t, r)
	admin := as(t.Context(), root.GetAccessToken())
	for _, c := range []struct {
		issuer  string
		missing bool
		code    codes.Code
		reason  string
	}{
		{"https://id.example.com", false, codes.NotFound, "EXTERNAL_ISSUER_NOT_FOUND"},
		{"https://id.example.com", true, codes.OK, ""},
		{"https://id.example.com", false, codes.OK, ""}, // known by now
		{"https://auth.curfew.dev", true, codes.InvalidArgument, "EXTERNAL_ISSUER_OWN"},
		{"", true, codes.InvalidArgument, "REQUEST_INVALID"},
		{"https://id.example.com\x00", true, codes.InvalidArgument, "REQUEST_INVALID"}, // no database holds that
	} {
		_, err := r.admin.RevokeExternalIssuer(admin, &authv1.RevokeExternalIssuerRequest{Issuer: c.issuer, AllowMissing: c.missing})
		if status.Code(err) != c.code || status.Reason(err) != c.reason {
			t.Errorf("%q, missing %t: %v", c.issuer, c.missing, err)
		}
	}
	if _, err := r.admin.AcceptExternalIssuer(admin, &authv1.AcceptExternalIssuerRequest{Issuer: "https://elsewhere.example.com"}); status.Reason(err) != "EXTERNAL_ISSUER_NOT_FOUND" {
		t.Errorf("accept: %v", err)
	}
	if err := r.me(t.Context(), root.GetAccessToken()); err != nil {
		t.Errorf("our own tokens: %v", err)
	}
	w.exec(t, `UPDATE sessions SET auth_time = now() - interval '1 hour', rotated_at = rotated_at - interval '1 minute', handed_at = handed_at - interval '1 minute'`)
	old, err := r.refresh(t, root.GetRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.RevokeExternalIssuer(as(t.Context(), old.GetAccessToken()), &authv1.RevokeExternalIssuerRequest{Issuer: "https://id.example.com"}); status.Reason(err) != "STEP_UP_REQUIRED" {
		t.Errorf("after an hour: %v", err)
	}
}

// When RevokeExternalIssuer has returned nothing is left of exchanges that
// overlapped it.
func TestAnExchangeThatOverlapsRevokeExternalIssuerLeavesNothing(t *testing.T) {
	t.Parallel()
	w, id, replicas := raced(t, true)
	admin := as(t.Context(), w.administrator(t, replicas[0]).GetAccessToken())
	token := id.token(t, "anna")
	for round := range overlaps() {
		opened := exchanges(t, 6, replicas, token, func() {
			if _, err := replicas[round%2].admin.RevokeExternalIssuer(admin, &authv1.RevokeExternalIssuerRequest{Issuer: id.URL}); err != nil {
				t.Error(err)
			}
		}, "EXTERNAL_TOKEN_INVALID")
		nothingLeft(t, w, replicas, round, opened)
		if _, err := replicas[0].admin.AcceptExternalIssuer(admin, &authv1.AcceptExternalIssuerRequest{Issuer: id.URL}); err != nil {
			t.Fatal(err)
		}
	}
}
