package guard

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/none"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
)

// addSource returns the source of revocations: conn is for questions, feeds are to
// be followed.
func addSource(rt *server.Runtime, settings *Settings, conn grpc.ClientConnInterface, feeds []*grpc.ClientConn) (revocation.Source, error) {
	switch settings.Revocation {
	case None:
		rt.Log.Warn("no revocations: a stolen token works until it expires")
		return none.Source{}, nil
	case Introspection:
		source, err := newIntrospection(settings, rt.Log, conn)
		if err != nil {
			return nil, err
		}
		return source, rt.Group.Add(lifecycle.Part{
			Name: "introspection", Phase: lifecycle.Close,
			Stop: func(context.Context) error { source.Close(); return nil },
		})
	default:
		return addFeed(rt, settings, feeds)
	}
}

// addFeed returns the watcher of the feed. Its part says whether it knows the
// revocations.
func addFeed(rt *server.Runtime, settings *Settings, feeds []*grpc.ClientConn) (*watcher.Watcher, error) {
	dial, err := watchergrpc.Dial(feeds...)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	w, err := watcher.New(watcher.Config{
		Dial:    dial,
		Replica: rt.Name + "@" + settings.replica(),
		Logger:  rt.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	if err := follow(rt.Group, w); err != nil {
		return nil, err
	}
	return w, nil
}

// follow runs the watcher from the start until the last call is over: it
// leaves the feed in the phase of that name, so that calls that drain are still
// under a lease and revocations do not wait for one that runs out.
func follow(g *lifecycle.Group, w *watcher.Watcher) error {
	task := g.Task("revocation feed", w.Run)
	return g.Add(lifecycle.Part{
		Name:  "revocation feed",
		Phase: lifecycle.Leave,
		Start: task.Start,
		Stop: func(ctx context.Context) error {
			err := w.Leave(ctx)
			if err != nil {
				err = fmt.Errorf("leave the feed: %w", err)
			}
			return errors.Join(err, task.Stop(ctx))
		},
		Kill:   task.Cancel,
		Health: Health(w),
	})
}
