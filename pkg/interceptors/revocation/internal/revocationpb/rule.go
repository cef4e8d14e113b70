// Package revocationpb converts between the plain values of the leased feed
// and the messages of curfew.revocation.v1. What it does not understand is an
// error, never an empty value: a rule that a replica cannot apply must not be
// acknowledged, so the stream ends and the lease runs out.
package revocationpb

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// FromRule returns the message of a rule.
func FromRule(r revocation.Rule) *revocationv1.Rule {
	m := &revocationv1.Rule{Seq: r.Seq, Issuer: r.Issuer, KeepUntil: timestamppb.New(r.KeepUntil)}
	switch r.Kind {
	case revocation.KindToken:
		m.Target = &revocationv1.Rule_TokenId{TokenId: r.ID}
	case revocation.KindSession:
		m.Target = &revocationv1.Rule_SessionId{SessionId: r.ID}
	case revocation.KindSubjectEpoch:
		m.Target = &revocationv1.Rule_SubjectEpoch{SubjectEpoch: &revocationv1.SubjectEpoch{Subject: r.ID, Epoch: r.Epoch}}
	case revocation.KindSubjectBlock:
		m.Target = &revocationv1.Rule_SubjectBlock{SubjectBlock: &revocationv1.SubjectBlock{Subject: r.ID, Until: timestamppb.New(r.Until)}}
	case revocation.KindKey:
		m.Target = &revocationv1.Rule_KeyId{KeyId: r.ID}
	case revocation.KindIssuer:
		m.Target = &revocationv1.Rule_AllTokens{AllTokens: true}
	}
	return m
}

// ToRule returns the rule of a message, or an error if it is not one that this
// version can apply completely.
func ToRule(m *revocationv1.Rule) (revocation.Rule, error) {
	if err := m.GetKeepUntil().CheckValid(); err != nil {
		return revocation.Rule{}, fmt.Errorf("revocation rule %d: keep-until: %w", m.GetSeq(), err)
	}
	r := revocation.Rule{Seq: m.GetSeq(), Issuer: m.GetIssuer(), KeepUntil: m.GetKeepUntil().AsTime()}
	switch t := m.GetTarget().(type) {
	case *revocationv1.Rule_TokenId:
		r.Kind, r.ID = revocation.KindToken, t.TokenId
	case *revocationv1.Rule_SessionId:
		r.Kind, r.ID = revocation.KindSession, t.SessionId
	case *revocationv1.Rule_SubjectEpoch:
		r.Kind, r.ID, r.Epoch = revocation.KindSubjectEpoch, t.SubjectEpoch.GetSubject(), t.SubjectEpoch.GetEpoch()
	case *revocationv1.Rule_SubjectBlock:
		if err := t.SubjectBlock.GetUntil().CheckValid(); err != nil {
			return revocation.Rule{}, fmt.Errorf("revocation rule %d: end of block: %w", m.GetSeq(), err)
		}
		r.Kind, r.ID, r.Until = revocation.KindSubjectBlock, t.SubjectBlock.GetSubject(), t.SubjectBlock.GetUntil().AsTime()
	case *revocationv1.Rule_KeyId:
		r.Kind, r.ID = revocation.KindKey, t.KeyId
	case *revocationv1.Rule_AllTokens:
		if !t.AllTokens {
			return revocation.Rule{}, fmt.Errorf("revocation rule %d: all_tokens is false", m.GetSeq())
		}
		r.Kind = revocation.KindIssuer
	default:
		return revocation.Rule{}, fmt.Errorf("revocation rule %d: unknown target", m.GetSeq())
	}
	return r, r.Validate()
}

func fromRules(rules []revocation.Rule) []*revocationv1.Rule {
	out := make([]*revocationv1.Rule, 0, len(rules))
	for _, r := range rules {
		out = append(out, FromRule(r))
	}
	return out
}

func toRules(in []*revocationv1.Rule) ([]revocation.Rule, error) {
	rules := make([]revocation.Rule, 0, len(in))
	for _, m := range in {
		r, err := ToRule(m)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}
