package revocationpb

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

var errUnknown = errors.New("revocation feed: message of an unknown type")

// FromRequest returns the wire message of what a watcher sends.
func FromRequest(m message.Request) (*revocationv1.WatchRevocationsRequest, error) {
	switch m := m.(type) {
	case message.Hello:
		return &revocationv1.WatchRevocationsRequest{Message: &revocationv1.WatchRevocationsRequest_Hello{Hello: &revocationv1.Hello{
			ReplicaId: m.ReplicaID, Incarnation: m.Incarnation, LastSeq: m.LastSeq, Generation: m.Generation,
		}}}, nil
	case message.Renew:
		return &revocationv1.WatchRevocationsRequest{Message: &revocationv1.WatchRevocationsRequest_Renew{Renew: &revocationv1.Renew{
			Nonce: m.Nonce, AppliedSeq: m.AppliedSeq, Generation: m.Generation,
		}}}, nil
	case message.Leave:
		return &revocationv1.WatchRevocationsRequest{Message: &revocationv1.WatchRevocationsRequest_Leave{Leave: &revocationv1.Leave{}}}, nil
	default:
		return nil, errUnknown
	}
}

// ToRequest returns what a watcher has sent.
func ToRequest(w *revocationv1.WatchRevocationsRequest) (message.Request, error) {
	switch m := w.GetMessage().(type) {
	case *revocationv1.WatchRevocationsRequest_Hello:
		h := m.Hello
		return message.Hello{ReplicaID: h.GetReplicaId(), Incarnation: h.GetIncarnation(), LastSeq: h.GetLastSeq(), Generation: h.GetGeneration()}, nil
	case *revocationv1.WatchRevocationsRequest_Renew:
		r := m.Renew
		return message.Renew{Nonce: r.GetNonce(), AppliedSeq: r.GetAppliedSeq(), Generation: r.GetGeneration()}, nil
	case *revocationv1.WatchRevocationsRequest_Leave:
		return message.Leave{}, nil
	default:
		return nil, errUnknown
	}
}

// FromResponse returns the wire message of what an engine sends.
func FromResponse(m message.Response) (*revocationv1.WatchRevocationsResponse, error) {
	switch m := m.(type) {
	case message.Snapshot:
		return &revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Snapshot{Snapshot: &revocationv1.Snapshot{
			Generation: m.Generation, HeadSeq: m.HeadSeq, Rules: fromRules(m.Rules), More: m.More,
		}}}, nil
	case message.Events:
		return &revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Events{Events: &revocationv1.Events{
			Generation: m.Generation, Rules: fromRules(m.Rules), Seq: m.Seq,
		}}}, nil
	case message.Grant:
		return &revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Grant{Grant: &revocationv1.Grant{
			Nonce: m.Nonce, Ttl: durationpb.New(m.TTL), Generation: m.Generation,
		}}}, nil
	case message.Move:
		return &revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Move{Move: &revocationv1.Move{}}}, nil
	default:
		return nil, errUnknown
	}
}

// ToResponse returns what an engine has sent.
func ToResponse(w *revocationv1.WatchRevocationsResponse) (message.Response, error) {
	switch m := w.GetMessage().(type) {
	case *revocationv1.WatchRevocationsResponse_Snapshot:
		rules, err := toRules(m.Snapshot.GetRules())
		if err != nil {
			return nil, err
		}
		return message.Snapshot{Generation: m.Snapshot.GetGeneration(), HeadSeq: m.Snapshot.GetHeadSeq(), Rules: rules, More: m.Snapshot.GetMore()}, nil
	case *revocationv1.WatchRevocationsResponse_Events:
		rules, err := toRules(m.Events.GetRules())
		if err != nil {
			return nil, err
		}
		return message.Events{Generation: m.Events.GetGeneration(), Rules: rules, Seq: m.Events.GetSeq()}, nil
	case *revocationv1.WatchRevocationsResponse_Grant:
		g := m.Grant
		if g.GetTtl() != nil {
			if err := g.GetTtl().CheckValid(); err != nil {
				return nil, fmt.Errorf("revocation feed: lease: %w", err)
			}
		}
		return message.Grant{Nonce: g.GetNonce(), TTL: g.GetTtl().AsDuration(), Generation: g.GetGeneration()}, nil
	case *revocationv1.WatchRevocationsResponse_Move:
		return message.Move{}, nil
	default:
		return nil, errUnknown
	}
}
