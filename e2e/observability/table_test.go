package observability

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is what docs/telemetry.md says of a metric.
type row struct {
	kind, unit string
	attributes []string
	services   []string
}

var (
	rowLine = regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| ([a-z-]+), (\\S+) \\|([^|]*)\\| ([a-z, ]+) \\|")
	quoted  = regexp.MustCompile("`([^`]+)`")
)

// table is docs/telemetry.md.
func table(t *testing.T) map[string]row {
	t.Helper()
	rows := map[string]row{}
	for _, m := range rowLine.FindAllStringSubmatch(read(t, "docs", "telemetry.md"), -1) {
		r := row{kind: m[2], unit: m[3], services: strings.Split(m[5], ", ")}
		if m[5] == "all" {
			r.services = []string{"auth", "logproc", "orders"}
		}
		for _, a := range quoted.FindAllStringSubmatch(m[4], -1) {
			r.attributes = append(r.attributes, a[1])
		}
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s is there twice", m[1])
		}
		rows[m[1]] = r
	}
	if len(rows) < 40 {
		t.Fatalf("only %d rows were understood", len(rows))
	}
	return rows
}

// rare are metrics that a short run need not have: GOMEMLIMIT is not set, no part of a service had work for long enough, and
// there is no TLS.
var rare = []string{"go.memory.limit", "lifecycle.part.rate", "curfew.certificate.expiry", "curfew.certificate.life"}

func TestTheTableOfMetricsIsWhatTheServicesSend(t *testing.T) {
	rows, sent := table(t), collector.Metrics()
	for name, r := range rows {
		m, ok := sent[name]
		if !ok {
			if !slices.Contains(rare, name) {
				t.Errorf("%s is in the table and nobody sends it", name)
			}
			continue
		}
		if m.Kind != r.kind || m.Unit != r.unit {
			t.Errorf("%s is a %s in %s, the table has %s, %s", name, m.Kind, m.Unit, r.kind, r.unit)
		}
		for _, a := range slices.Sorted(maps.Keys(m.Attributes)) {
			if !slices.Contains(r.attributes, a) {
				t.Errorf("%s has the attribute %s, the table has %v", name, a, r.attributes)
			}
		}
		for _, a := range r.attributes {
			if !m.Attributes[a] && a != "error.type" {
				t.Errorf("%s never has the attribute %s of the table", name, a)
			}
		}
		for service := range m.Services {
			if !slices.Contains(r.services, service) && service != slowService {
				t.Errorf("%s comes from %s, the table has %v", name, service, r.services)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if _, ok := rows[name]; !ok {
			t.Errorf("%s is not in the table: %+v", name, sent[name])
		}
	}
}

func TestLogsOfEveryServiceArriveAndNameTheTraceOfTheirCall(t *testing.T) {
	services, traced := map[string]bool{}, 0
	for _, r := range collector.Records() {
		services[r.Resource["service.name"]] = true
		if r.Trace != "" {
			traced++
		}
	}
	if fmt.Sprint(slices.Sorted(maps.Keys(services))) != "[auth logproc orders]" || traced == 0 {
		t.Errorf("logs of %v, %d with a trace", services, traced)
	}
}

// hostile are values that no signal may ever have: JSON web tokens, refresh tokens and passwords.
var hostile = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|(?i)password["=: ]+[^ \[]{8,}`)

func TestNoSignalHasAToken(t *testing.T) {
	look := func(what string, attributes map[string]string) {
		for name, value := range attributes {
			if hostile.MatchString(value) {
				t.Errorf("%s has %s %q", what, name, value)
			}
		}
	}
	records, spans := collector.Records(), collector.Spans()
	for _, r := range records {
		look("the record "+r.Text, r.Attributes)
		look("the record "+r.Text, map[string]string{"text": r.Text})
	}
	for _, s := range spans {
		look("the span "+s.Name, s.Attributes)
	}
	if len(records) == 0 || len(spans) == 0 {
		t.Errorf("%d records and %d spans", len(records), len(spans))
	}
}
