package logproc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/pkg/server"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/control"
	"github.com/curfew-platform/curfew/services/logproc/internal/kafka"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/parent"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
	"github.com/curfew-platform/curfew/services/logproc/internal/rpc"
)

const (
	// commitEvery spaces the group offsets, which are for lag tools only.
	commitEvery = time.Second
	openTimeout = 30 * time.Second
	// finalTimeout bounds what the stop asks the database for its report.
	finalTimeout = 1500 * time.Millisecond
)

// pipeline is the parent's side of the workers: supervisor, group member, and
// what decides between them.
type pipeline struct {
	rt       *server.Runtime
	cfg      *Config
	books    *postgres.Books
	instance string
	parent   *parent.Parent
	workers  *supervisor.Supervisor
	isolated *isolations
	exited   func(supervisor.Exit) // counts them; nil for nobody

	mu     sync.Mutex
	member *kafka.Member
}

// addPipeline adds the workers and the group member to the group of the
// runtime. Workers start first; then the topics are opened and the group is
// joined. The stop goes the other way round: no more grants, workers drained,
// the report, the group left.
func addPipeline(rt *server.Runtime, cfg *Config, books *postgres.Books) (*pipeline, error) {
	instance, err := cfg.instance()
	if err != nil {
		return nil, &lifecycle.UsageError{Err: err}
	}
	env, err := workerEnv(cfg)
	if err != nil {
		return nil, err
	}
	p := &pipeline{rt: rt, cfg: cfg, books: books, instance: instance}
	p.isolated = &isolations{pipeline: p, env: env, running: map[ledger.Key]*supervisor.Supervisor{}}
	p.parent = parent.New(parent.Config{
		Group: p, Books: books, Isolator: p.isolated, Slots: cfg.Workers, Log: rt.LocalLog, Go: rt.Group.Go,
	})
	if err := rt.Group.Add(lifecycle.Part{Name: "report of records", Phase: lifecycle.Commit, Stop: p.report}); err != nil {
		return nil, err
	}
	if err := rt.Group.Add(lifecycle.Part{Name: "group membership", Phase: lifecycle.Leave, Stop: p.leave}); err != nil {
		return nil, err
	}
	if p.workers, err = supervisor.Add(rt.Group, supervisor.Spec{
		Name: "worker", Slots: cfg.Workers, Args: append(append([]string{}, rt.Reexec...), workerName), Env: env,
		MemoryLimit: heapTarget, Log: rt.LocalLog,
		Restart: supervisor.RestartPolicy{Min: 50 * time.Millisecond, Max: 2 * time.Second, Intensity: 20 * cfg.Workers},
		OnReady: func(ctx context.Context, c supervisor.Child) error {
			p.parent.WorkerReady(ctx, c.Slot(), c.Generation(), control.NewClient(c.Conn()))
			return nil
		},
		OnExit: func(e supervisor.Exit) {
			p.count(e)
			p.parent.WorkerExit(context.Background(), e.Slot, e.Generation)
		},
	}); err != nil {
		return nil, err
	}
	return p, rt.Group.Add(lifecycle.Part{Name: "assignment", Phase: lifecycle.IntakeOff, Start: p.join, Stop: p.intakeOff})
}

// count counts the end of a process.
func (p *pipeline) count(e supervisor.Exit) {
	if p.exited != nil {
		p.exited(e)
	}
}

// join opens the topics in the ledger and joins the group.
func (p *pipeline) join(ctx context.Context) error {
	open, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for _, topic := range p.cfg.Topics {
		if err := p.open(open, topic); err != nil {
			return err
		}
	}
	member, err := kafka.Join(kafka.MemberConfig{
		Brokers: p.cfg.KafkaBrokers, Security: p.cfg.Kafka.Options(p.rt.LocalLog), Group: p.cfg.Group, InstanceID: p.instance, Topics: p.cfg.Topics,
		SessionTimeout: p.cfg.SessionTimeout, Assigned: p.parent.Assigned, Revoked: p.parent.Revoked, Log: p.rt.LocalLog,
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.member = member
	p.mu.Unlock()
	p.rt.Group.Go("group member", member.Run)
	p.rt.Group.Go("group offsets", p.commit)
	return nil
}

// open writes where a topic's partitions begin, at the pipeline's first start.
func (p *pipeline) open(ctx context.Context, topic string) error {
	begun, err := p.books.Begun(ctx, topic)
	if err != nil || begun {
		return err
	}
	openings, err := kafka.Openings(ctx, p.cfg.KafkaBrokers, topic, p.cfg.Start, p.cfg.Kafka.Options(p.rt.LocalLog)...)
	if err != nil {
		return err
	}
	return p.books.Open(ctx, topic, p.cfg.Start, openings)
}

// commit tells the group how far the partitions are, until the stop; the last
// time is in the report.
func (p *pipeline) commit(ctx context.Context) error {
	ticker := time.NewTicker(commitEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			p.parent.CommitOffsets(ctx)
		}
	}
}

// intakeOff ends the granting; the supervisor tells the workers to drain.
func (p *pipeline) intakeOff(context.Context) error {
	p.parent.Stop()
	return nil
}

// report says what became of every record that was read, after the workers
// are gone.
func (p *pipeline) report(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, finalTimeout)
	defer cancel()
	// The report first: the group offsets are for lag tools only.
	r := p.parent.Final(call)
	p.parent.CommitOffsets(call)
	for _, s := range r.Silent {
		p.rt.LocalLog.Warn("no report of a killed worker", "slot", s.Slot, "isolation", s.Isolation, "partition", s.Key.String(),
			"from", s.From, "to", s.To, "stored", s.Tally.Stored, "handed_back", s.Tally.HandedBack)
	}
	for _, u := range r.Unresolved {
		p.rt.LocalLog.Warn("commit is unresolved", "partition", u.Key.String(), "from", u.From, "to", u.To, "xid", u.XID)
	}
	p.rt.LocalLog.Info("pipeline stopped", "records", r.Line(), "no_report", len(r.Silent), "open", r.Open)
	if lost := r.Lost(); lost != 0 {
		return fmt.Errorf("%d records are not accounted for", lost)
	}
	return nil
}

// leave closes the membership. A static member stays in the group, so that a
// restart finds its partitions.
func (p *pipeline) leave(ctx context.Context) error {
	if m := p.groupMember(); m != nil {
		m.Close(ctx)
	}
	return nil
}

func (p *pipeline) groupMember() *kafka.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.member
}

var errNotJoined = errors.New("the group is not joined yet")

// Heartbeat implements parent.Group.
func (p *pipeline) Heartbeat(ctx context.Context) error {
	if m := p.groupMember(); m != nil {
		return m.Heartbeat(ctx)
	}
	return errNotJoined
}

// Generation implements parent.Group.
func (p *pipeline) Generation() int32 {
	if m := p.groupMember(); m != nil {
		return m.Generation()
	}
	return -1
}

// Commit implements parent.Group.
func (p *pipeline) Commit(ctx context.Context, generation int32, offsets map[ledger.Key]int64) error {
	if m := p.groupMember(); m != nil {
		return m.Commit(ctx, generation, offsets)
	}
	return errNotJoined
}

// lag is for the list of partitions.
func (p *pipeline) lag(ctx context.Context, next map[ledger.Key]int64) map[ledger.Key]int64 {
	if m := p.groupMember(); m != nil {
		return m.Lag(ctx, next)
	}
	return nil
}

// processes lists the workers and the isolation processes.
func (p *pipeline) processes() []rpc.Process {
	var list []rpc.Process
	for _, c := range p.workers.Children() {
		list = append(list, process(c))
	}
	return append(list, p.isolated.processes()...)
}

func process(c supervisor.Status) rpc.Process {
	state := logprocv1.Worker_STATE_STARTING
	switch c.State {
	case supervisor.StateReady:
		state = logprocv1.Worker_STATE_READY
	case supervisor.StateStopping, supervisor.StateStopped:
		state = logprocv1.Worker_STATE_DRAINING
	}
	return rpc.Process{Slot: c.Slot, Pid: c.Pid, Generation: c.Generation, State: state}
}
