package external_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

const own = "https://auth.curfew.dev"

func TestAFileThatIsNotExactlyRightIsRefusedAndTheErrorSaysWhere(t *testing.T) {
	long := strings.Repeat("x", 300)
	many := strings.TrimSuffix(strings.Repeat(`"a",`, 17), ",")
	for name, tc := range map[string]struct{ content, says string }{
		"nothing":               {``, "not JSON"},
		"no object":             {`[]`, "no {"},
		"an empty object":       {`{}`, "issuers: missing"},
		"no issuer":             {`{"issuers":[]}`, "issuers: none"},
		"no list":               {`{"issuers":{}}`, "issuers: no ["},
		"null for the list":     {`{"issuers":null}`, "issuers: no ["},
		"an element no object":  {`{"issuers":["https://id.example.org"]}`, "issuer 1 of the list: no {"},
		"an unknown member":     {`{"issuers":[],"x":1}`, `"x": unknown`},
		"a long unknown member": {`{"` + long + `":1}`, `xxx..."`},
		"issuers twice":         {`{"issuers":[],"issuers":[]}`, `"issuers": there twice`},
		"issuers in other case": {`{"Issuers":[]}`, `"Issuers": unknown`},
		"trailing data":         {`{"issuers":[` + good + `]} {}`, "trailing data"},
		"trailing bracket":      {`{"issuers":[` + good + `]}]`, "trailing data"},
		"trailing comma":        {`{"issuers":[` + good + `,]}`, "issuer 2 of the list"},
		"cut off":               {`{"issuers":[` + good, "not JSON"},
		"no UTF-8":              {"{\"issuers\":[\xff]}", "UTF-8"},
		"too long":              {`{"issuers":[` + good + `]}` + strings.Repeat(" ", 300<<10), "longer than"},
		"too many issuers":      {elements(33), "more than 32"},
		"the same twice":        {`{"issuers":[` + good + `,` + good + `]}`, "https://id.example.org: issuer: is listed twice"},
		"the same with a slash": {`{"issuers":[` + good + `,` + strings.Replace(good, ".org", ".org/", 1) + `]}`, "https://id.example.org/: issuer: is listed twice"},
		"the same in capitals":  {`{"issuers":[` + good + `,` + strings.Replace(good, "id.", "ID.", 1) + `]}`, "listed twice"},

		"an element without issuer": {one(`"audiences":["a"]`), "issuer 1 of the list: issuer:"},
		"an issuer twice":           {one(`"issuer":"https://a.example","issuer":"https://b.example"`), `https://a.example: "issuer": there twice`},
		"an unknown setting":        {one(`"issuer":"https://a.example","roles":["admin"]`), `https://a.example: "roles": unknown`},
		"a setting in other case":   {one(`"issuer":"https://a.example","Audiences":["a"]`), `"Audiences": unknown`},
		"an issuer in the clear":    {member(`"issuer":"http://a.example"`), "issuer: issuer address"},
		"an issuer that is a name":  {member(`"issuer":"accounts.google.com"`), "issuer: issuer address"},
		"an issuer with a query":    {member(`"issuer":"https://a.example?x=1"`), "issuer: issuer address"},
		"an issuer with a password": {member(`"issuer":"https://u:p@a.example"`), "issuer: issuer address"},
		"an issuer with a space":    {member(`"issuer":"https://a.example/ b"`), "issuer: not 1 to 255"},
		"a long issuer":             {member(`"issuer":"https://` + long + `.example"`), "issuer: not 1 to 255"},
		"an issuer that is null":    {member(`"issuer":null`), "issuer: a value of the wrong type"},
		"our own issuer":            {member(`"issuer":"` + own + `"`), own + ": issuer: is an issuer that this service knows otherwise"},
		"our own with a slash":      {member(`"issuer":"` + own + `/"`), "knows otherwise"},

		"neither audience nor party":   {one(`"issuer":"https://a.example"`), "https://a.example: audiences: they or"},
		"empty lists of both":          {one(`"issuer":"https://a.example","audiences":[],"authorized_parties":[]`), "audiences: they or"},
		"an empty audience":            {with(`"audiences":[""]`), "audiences: element 0"},
		"an audience that is null":     {with(`"audiences":["a",null]`), "audiences: element 1"},
		"audiences that are null":      {with(`"audiences":null`), "audiences: a value of the wrong type"},
		"an audience not in a list":    {with(`"audiences":"a"`), "audiences: a value of the wrong type"},
		"an audience with a newline":   {with(`"audiences":["a\n"]`), "audiences: element 0"},
		"a long audience":              {with(`"audiences":["` + long + `"]`), "audiences: element 0"},
		"an audience twice":            {with(`"audiences":["a","b","a"]`), "audiences: element 2 is there twice"},
		"many audiences":               {with(`"audiences":[` + many + `]`), "audiences: more than 16"},
		"a party that is a number":     {with(`"authorized_parties":[1]`), "authorized_parties: a value of the wrong type"},
		"an empty party":               {with(`"authorized_parties":[""]`), "authorized_parties: element 0"},
		"keys in the clear":            {with(`"jwks_url":"http://keys.example/k"`), "jwks_url: jwk set address"},
		"keys of no host":              {with(`"jwks_url":"https:///k"`), "jwks_url: jwk set address"},
		"keys from two places":         {with(`"jwks_url":"https://keys.example/k","jwks_file":"k"`), "jwks_url: there is a jwks_file too"},
		"authorities for a file":       {with(`"jwks_file":"k","ca_file":"ca"`), "ca_file: nothing is fetched"},
		"a secret as key":              {with(`"algorithms":["HS256"]`), "algorithms: not of RS256"},
		"no algorithm":                 {with(`"algorithms":["none"]`), "algorithms: not of RS256"},
		"an algorithm twice":           {with(`"algorithms":["ES256","ES256"]`), "algorithms: element 1 is there twice"},
		"a life without unit":          {with(`"max_life":"3600"`), "max_life: not a duration"},
		"a life that is a number":      {with(`"max_life":3600`), "max_life: a value of the wrong type"},
		"a life of a moment":           {with(`"max_life":"59s"`), "max_life: not 1m"},
		"a life of days":               {with(`"max_life":"24h1s"`), "max_life: not 1m"},
		"a life below zero":            {with(`"max_life":"-1h"`), "max_life: not 1m"},
		"provision that is a word":     {with(`"provision":"true"`), "provision: a value of the wrong type"},
		"require_sid that is a number": {with(`"require_sid":1`), "require_sid: a value of the wrong type"},
		"provision that is null":       {with(`"provision":null`), "provision: a value of the wrong type"},
		"an object where none can be":  {with(`"provision":{"a":1,"a":2}`), "provision: a value of the wrong type"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := external.Load(file(t, tc.content), own)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
	if _, err := external.Load(file(t, "")+".none", own); err == nil {
		t.Error("a file that is not there was read")
	}
}

const good = `{"issuer":"https://id.example.org","audiences":["a"]}`

func one(members string) string { return `{"issuers":[{` + members + `}]}` }

// member has an audience too, and with an issuer.
func member(members string) string { return one(members + `,"audiences":["a"]`) }

func with(members string) string {
	if !strings.Contains(members, `"audiences"`) {
		members += `,"audiences":["a"]`
	}
	return one(`"issuer":"https://a.example",` + members)
}

func elements(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"issuer":"https://id%d.example.org","audiences":["a"]}`, i))
	}
	return `{"issuers":[` + strings.Join(list, ",") + `]}`
}

func TestTheDescriptionSaysWhatIsTakenFromWhom(t *testing.T) {
	cfg, err := external.Parse([]byte(`{"issuers":[
		{"issuer":"https://z.example/","authorized_parties":["https://shop.example"],"jwks_url":"https://z.example/jwks.json","algorithms":["RS256"],"max_life":"90s","require_sid":true,"provision":true},
		{"issuer":"https://a.example/realms/shop","audiences":["shop","api"]},
		{"issuer":"http://127.0.0.1:9/","audiences":["x"],"authorized_parties":["y"],"jwks_file":"/keys/jwks.json","jwks_url":"","ca_file":"","algorithms":[]}
	]}`), own)
	if err != nil {
		t.Fatal(err)
	}
	issuers, err := external.Open(cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer issuers.Close()
	const want = `oidc issuer=http://127.0.0.1:9/ alg=RS256,PS256,ES256,ES384,EdDSA typ=at+jwt,jwt aud=x azp=y required=sub,exp,iat leeway=30s max-life=1h0m0s keys=/keys/jwks.json sid=false provision=false
oidc issuer=https://a.example/realms/shop alg=RS256,PS256,ES256,ES384,EdDSA typ=at+jwt,jwt aud=shop,api required=sub,exp,iat leeway=30s max-life=1h0m0s keys=discovery of https://a.example/realms/shop sid=false provision=false
oidc issuer=https://z.example/ alg=RS256 typ=at+jwt,jwt azp=https://shop.example required=sub,exp,iat leeway=30s max-life=1m30s keys=https://z.example/jwks.json sid=true provision=true`
	if got := issuers.Describe(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestIssuersThatCannotBeOpenedAreAnErrorAtTheStart(t *testing.T) {
	missing, err := external.Parse([]byte(with(`"ca_file":"/nonexistent/ca.pem"`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]external.Config{"authorities that are missing": missing, "no issuer": {}} {
		if issuers, err := external.Open(cfg, slog.New(slog.DiscardHandler), time.Now); err == nil {
			issuers.Close()
			t.Errorf("%s: opened", name)
		}
	}
}
