package auth_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// administrator makes a user an admin behind the service's back and logs in.
func (w *world) administrator(t *testing.T, r *replica) *authv1.LoginResponse {
	t.Helper()
	r.register(t, "root@example.com")
	w.exec(t, `UPDATE users SET roles = '{admin}' WHERE email = 'root@example.com'`)
	return r.login(t, "root@example.com")
}

func TestEveryRevokingCallIsInForceAtEveryReplicaWhenItReturns(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t), w.start(t)
	root := w.administrator(t, one)
	admin := as(t.Context(), root.GetAccessToken())
	name := one.register(t, "anna@example.com")

	logout := func(victim *authv1.LoginResponse) (*revocationv1.Receipt, error) {
		resp, err := two.auth.Logout(as(t.Context(), victim.GetAccessToken()), &authv1.LogoutRequest{})
		return resp.GetRevocation(), err
	}
	revokeSession := func(victim *authv1.LoginResponse) (*revocationv1.Receipt, error) {
		resp, err := one.account.RevokeSession(as(t.Context(), victim.GetAccessToken()), &authv1.RevokeSessionRequest{Name: victim.GetSession()})
		return resp.GetRevocation(), err
	}
	setRoles := func(*authv1.LoginResponse) (*revocationv1.Receipt, error) {
		resp, err := two.admin.SetUserRoles(admin, &authv1.SetUserRolesRequest{Name: name, Roles: []string{"operator", "customer"}})
		return resp.GetRevocation(), err
	}
	deactivate := func(*authv1.LoginResponse) (*revocationv1.Receipt, error) {
		resp, err := one.admin.DeactivateUser(admin, &authv1.DeactivateUserRequest{Name: name})
		return resp.GetRevocation(), err
	}
	for _, call := range []struct {
		name    string
		do      func(*authv1.LoginResponse) (*revocationv1.Receipt, error)
		refresh string // the reason of a refresh afterwards
	}{
		{"Logout", logout, "SESSION_REVOKED"},
		{"RevokeSession", revokeSession, "SESSION_REVOKED"},
		{"SetUserRoles", setRoles, ""},
		{"DeactivateUser", deactivate, "SESSION_REVOKED"},
	} {
		victim := two.login(t, "anna@example.com")
		receipt, err := call.do(victim)
		if err != nil {
			t.Fatalf("%s: %v", call.name, err)
		}
		if receipt.GetAcked() != 2 || receipt.GetExpired() != 0 {
			t.Errorf("%s: receipt %v", call.name, receipt)
		}
		for i, r := range []*replica{one, two} {
			if err := r.me(t.Context(), victim.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("%s, replica %d: %v", call.name, i+1, err)
			}
		}
		if _, err := two.refresh(t, victim.GetRefreshToken()); status.Reason(err) != call.refresh {
			t.Errorf("%s, refresh: %v", call.name, err)
		}
	}

	if _, err := one.auth.Login(t.Context(), &authv1.LoginRequest{Email: "anna@example.com", Password: password}); status.Reason(err) != "USER_DEACTIVATED" {
		t.Errorf("login of a deactivated user: %v", err)
	}
	if _, err := two.admin.ReactivateUser(admin, &authv1.ReactivateUserRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	back := one.login(t, "anna@example.com")
	if got := back.GetUser().GetRoles(); len(got) != 2 || got[0] != "customer" || got[1] != "operator" {
		t.Errorf("roles = %v", got)
	}
}

func TestADeadlineThatEndsFirstSaysThatTheRevocationIsCommitted(t *testing.T) {
	w := newWorld(t)
	r := w.start(t)
	r.register(t, "anna@example.com")
	caller, victim := r.login(t, "anna@example.com"), r.login(t, "anna@example.com")
	// A replica that died under a lease: nobody acknowledges for it.
	w.exec(t, `INSERT INTO revocation_engines (replica, incarnation, generation, watermark, watchers, lapsed, renewals, length, lease_until)
		VALUES ('dead', 'dead', (SELECT generation::text FROM revocation_head), 0, 1, 0, 1, interval '6 s', now() + interval '6 s')`)
	ctx, cancel := context.WithTimeout(as(t.Context(), caller.GetAccessToken()), 3*time.Second)
	defer cancel()
	_, err := r.account.RevokeSession(ctx, &authv1.RevokeSessionRequest{Name: victim.GetSession()})
	if status.Code(err) != codes.DeadlineExceeded || status.Reason(err) != "REVOCATION_PENDING" {
		t.Fatalf("err = %v", err)
	}
	metadata := status.Info(err).GetMetadata()
	if metadata["seq"] != "1" {
		t.Errorf("metadata = %v", metadata)
	}
	if by, err := time.Parse(time.RFC3339Nano, metadata["in_force_by"]); err != nil || by.After(time.Now().Add(7*time.Second)) {
		t.Errorf("in force by %v, %v", by, err)
	}
	receipt, err := r.revocation.AwaitRevocation(as(t.Context(), caller.GetAccessToken()), &revocationv1.AwaitRevocationRequest{Seq: 1})
	if err != nil || receipt.GetRevocation().GetExpired() != 1 {
		t.Errorf("AwaitRevocation = %v, %v", receipt, err)
	}
	if err := r.me(t.Context(), victim.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
		t.Errorf("the revoked token: %v", err)
	}
}

func TestTheFeedRefusesWhatCannotBeAndListsItsReplicas(t *testing.T) {
	w := newWorld(t)
	r := w.start(t)
	r.register(t, "anna@example.com")
	ctx := as(t.Context(), r.login(t, "anna@example.com").GetAccessToken())
	for _, seq := range []int64{0, -1} {
		if _, err := r.revocation.AwaitRevocation(ctx, &revocationv1.AwaitRevocationRequest{Seq: seq}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("position %d: %v", seq, err)
		}
	}
	// Else a revocation that comes later is certified before it is in force.
	for _, seq := range []int64{1, 1e15} {
		if _, err := r.revocation.AwaitRevocation(ctx, &revocationv1.AwaitRevocationRequest{Seq: seq}); status.Code(err) != codes.NotFound || status.Reason(err) != "SEQ_NOT_REACHED" {
			t.Errorf("position %d of an empty feed: %v", seq, err)
		}
	}
	root := as(t.Context(), w.administrator(t, r).GetAccessToken())
	list, err := r.revocation.ListRevocationReplicas(root, &revocationv1.ListRevocationReplicasRequest{})
	if err != nil || len(list.GetReplicas()) != 1 || list.GetReplicas()[0].GetPrincipal() != "services/auth" {
		t.Errorf("replicas = %v, %v", list, err)
	}
	if servers := list.GetServers(); len(servers) != 1 || !servers[0].GetAnswering() || servers[0].GetWatchers() != 1 {
		t.Errorf("servers = %v", servers)
	}
	logout, err := r.auth.Logout(ctx, &authv1.LogoutRequest{})
	if err != nil {
		t.Fatal(err)
	}
	w.start(t)
	// The other one has told of its watcher soon, and any server lists it.
	for range 200 {
		list, err = r.revocation.ListRevocationReplicas(root, &revocationv1.ListRevocationReplicasRequest{})
		if err != nil || len(list.GetReplicas()) == 2 {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil || len(list.GetServers()) != 2 || len(list.GetReplicas()) != 2 {
		t.Fatalf("beside another one = %v, %v", list, err)
	}
	for _, w := range list.GetReplicas() {
		i := slices.IndexFunc(list.GetServers(), func(s *revocationv1.Server) bool { return s.GetIncarnation() == w.GetServer() })
		if i < 0 || list.GetServers()[i].GetAnswering() != (w.GetAsOf() == nil) {
			t.Errorf("replica %v", w)
		}
	}
	if last := list.GetLastReceipts(); len(last) != 1 || last[0].GetSeq() != logout.GetRevocation().GetSeq() || last[0].GetAcked() != 1 {
		t.Errorf("last receipts = %v, want that of %v", last, logout.GetRevocation())
	}
	_, err = r.revocation.ListRevocationReplicas(root, &revocationv1.ListRevocationReplicasRequest{PageToken: "!"})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a page token of nothing: %v", err)
	}
}
