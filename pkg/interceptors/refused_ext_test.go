package interceptors_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/address"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/rate"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/introspection"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// wrong is a configuration and what its error has to speak of.
type wrong[C any] map[string]struct {
	spoil func(*C)
	about string
}

// refuse spoils a good configuration in each way.
func refuse[C any](t *testing.T, good C, open func(C) error, ways wrong[C]) {
	t.Helper()
	if err := open(good); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for name, way := range ways {
		cfg := good
		way.spoil(&cfg)
		if err := open(cfg); err == nil || !strings.Contains(err.Error(), way.about) {
			t.Errorf("%s: got %v, want an error about %q", name, err, way.about)
		}
	}
}

// validator is one that is of no use as a nil pointer.
type validator struct{ protovalidate.Validator }

func TestAChainThatIsWrongIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	good := interceptors.Config{
		Verifier: tokentest.New(t).Verifier(t), Revocation: memory.New(), Policy: policy(t), Logger: discard,
		Audit: &auditRecorder{}, Introspector: introspector(func() error { return nil }),
	}
	refuse(t, good, func(c interceptors.Config) error { _, err := interceptors.New(c); return err }, wrong[interceptors.Config]{
		"a verifier that is a nil pointer":    {func(c *interceptors.Config) { c.Verifier = (*token.Verifier)(nil) }, "verifier"},
		"a source that is a nil pointer":      {func(c *interceptors.Config) { c.Revocation = (*watcher.Watcher)(nil) }, "revocation source"},
		"an auditor that is a nil pointer":    {func(c *interceptors.Config) { c.Audit = (*auditRecorder)(nil) }, "auditor"},
		"an audit that is written nowhere":    {func(c *interceptors.Config) { c.Audit = interceptors.AuditLog(nil) }, "auditor"},
		"an introspector that is no function": {func(c *interceptors.Config) { c.Introspector = introspector(nil) }, "introspector"},
		"a meter that is a nil pointer":       {func(c *interceptors.Config) { c.Metrics = (*meter)(nil) }, "metrics"},
		"a validator that is a nil pointer":   {func(c *interceptors.Config) { c.Validator = (*validator)(nil) }, "validator"},
		"metadata without end":                {func(c *interceptors.Config) { c.Limits.MetadataBytes = 1 << 30 }, "metadata"},
		"messages of a negative size":         {func(c *interceptors.Config) { c.Limits.MessageBytes = -1 }, "message size"},
		"a deadline in the past":              {func(c *interceptors.Config) { c.Limits.DefaultDeadline = -time.Second }, "deadline"},
		"a longest deadline that is shorter":  {func(c *interceptors.Config) { c.Limits.MaxDeadline = time.Second }, "deadline"},
		"a longest deadline in the past":      {func(c *interceptors.Config) { c.Limits.MaxDeadline = -time.Second }, "deadline"},
		"a negative rate":                     {func(c *interceptors.Config) { c.Rates.Address.PerSecond = -1 }, "rate"},
		"a rate that is no number":            {func(c *interceptors.Config) { c.Rates.Identity.PerSecond = math.NaN() }, "rate"},
		"a burst without a rate":              {func(c *interceptors.Config) { c.Rates.Identity = rate.Limit{Burst: 5} }, "rate"},
		"a negative number of callers":        {func(c *interceptors.Config) { c.Rates.Entries = -1 }, "entries"},
		"proxies that are everybody":          {trust("0.0.0.0/0"), "everybody"},
		"proxies that are all of IPv6":        {trust("::/0"), "everybody"},
		"proxies that are half of everybody":  {trust("128.0.0.0/1"), "everybody"},
		"proxies that are no network":         {func(c *interceptors.Config) { c.Rates.Proxies = make(address.Proxies, 1) }, "no network"},
		"proxies that no address is within":   {trust("::ffff:10.0.0.0/104"), "no network"},
	})
}

func trust(network string) func(*interceptors.Config) {
	return func(c *interceptors.Config) { c.Rates.Proxies = address.Proxies{netip.MustParsePrefix(network)} }
}

func TestATokenProfileThatIsWrongIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	keys := tokentest.New(t).Keys(t)
	good := token.OIDC("https://idp.example.com", keys)
	good.Audiences = []string{"orders"}
	refuse(t, good, func(p token.Profile) error { return closed(token.NewVerifier(p)) }, wrong[token.Profile]{
		"no issuer":               {func(p *token.Profile) { p.Issuer = "" }, "no issuer"},
		"no keys":                 {func(p *token.Profile) { p.Keys = nil }, "no keys"},
		"keys of a nil pointer":   {func(p *token.Profile) { p.Keys = (*token.Static)(nil) }, "no keys"},
		"for nobody":              {func(p *token.Profile) { p.Audiences = nil }, "neither audiences"},
		"for an empty audience":   {func(p *token.Profile) { p.Audiences = []string{""} }, "empty"},
		"of an empty party":       {func(p *token.Profile) { p.AuthorizedParties = []string{""} }, "empty"},
		"no algorithm":            {func(p *token.Profile) { p.Algorithms = nil }, "no algorithms"},
		"the algorithm none":      {func(p *token.Profile) { p.Algorithms = []string{"none"} }, `"none"`},
		"no type":                 {func(p *token.Profile) { p.Types = nil }, "no types"},
		"a type in capitals":      {func(p *token.Profile) { p.Types = []string{"JWT"} }, `"JWT"`},
		"a type with its tree":    {func(p *token.Profile) { p.Types = []string{"application/at+jwt"} }, "at+jwt"},
		"clocks minutes apart":    {func(p *token.Profile) { p.Leeway = 3 * time.Minute }, "leeway"},
		"a negative leeway":       {func(p *token.Profile) { p.Leeway = -time.Second }, "leeway"},
		"tokens for ever":         {func(p *token.Profile) { p.MaxLife = 0 }, "longest life"},
		"roles from nowhere":      {func(p *token.Profile) { p.RolesRequired = true }, "roles"},
		"a role claim of no name": {func(p *token.Profile) { p.RolesClaim = []string{""} }, "empty"},
		"names that are opaque":   {func(p *token.Profile) { p.OpaqueSubjects, p.Epochs = true, true }, "names"},
	})
	if _, err := token.NewVerifier(); err == nil {
		t.Error("no issuer at all is taken")
	}
	if _, err := token.NewVerifier(good, good); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("an issuer twice: %v", err)
	}
	refuse(t, token.Options{}, func(o token.Options) error { return closed(o.NewVerifier(good)) }, wrong[token.Options]{
		"a negative number of entries": {func(o *token.Options) { o.CacheEntries = -1 }, "bounds"},
		"less than a byte for each":    {func(o *token.Options) { o.CacheBytes = 5 }, "bounds"},
		"bounds of no cache":           {func(o *token.Options) { o.Uncached, o.CacheBytes = true, 5 }, "bounds"},
	})
}

// closed is the error, without what a success leaves behind.
func closed(v *token.Verifier, err error) error {
	if err == nil {
		v.Close()
	}
	return err
}

func TestKeysThatAreWeakOrFromAnywhereAreRefused(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // weak on purpose
	if err != nil {
		t.Fatal(err)
	}
	issuer := tokentest.New(t)
	good := token.Key{ID: "a", Algorithm: token.EdDSA, Public: issuer.Public()}
	refuse(t, good, func(k token.Key) error { _, err := token.NewStatic(k); return err }, wrong[token.Key]{
		"a short secret":     {func(k *token.Key) { k.Algorithm, k.Public = token.HS256, make([]byte, 31) }, "HS256"},
		"a short RSA key":    {func(k *token.Key) { k.Algorithm, k.Public = token.RS256, &short.PublicKey }, "rsa"},
		"another algorithm":  {func(k *token.Key) { k.Algorithm = token.ES256 }, "algorithm"},
		"no algorithm":       {func(k *token.Key) { k.Algorithm = "none" }, "algorithm"},
		"no key":             {func(k *token.Key) { k.Public = nil }, "type"},
		"the point of order": {func(k *token.Key) { k.Public = ed25519.PublicKey(make([]byte, 32)) }, "small order"},
	})
	for name, err := range map[string]error{
		"no key":                        second(token.NewStatic()),
		"one id for two keys":           second(token.NewStatic(good, good)),
		"a key set in the clear":        second(token.HTTP("http://idp.example.com/jwks", nil)),
		"an issuer in the clear":        second(token.Discover("http://idp.example.com", nil)),
		"nobody to fetch keys from":     second(token.NewRemote(nil, discard, token.RemoteOptions{})),
		"keys that are stale at once":   second(token.NewRemote(func(context.Context) ([]byte, error) { return nil, nil }, discard, token.RemoteOptions{MaxStale: -1})),
		"keys that are fetched always":  second(token.NewRemote(func(context.Context) ([]byte, error) { return nil, nil }, discard, token.RemoteOptions{Pause: -1})),
		"a question in the clear":       second(introspection.HTTP("http://idp.example.com/introspect", nil, func(*http.Request) error { return nil })),
		"a question without a proof":    second(introspection.HTTP("https://idp.example.com/introspect", nil, nil)),
		"nobody to ask":                 second(introspection.New(nil, discard, introspection.Options{})),
		"answers of a negative age":     second(introspection.New(func(context.Context, token.Raw) (bool, error) { return false, nil }, discard, introspection.Options{MaxAge: -time.Second})),
		"no server of the feed":         second(watchergrpc.Dial()),
		"a server that is none":         second(watchergrpc.Dial(nil)),
		"tokens in the clear":           second(creds.Dial(creds.Target{Address: "orders.example.com:443"}, nil)),
		"two opinions about who is who": second(creds.Dial(creds.Target{Address: "127.0.0.1:1", TLS: &tls.Config{MinVersion: tls.VersionTLS13}, Files: &certfile.Files{}}, nil)),
		"levels of login that repeat":   second(authz.NewPolicy(authz.FileServices(shop.File), permissions(t), authz.WithACR("aal1", "aal2", "aal1", "aal3"))),
		"a level without a name":        second(authz.NewPolicy(authz.FileServices(shop.File), permissions(t), authz.WithACR("", "aal1", "aal2", "aal3"))),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func permissions(t *testing.T) *authz.Permissions {
	t.Helper()
	p, err := authz.ParsePermissions([]byte(shop.Permissions))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAFeedThatIsWrongIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	engine := func(c feed.Config) error { _, err := feed.New(c); return err }
	refuse(t, feed.Config{Store: feedtest.NewMemory(), Replica: "auth-0"}, engine, wrong[feed.Config]{
		"no store":                        {func(c *feed.Config) { c.Store = nil }, "no store"},
		"no name":                         {func(c *feed.Config) { c.Replica = "" }, "no replica name"},
		"a name without end":              {func(c *feed.Config) { c.Replica = long }, "name"},
		"a name with a NUL":               {func(c *feed.Config) { c.Incarnation = "a\x00" }, "name"},
		"clocks that run as they like":    {func(c *feed.Config) { c.Drift = 0.5 }, "drift"},
		"a negative lease":                {func(c *feed.Config) { c.TTL = -time.Second }, "negative"},
		"a row that ends with a watcher":  {func(c *feed.Config) { c.RowLease = 5 * time.Second }, "row lease"},
		"a poll as long as the row lease": {func(c *feed.Config) { c.Poll = feed.DefaultRowLease }, "row lease"},
	})
	dial := func(context.Context) (message.ClientStream, error) { return nil, errors.New("no server") }
	refuse(t, watcher.Config{Dial: dial, Replica: "orders-0"},
		func(c watcher.Config) error { _, err := watcher.New(c); return err }, wrong[watcher.Config]{
			"no server":                    {func(c *watcher.Config) { c.Dial = nil }, "no way"},
			"no name":                      {func(c *watcher.Config) { c.Replica = "" }, "no replica name"},
			"a name without end":           {func(c *watcher.Config) { c.Replica = long }, "name"},
			"a name with a NUL":            {func(c *watcher.Config) { c.Incarnation = "a\x00" }, "name"},
			"clocks that run as they like": {func(c *watcher.Config) { c.Drift = 0.5 }, "drift"},
			"a negative grace":             {func(c *watcher.Config) { c.Grace = -1 }, "negative"},
		})
}

func second[T any](_ T, err error) error { return err }
