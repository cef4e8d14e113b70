package platform

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/load"
	"github.com/curfew-platform/curfew/e2e/stand"
)

// use puts the load on the platform for a moment. change may point it elsewhere.
func use(t *testing.T, change func(*load.Config)) load.Verdict {
	t.Helper()
	c := load.Config{
		Auth: []string{platform.Auth}, Orders: platform.Orders,
		Replicas:   load.Replicas{Auth: []string{platform.Auth}, Orders: platform.Orders, Logproc: []string{platform.Logproc}},
		AdminEmail: platform.AdminEmail, AdminPassword: platform.AdminPassword,
		Customers: 3, Pause: 5 * time.Millisecond, Thieves: 2, ThiefPause: 20 * time.Millisecond,
		Brokers: platform.Brokers, Topic: "logs", Rate: 5000,
	}
	change(&c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	v, err := load.Run(ctx, c, func() { time.AfterFunc(3*time.Second, cancel) })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func databases() load.Databases {
	return load.Databases{
		Orders: platform.OrdersOwner, Logproc: platform.LogprocOwner, Brokers: platform.Brokers,
		Topic: "logs", Group: "curfew-logproc", Patience: 30 * time.Second,
	}
}

func TestTheLoadFindsNothingWrongAndItsOraclesFindWhatIs(t *testing.T) {
	v := use(t, func(*load.Config) {})
	t.Logf("%+v", v)
	if v.Failed != 0 || v.Orders == 0 || v.Revocations == 0 || v.Checks < 4*v.Revocations || v.Produced == 0 {
		t.Errorf("%+v", v)
	}
	check := func() load.Findings {
		t.Helper()
		f, err := load.Check(t.Context(), databases(), v)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := check(); len(f.Wrong) > 0 || f.Numbered != v.Produced || f.Orders != v.Orders {
		t.Fatalf("%+v", f)
	}
	conn, err := stand.Connect(t.Context(), platform.LogprocOwner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const where = `trace_id = decode($1, 'hex') AND span_id = '\x0000000000000007'`
	if _, err := conn.Exec(t.Context(), "INSERT INTO logs SELECT * FROM logs WHERE "+where, v.Run); err != nil {
		t.Fatal(err)
	}
	if f := check(); f.Lost != 0 || f.Duplicated != 1 || f.NumberedDuplicated != 1 || len(f.Wrong) != 2 {
		t.Errorf("a record is there twice: %+v", f)
	}
	if _, err := conn.Exec(t.Context(), "DELETE FROM logs WHERE "+where, v.Run); err != nil {
		t.Fatal(err)
	}
	if f := check(); f.Lost != 1 || f.Duplicated != 0 || f.Numbered != v.Produced-1 || len(f.Wrong) != 2 {
		t.Errorf("a record is missing: %+v", f)
	}
	v.Orders++
	if f := check(); len(f.Wrong) != 3 {
		t.Errorf("an order is missing: %+v", f)
	}
}

func TestTheLoadSeesAReplicaThatKnowsNoRevocations(t *testing.T) {
	blind, err := platform.StartService(t.Context(), "orders", nil, "--revocation", "none", "--log-kafka-brokers", "")
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Kill()
	v := use(t, func(c *load.Config) { c.Replicas.Orders, c.Rate = append(c.Replicas.Orders, blind.GRPC), 0 })
	if v.Leaks == 0 || len(v.LeakSamples) == 0 || !strings.Contains(v.LeakSamples[0], blind.GRPC) {
		t.Errorf("%+v", v)
	}
}
