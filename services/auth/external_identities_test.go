package auth_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

func TestStaffLinkSubjectsToUsersAndUnlinkingEndsWhatCameByIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	believed := w.believe(t, false, id)
	one, two := w.start(t, believed), w.start(t, believed)
	admin := as(t.Context(), w.administrator(t, one).GetAccessToken())
	anna, bert := one.register(t, "anna@example.com"), one.register(t, "bert@example.com")
	token, own := id.token(t, "anna|1"), two.login(t, "anna@example.com")
	for _, c := range []struct {
		name, issuer, subject string
		reason                string
	}{
		{anna, id.URL, "anna|1", ""},
		{anna, id.URL, "anna|1", ""}, // again
		{bert, id.URL, "anna|1", "EXTERNAL_IDENTITY_TAKEN"},
		{bert, id.URL + "/", "bert", "EXTERNAL_ISSUER_NOT_FOUND"},
		{"users/00000000-0000-7000-8000-000000000000", id.URL, "nobody", "USER_NOT_FOUND"},
		{bert, id.URL, "", "REQUEST_INVALID"},
		{bert, id.URL, "be rt", "REQUEST_INVALID"},
	} {
		_, err := one.admin.LinkExternalIdentity(admin, &authv1.LinkExternalIdentityRequest{Name: c.name, Issuer: c.issuer, Subject: c.subject})
		if status.Reason(err) != c.reason {
			t.Errorf("%s %s %q: %v", c.name, c.issuer, c.subject, err)
		}
	}
	in := two.exchange(t, token)
	if in.GetUser().GetName() != anna {
		t.Errorf("%v", in.GetUser())
	}
	if _, err := two.admin.LinkExternalIdentity(as(t.Context(), in.GetAccessToken()), &authv1.LinkExternalIdentityRequest{Name: anna, Issuer: id.URL, Subject: "x"}); status.Reason(err) != "PERMISSION_DENIED" {
		t.Errorf("by a customer: %v", err)
	}
	list, err := two.admin.ListExternalIdentities(admin, &authv1.ListExternalIdentitiesRequest{Parent: anna})
	if err != nil || len(list.GetExternalIdentities()) != 1 || list.GetExternalIdentities()[0].GetSubject() != "anna|1" {
		t.Errorf("%v, %v", list, err)
	}

	request := &authv1.UnlinkExternalIdentityRequest{Name: anna, Issuer: id.URL, Subject: "anna|1"}
	done, err := one.admin.UnlinkExternalIdentity(admin, request)
	if err != nil || !done.GetUnlinked() || done.GetEnded() != 1 || done.GetRevocation().GetAcked() != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	for _, r := range []*replica{one, two} {
		if err := r.me(t.Context(), in.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
			t.Errorf("a token of the link: %v", err)
		}
		if err := r.me(t.Context(), own.GetAccessToken()); err != nil {
			t.Errorf("a session by password: %v", err)
		}
		if _, err := r.tryExchange(t, token); status.Reason(err) != "EXTERNAL_USER_UNKNOWN" {
			t.Errorf("an exchange: %v", err)
		}
	}
	if again, err := two.admin.UnlinkExternalIdentity(admin, request); err != nil || again.GetUnlinked() || again.GetRevocation().GetSeq() != done.GetRevocation().GetSeq() {
		t.Errorf("again: %v, %v", again, err)
	}
	request.Name = "users/00000000-0000-7000-8000-000000000000"
	if _, err := one.admin.UnlinkExternalIdentity(admin, request); status.Code(err) != codes.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

// When UnlinkExternalIdentity has returned nothing is left of exchanges that
// overlapped it.
func TestAnExchangeThatOverlapsUnlinkingLeavesNothing(t *testing.T) {
	t.Parallel()
	w, id, replicas := raced(t, false)
	admin := as(t.Context(), w.administrator(t, replicas[0]).GetAccessToken())
	name, token := replicas[0].register(t, "anna@example.com"), id.token(t, "anna")
	for round := range overlaps() {
		if _, err := replicas[1].admin.LinkExternalIdentity(admin, &authv1.LinkExternalIdentityRequest{Name: name, Issuer: id.URL, Subject: "anna"}); err != nil {
			t.Fatal(err)
		}
		opened := exchanges(t, 6, replicas, token, func() {
			if _, err := replicas[round%2].admin.UnlinkExternalIdentity(admin, &authv1.UnlinkExternalIdentityRequest{Name: name, Issuer: id.URL, Subject: "anna"}); err != nil {
				t.Error(err)
			}
		}, "EXTERNAL_USER_UNKNOWN")
		nothingLeft(t, w, replicas, round, opened)
	}
}
