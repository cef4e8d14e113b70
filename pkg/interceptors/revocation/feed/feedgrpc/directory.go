package feedgrpc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// reportLimit bounds one report.
const reportLimit = 5 * time.Second

// Report puts what this server sees into the directory. Call it every few
// seconds.
func (s *Service) Report(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	watchers := s.engine.Watchers()
	err := s.directory.Put(ctx, feed.Report{
		Server: s.engine.Key(), Watchers: watchers[:min(len(watchers), feed.MaxReported)], Receipts: s.engine.Receipts(),
	})
	if err != nil {
		return fmt.Errorf("report the watchers of revocations: %w", err)
	}
	return nil
}

// listed is a watcher at the server that it watches.
type listed struct {
	feed.Watcher

	server feed.RowKey
	at     time.Time // zero for this moment
}

// all lists the watchers of all servers, in the order of their keys, and the
// last receipts, newest first.
func (s *Service) all(ctx context.Context) ([]listed, []feed.Receipt, error) {
	own := s.engine.Key()
	reports := []feed.Report{{Server: own, Watchers: s.engine.Watchers(), Receipts: s.engine.Receipts()}}
	if s.directory != nil {
		others, err := s.directory.List(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range others {
			if r.Server != own {
				reports = append(reports, r)
			}
		}
	}
	var list []listed
	var receipts []feed.Receipt
	for _, r := range reports {
		for _, w := range r.Watchers {
			list = append(list, listed{Watcher: w, server: r.Server, at: r.At})
		}
		receipts = append(receipts, r.Receipts...)
	}
	slices.SortFunc(list, func(a, b listed) int { return cmp.Compare(a.key(), b.key()) })
	slices.SortStableFunc(receipts, func(a, b feed.Receipt) int { return cmp.Compare(b.Seq, a.Seq) })
	return list, receipts[:min(len(receipts), maxReceipts)], nil
}

// maxReceipts is how many receipts are listed.
const maxReceipts = 20

// key orders watchers: no part holds a NUL.
func (l listed) key() string {
	return l.Principal + "\x00" + l.ReplicaID + "\x00" + l.Incarnation + "\x00" + l.server.Incarnation
}
