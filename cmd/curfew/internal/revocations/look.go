package revocations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

type servers map[string]*grpc.ClientConn

func (f *Flags) connect() (servers, error) {
	s := servers{}
	for address := range strings.SplitSeq(f.AuthAddr, ",") {
		conn, err := f.Dial(address)
		if err != nil {
			s.close()
			return nil, err
		}
		s[strings.TrimSpace(address)] = conn
	}
	return s, nil
}

func (s servers) close() {
	for _, conn := range s {
		_ = conn.Close()
	}
}

// view is what all servers together said.
type view struct {
	at       time.Time
	head     int64
	servers  []*revocationv1.Server
	replicas []watching
	receipts []*revocationv1.Receipt
}

// watching is a replica at the server that it watches.
type watching struct {
	*revocationv1.Replica

	server string
}

// same says whether two servers told of one replica at one server.
func (w watching) same(o watching) bool {
	return w.GetServer() == o.GetServer() && w.GetPrincipal() == o.GetPrincipal() &&
		w.GetReplicaId() == o.GetReplicaId() && w.GetIncarnation() == o.GetIncarnation()
}

// older orders what was said of one thing: what a server says of itself comes first.
func (w watching) older(o watching) int {
	if w.GetAsOf() == nil || o.GetAsOf() == nil {
		return cmp.Compare(btoi(w.GetAsOf() != nil), btoi(o.GetAsOf() != nil))
	}
	return o.GetAsOf().AsTime().Compare(w.GetAsOf().AsTime())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// look asks every server. The error names those that did not answer; what the
// others said is in the view, which is nil if nobody did.
func (f *Flags) look(ctx context.Context, all servers) (*view, error) {
	ctx, err := f.Bearer(ctx)
	if err != nil {
		return nil, err
	}
	v := &view{at: time.Now()}
	var errs []error
	for address, conn := range all {
		if err := v.ask(ctx, revocationv1.NewRevocationServiceClient(conn)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", address, status.Convert(err).Message()))
		}
	}
	if len(errs) == len(all) {
		return nil, errors.Join(errs...)
	}
	v.settle()
	return v, errors.Join(errs...)
}

// settle orders what was said and keeps the freshest of what was said twice.
func (v *view) settle() {
	names := map[string]string{}
	for _, s := range v.servers {
		names[s.GetIncarnation()] = label(s)
	}
	for i := range v.replicas {
		v.replicas[i].server = cmp.Or(names[v.replicas[i].GetServer()], "gone")
	}
	slices.SortFunc(v.replicas, func(a, b watching) int {
		return cmp.Or(cmp.Compare(a.GetPrincipal(), b.GetPrincipal()), cmp.Compare(a.GetReplicaId(), b.GetReplicaId()),
			cmp.Compare(a.GetIncarnation(), b.GetIncarnation()), cmp.Compare(a.server, b.server), cmp.Compare(a.GetServer(), b.GetServer()), a.older(b))
	})
	v.replicas = slices.CompactFunc(v.replicas, watching.same)
	slices.SortFunc(v.receipts, func(a, b *revocationv1.Receipt) int {
		return cmp.Or(cmp.Compare(b.GetSeq(), a.GetSeq()), cmp.Compare(a.GetWaited().AsDuration(), b.GetWaited().AsDuration()))
	})
	v.receipts = slices.CompactFunc(v.receipts, func(a, b *revocationv1.Receipt) bool { return proto.Equal(a, b) })
}

// ask adds all pages of one server.
func (v *view) ask(ctx context.Context, client revocationv1.RevocationServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	request := &revocationv1.ListRevocationReplicasRequest{PageSize: 1000}
	for {
		r, err := client.ListRevocationReplicas(ctx, request)
		if err != nil {
			return err
		}
		if request.GetPageToken() == "" {
			v.first(r)
		}
		for _, replica := range r.GetReplicas() {
			v.replicas = append(v.replicas, watching{Replica: replica})
		}
		if request.PageToken = r.GetNextPageToken(); request.GetPageToken() == "" {
			return nil
		}
	}
}

// first takes what is on the first page only.
func (v *view) first(r *revocationv1.ListRevocationReplicasResponse) {
	v.head = max(v.head, r.GetHeadSeq())
	v.receipts = append(v.receipts, r.GetLastReceipts()...)
	asked := map[string]bool{}
	for _, s := range v.servers {
		asked[s.GetIncarnation()] = s.GetAnswering()
	}
	for _, s := range r.GetServers() {
		s.Answering = s.GetAnswering() || asked[s.GetIncarnation()]
	}
	v.servers = r.GetServers()
}

// label tells servers of one host apart.
func label(s *revocationv1.Server) string {
	const enough = 4
	return s.GetName() + "/" + s.GetIncarnation()[:min(enough, len(s.GetIncarnation()))]
}
