package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// The order of the targets of one look-up.
const (
	tokens = iota
	sessions
	keys
	epochs
	blocks
	issuers
	lookups
)

// maxNumber is what a number of Lua holds exactly.
const maxNumber = 1 << 53

// chunk is how many rules one script writes: Redis serves nobody else
// meanwhile.
const chunk = 500

// fillLimit is how long one filling may take.
const fillLimit = 10 * time.Minute

// keys returns what has to be looked up. A claim that the token does not have
// is looked up as an id that no rule has.
func (s *Source) keys(id *identity.Identity) []string {
	all := make([]string, 1+lookups)
	all[0] = s.marker()
	k := all[1:]
	k[tokens] = s.key(revocation.KindToken, id.Issuer, id.TokenID)
	k[sessions] = s.key(revocation.KindSession, id.Issuer, id.SessionID)
	k[keys] = s.key(revocation.KindKey, id.Issuer, id.KeyID)
	k[epochs] = s.key(revocation.KindSubjectEpoch, id.Issuer, id.Subject)
	k[blocks] = s.key(revocation.KindSubjectBlock, id.Issuer, id.Subject)
	k[issuers] = s.key(revocation.KindIssuer, id.Issuer, "")
	return all
}

// marker is the key of the marker, the first one of every script.
func (s *Source) marker() string { return s.cfg.Prefix + "filled" }

// key of one target. The length keeps issuer and id apart.
func (s *Source) key(k revocation.Kind, issuer, id string) string {
	return s.cfg.Prefix + k.String() + ":" + strconv.Itoa(len(issuer)) + ":" + issuer + ":" + id
}

func revokes(values []any, id *identity.Identity, now time.Time) bool {
	if values[tokens] != nil || values[sessions] != nil || values[keys] != nil || values[issuers] != nil {
		return true
	}
	above := func(v any, limit int64) bool {
		text, ok := v.(string)
		if !ok {
			return false
		}
		n, err := strconv.ParseInt(text, 10, 64)
		return err != nil || n > limit // what cannot be read revokes
	}
	return above(values[epochs], id.Epoch) || above(values[blocks], now.UnixMilli())
}

// write stores rules: the highest value and the latest end win, in whatever
// order and however often a rule comes.
var write = redis.NewScript(whoScript + writeScript)

//go:embed write.lua
var writeScript string

// Revoke stores rules. They are in force when it returns nil. If one is
// invalid, it returns an error and stores none.
func (s *Source) Revoke(ctx context.Context, rules ...revocation.Rule) error {
	return s.revoke(ctx, "", rules)
}

// revoke stores rules; if stamp is not empty, on that server and no other.
func (s *Source) revoke(ctx context.Context, stamp string, rules []revocation.Rule) error {
	for _, r := range rules {
		if err := r.Validate(); err != nil {
			return err
		}
		if r.Epoch >= maxNumber {
			return errors.New("redis revocations: epoch is too large")
		}
	}
	for len(rules) > 0 {
		n := min(len(rules), chunk)
		if err := s.store(ctx, stamp, rules[:n]); err != nil {
			return err
		}
		rules = rules[n:]
	}
	return nil
}

func (s *Source) store(ctx context.Context, stamp string, rules []revocation.Rule) error {
	names, values := make([]string, 0, 1+len(rules)), make([]any, 0, 2*len(rules))
	names = append(names, s.marker())
	for _, r := range rules {
		value := int64(1)
		switch r.Kind {
		case revocation.KindSubjectEpoch:
			value = r.Epoch
		case revocation.KindSubjectBlock:
			value = r.Until.UnixMilli()
		}
		names = append(names, s.key(r.Kind, r.Issuer, r.ID))
		values = append(values, value, r.ForgetAfter().UnixMilli())
	}
	a, _, err := s.run(ctx, s.client, write, false, names, values...)
	switch {
	case err != nil:
		return err
	case !s.servers.is(a):
		return errors.New("redis revocations: the server was replaced: revoke again")
	case stamp != "" && a.stamp != stamp:
		return errForgot
	}
	return nil
}

// Fill writes all rules and then marks the server as complete. Call it after
// the first start, and whenever nothing is known because the server forgot its
// rules. It may be called at any time, also by several processes. all must
// include every rule whose Revoke has returned before Fill is called.
func (s *Source) Fill(ctx context.Context, all iter.Seq2[revocation.Rule, error]) error {
	// Which server is filled is known before the first rule: one that restarts
	// meanwhile must not be called full.
	a, _, err := s.look(ctx, s.client, false)
	if err != nil {
		return err
	}
	if a.bad != "" {
		return errors.New("redis revocations: " + a.bad)
	}
	// The same for a flush: it also forgets that this filling began.
	name := rand.Text()
	filling := s.cfg.Prefix + "filling:" + name
	if err := s.client.Set(ctx, filling, 1, fillLimit).Err(); err != nil {
		return fmt.Errorf("redis revocations: fill: %w", err)
	}
	part := make([]revocation.Rule, 0, chunk)
	for r, err := range all {
		if err != nil {
			return fmt.Errorf("redis revocations: fill: %w", err)
		}
		if part = append(part, r); len(part) == chunk {
			if err := s.revoke(ctx, a.stamp, part); err != nil {
				return err
			}
			part = part[:0]
		}
	}
	if err := s.revoke(ctx, a.stamp, part); err != nil {
		return err
	}
	end, _, err := s.run(ctx, s.client, finish, false, []string{s.marker(), filling}, a.stamp, name)
	if err == nil && end.filled != a.stamp+":"+name {
		err = errForgot
	}
	return err
}

var errForgot = errors.New("redis revocations: the server forgot or was replaced while it was filled: fill again")

// finish marks the server as filled if it still knows that the filling began.
var finish = redis.NewScript(whoScript + finishScript)

//go:embed finish.lua
var finishScript string
