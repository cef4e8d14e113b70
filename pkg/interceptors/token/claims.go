package token

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

const (
	maxSubjectBytes = 128
	maxOpaqueBytes  = 255 // OpenID Connect Core 2, sub
	maxRoles        = 64
	maxAudiences    = 16
	// maxTime is the end of the year 9999: later is no time but an attack on
	// arithmetic.
	maxTime = 253402300799
)

// claims reads the members of a payload whose signature is good.
type claims struct {
	members map[string]any
	profile *Profile
	now     time.Time
}

func (c claims) identity(kid string) (*identity.Identity, error) {
	id := &identity.Identity{Issuer: c.profile.Issuer, KeyID: kid}
	for _, step := range []func(*identity.Identity) error{c.names, c.times, c.grants, c.audience} {
		if err := step(id); err != nil {
			return nil, err
		}
	}
	// Last, so that only a token that is right in everything else is called
	// expired: clients answer that with a refresh.
	if !c.now.Before(id.ExpiresAt.Add(c.profile.Leeway)) {
		return nil, ErrExpired
	}
	return id, nil
}

// names reads who: sub, sid, jti, and refuses claims that do not belong here.
func (c claims) names(id *identity.Identity) error {
	if allowed := c.profile.Claims; len(allowed) > 0 {
		for name := range c.members {
			if !slices.Contains(allowed, name) {
				return malformed("claim that this profile does not know")
			}
		}
	}
	if err := c.accessToken(); err != nil {
		return err
	}
	var err error
	if id.Subject, err = c.subject(); err != nil {
		return err
	}
	if id.SessionID, err = c.text("sid", c.profile.Sessions, maxSubjectBytes); err != nil {
		return err
	}
	id.TokenID, err = c.text("jti", c.profile.Sessions, maxSubjectBytes)
	return err
}

func (c claims) subject() (string, error) {
	limit := maxSubjectBytes
	if c.profile.OpaqueSubjects {
		limit = maxOpaqueBytes
	}
	s, err := c.text("sub", true, limit)
	if err != nil {
		return "", err
	}
	named := nameable(s, c.profile.Epochs)
	if c.profile.OpaqueSubjects {
		named = !strings.HasPrefix(s, "services/")
	}
	if !named {
		return "", malformed("sub")
	}
	return s, nil
}

// nameable tells whether s may name a user or, for issuers of our own, a
// service. A slash elsewhere would make one principal look like another.
func nameable(s string, services bool) bool {
	name, service := strings.CutPrefix(s, "services/")
	if service && !services {
		return false
	}
	return name != "" && name[0] != '-' && name[0] != '.' && !strings.Contains(name, "/")
}

// accessToken refuses other tokens of the common providers, which are signed
// with the same keys: ID tokens carry nonce or hashes (OpenID Connect Core 2),
// logout tokens and other security events `events` (RFC 8417), also where their
// header does not say so; Keycloak names the kind in `typ`, Cognito in
// `token_use`. And an access token that is bound to a key or a certificate
// (`cnf`: RFC 9449, RFC 8705), which nobody has shown to us: taken from anybody
// who has a copy it would be worth more than its issuer made it.
func (c claims) accessToken() error {
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash"} {
		if _, found := c.members[name]; found {
			return malformed("an id token")
		}
	}
	if _, found := c.members["events"]; found {
		return malformed("a security event")
	}
	if _, found := c.members["cnf"]; found {
		return malformed("bound to a key")
	}
	if _, found := c.members["act"]; found && c.profile.NoActors {
		return malformed("somebody acts for the subject")
	}
	if use, found := c.members["token_use"]; found && use != "access" {
		return malformed("not an access token")
	}
	if typ, found := c.members["typ"]; found && typ != "Bearer" {
		return malformed("not an access token")
	}
	return nil
}

// times reads when: iat, nbf, exp, auth_time.
func (c claims) times(id *identity.Identity) error {
	leeway := c.profile.Leeway
	var err error
	if id.IssuedAt, err = c.time("iat", true); err != nil {
		return err
	}
	if id.ExpiresAt, err = c.time("exp", true); err != nil {
		return err
	}
	notBefore, err := c.time("nbf", c.profile.NotBefore)
	if err != nil {
		return err
	}
	if id.AuthTime, err = c.time("auth_time", c.profile.Sessions); err != nil {
		return err
	}
	for _, t := range []time.Time{id.IssuedAt, notBefore, id.AuthTime} {
		if t.After(c.now.Add(leeway)) {
			return malformed("from the future")
		}
	}
	if life := id.ExpiresAt.Sub(id.IssuedAt); life <= 0 || life > c.profile.MaxLife {
		return malformed("life")
	}
	return nil
}

// grants reads what the token says about its holder: epoch, acr, roles.
func (c claims) grants(id *identity.Identity) error {
	if c.profile.Epochs {
		n, found, err := c.integer("epoch")
		if err != nil || !found {
			return malformed("epoch")
		}
		id.Epoch = n
	}
	var err error
	if id.ACR, err = c.text("acr", c.profile.Sessions, maxSubjectBytes); err != nil {
		return err
	}
	id.Roles, err = c.roles()
	return err
}

func (c claims) roles() ([]string, error) {
	path := c.profile.RolesClaim
	if len(path) == 0 {
		return nil, nil
	}
	var v any = c.members
	for _, name := range path {
		members, ok := v.(map[string]any)
		if !ok {
			return nil, malformed("roles")
		}
		if v, ok = members[name]; !ok {
			if c.profile.RolesRequired {
				return nil, malformed("roles")
			}
			return nil, nil
		}
	}
	list, ok := v.([]any)
	if !ok {
		return nil, malformed("roles")
	}
	return texts(list, "roles", maxRoles)
}

func (c claims) audience(*identity.Identity) error {
	if allowed := c.profile.Audiences; len(allowed) > 0 {
		var list []any
		switch aud := c.members["aud"].(type) {
		case string:
			list = []any{aud}
		case []any:
			list = aud
		default:
			return malformed("aud")
		}
		audiences, err := texts(list, "aud", maxAudiences)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(allowed, a) }) {
			return ErrWrongAudience
		}
	}
	if allowed := c.profile.AuthorizedParties; len(allowed) > 0 {
		azp, err := c.text("azp", true, maxSubjectBytes)
		if err != nil {
			return err
		}
		if !slices.Contains(allowed, azp) {
			return ErrWrongAudience
		}
	}
	return nil
}

func (c claims) text(name string, required bool, limit int) (string, error) {
	v, found := c.members[name]
	if !found && !required {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || !printable(s, limit) {
		return "", malformed(name)
	}
	return s, nil
}

func (c claims) time(name string, required bool) (time.Time, error) {
	n, found, err := c.integer(name)
	if err != nil {
		return time.Time{}, err
	}
	if !found {
		if required {
			return time.Time{}, malformed(name)
		}
		return time.Time{}, nil
	}
	if n > maxTime {
		return time.Time{}, malformed(name)
	}
	return time.Unix(n, 0), nil
}

// integer accepts plain non-negative decimals only: 1e9, 1.0, -0 and numbers
// above int64 are refused, because parsers differ about them.
func (c claims) integer(name string) (n int64, found bool, err error) {
	v, found := c.members[name]
	if !found {
		return 0, false, nil
	}
	number, ok := v.(json.Number)
	if !ok {
		return 0, true, malformed(name)
	}
	u, err := strconv.ParseUint(number.String(), 10, 63)
	if err != nil {
		return 0, true, malformed(name)
	}
	return int64(u), true, nil
}

func texts(list []any, name string, limit int) ([]string, error) {
	if len(list) > limit {
		return nil, malformed(name)
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok || !printable(s, maxSubjectBytes) {
			return nil, malformed(name)
		}
		out = append(out, s)
	}
	return out, nil
}
