package revocation

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a [Rule] revokes.
type Kind uint8

// The kinds of rules. The zero Kind is invalid.
const (
	// KindToken revokes one token: ID is its jti.
	KindToken Kind = iota + 1
	// KindSession revokes all tokens of a session. ID is its sid.
	KindSession
	// KindSubjectEpoch revokes the tokens of a subject whose epoch is below
	// Epoch. ID is the sub.
	KindSubjectEpoch
	// KindSubjectBlock revokes all tokens of a subject until Until. ID is the
	// sub. It is for issuers whose tokens have no epoch.
	KindSubjectBlock
	// KindKey revokes all tokens that were signed with a key. ID is its kid.
	KindKey
	// KindIssuer revokes all tokens of the issuer: ID is empty.
	KindIssuer

	kinds = int(KindIssuer) + 1
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case KindToken:
		return "token"
	case KindSession:
		return "session"
	case KindSubjectEpoch:
		return "subject_epoch"
	case KindSubjectBlock:
		return "subject_block"
	case KindKey:
		return "key"
	case KindIssuer:
		return "issuer"
	default:
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
}

// Rule is one revocation. Rules are values: they may be copied and shared by
// goroutines.
type Rule struct {
	// Seq is the position in the feed, from 1, in the order of commits. Rules
	// of one transaction may share it. Sources without a feed ignore it.
	Seq int64
	// Kind says what is revoked, and which of the fields below count.
	Kind Kind
	// Issuer is the iss of the tokens. Never empty.
	Issuer string
	// ID is the jti, sid, sub or kid, depending on Kind.
	ID string
	// Epoch is the smallest epoch that is still good, for [KindSubjectEpoch].
	// It is compared with the epoch in the token and never with iat, which
	// comes from another clock and has a resolution of one second.
	Epoch int64
	// Until is the end of the block, for [KindSubjectBlock], in the year 9999
	// at the latest.
	Until time.Time
	// KeepUntil is the time after which none of the revoked tokens can be valid
	// any more: the time of the revocation + the longest life of a token +
	// leeway + the largest error of a clock. Never zero, and in the year 9999
	// at the latest. See [Rule.ForgetAfter].
	KeepUntil time.Time
}

// lastYear is the last one that the feed can tell (google.protobuf.Timestamp).
const lastYear = 9999

// ForgetAfter returns the time after which the rule may be forgotten:
// KeepUntil, or the end of a block if that is later, because a block also
// revokes tokens that are issued while it lasts.
func (r Rule) ForgetAfter() time.Time {
	if r.Kind == KindSubjectBlock && r.Until.After(r.KeepUntil) {
		return r.Until
	}
	return r.KeepUntil
}

// Validate returns an error that says what is wrong with the rule, or nil.
func (r Rule) Validate() error {
	switch {
	case r.Issuer == "":
		return errors.New("revocation: rule without issuer")
	case r.Kind == 0 || int(r.Kind) >= kinds:
		return fmt.Errorf("revocation: rule of unknown %s", r.Kind)
	case (r.ID == "") != (r.Kind == KindIssuer):
		return fmt.Errorf("revocation: id of a rule of kind %s is missing or too much", r.Kind)
	case r.Kind == KindSubjectEpoch && r.Epoch <= 0:
		return errors.New("revocation: epoch of a rule is not positive")
	case r.Kind == KindSubjectBlock && r.Until.IsZero():
		return errors.New("revocation: block without end")
	case r.KeepUntil.IsZero():
		return errors.New("revocation: rule without keep-until")
	case r.KeepUntil.UTC().Year() > lastYear, r.Until.UTC().Year() > lastYear:
		return fmt.Errorf("revocation: rule lasts beyond the year %d", lastYear)
	case r.Seq < 0:
		return errors.New("revocation: negative position of a rule")
	default:
		return nil
	}
}
