package feedgrpc

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// ListRevocationReplicas lists the processes that watch the feed and, on the
// first page, all servers and the last receipts.
func (s *Service) ListRevocationReplicas(ctx context.Context, r *revocationv1.ListRevocationReplicasRequest) (*revocationv1.ListRevocationReplicasResponse, error) {
	size := int(r.GetPageSize())
	switch {
	case size < 0:
		return nil, invalid("page_size is negative")
	case size == 0:
		size = defaultPage
	}
	size = min(size, maxPage)
	after, err := base64.RawURLEncoding.DecodeString(r.GetPageToken())
	if err != nil {
		return nil, invalid("page_token is not one of this list")
	}
	all, receipts, err := s.all(ctx)
	if err != nil {
		return nil, status.Plain(codes.Unavailable, "the watchers of the feed cannot be listed now")
	}
	from, found := slices.BinarySearchFunc(all, string(after), func(l listed, key string) int { return strings.Compare(l.key(), key) })
	if found {
		from++
	}
	page := all[from:]
	resp := &revocationv1.ListRevocationReplicasResponse{HeadSeq: s.engine.Head()}
	if len(page) > size {
		page = page[:size]
		resp.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(page[size-1].key()))
	}
	for _, l := range page {
		resp.Replicas = append(resp.Replicas, replica(l))
	}
	if r.GetPageToken() != "" {
		return resp, nil
	}
	for _, receipt := range receipts {
		resp.LastReceipts = append(resp.LastReceipts, Receipt(receipt))
	}
	resp.Servers, err = s.servers(ctx)
	return resp, err
}

func replica(l listed) *revocationv1.Replica {
	m := &revocationv1.Replica{
		ReplicaId: l.ReplicaID, Incarnation: l.Incarnation, Principal: l.Principal, AckedSeq: l.AckedSeq, Server: l.server.Incarnation,
	}
	if !l.LeaseUntil.IsZero() {
		m.LeaseUntil = timestamppb.New(l.LeaseUntil)
	}
	if !l.at.IsZero() {
		m.AsOf = timestamppb.New(l.at)
	}
	return m
}

func (s *Service) servers(ctx context.Context) ([]*revocationv1.Server, error) {
	rows, own, err := s.engine.Engines(ctx)
	if err != nil {
		return nil, status.Plain(codes.Unavailable, "the servers of the feed cannot be listed now")
	}
	list := make([]*revocationv1.Server, len(rows))
	for i, row := range rows {
		list[i] = &revocationv1.Server{
			Name: row.Replica, Incarnation: row.Incarnation,
			Watermark: row.Watermark, Watchers: row.Watchers, Lapsed: row.Lapsed,
			LeaseUntil: timestamppb.New(row.LeaseUntil), Answering: row.RowKey == own,
		}
	}
	return list, nil
}
