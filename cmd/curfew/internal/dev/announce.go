package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/guard"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/state"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/token"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// addAnnouncement adds the last part to start and the first to stop: it logs
// the seeded users in, writes the file env, tells the user, and runs the
// command.
func (r *runner) addAnnouncement(command []string) error {
	conn, err := grpc.NewClient(address(r.ports.auth), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to auth: %w", err)
	}
	var running *guard.Command
	wait := r.group.Task("command", func(context.Context) error {
		running.Wait()
		r.group.Shutdown(nil)
		return nil
	})
	return r.group.Add(lifecycle.Part{
		Name: "announcement", Phase: lifecycle.Announce,
		Start: func(ctx context.Context) (err error) {
			if err := r.awaitEdges(ctx); err != nil {
				return err
			}
			if err := r.tokens(ctx, conn); err != nil {
				return err
			}
			if err := r.folder.Write("env", r.vars.Shell()); err != nil {
				return err
			}
			if len(command) == 0 {
				_, err := fmt.Fprint(r.stdout, r.banner())
				return err
			}
			r.show.Printf("ready, running %s", command[0])
			if running, err = guard.Start([]string{"run", "guard"}, command, r.vars.Environ()); err != nil {
				return err
			}
			return wait.Start(ctx)
		},
		Stop: func(ctx context.Context) error {
			var err error
			if running != nil {
				err = errors.Join(running.Stop(ctx), wait.Stop(ctx))
				r.status = running.Status()
			}
			return errors.Join(err, retract(r.folder), conn.Close())
		},
	})
}

// tokens writes both token files and keeps them fresh. A user whose password
// was changed keeps nobody from working.
func (r *runner) tokens(ctx context.Context, conn grpc.ClientConnInterface) error {
	for _, user := range []struct{ email, password, file string }{
		{customerEmail, r.secrets.Customer, "token"},
		{adminEmail, r.secrets.Admin, "admin-token"},
	} {
		keeper := token.NewKeeper(conn, user.email, user.password, func(text string) error {
			return r.folder.Write(user.file, []byte(text+"\n"))
		}, r.log)
		err := keeper.Login(ctx)
		if err == nil {
			err = keeper.Await(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.show.Printf("no token for %s (%v); --reset starts with new users", user.email, err)
		}
		r.group.Go("token of "+user.email, func(ctx context.Context) error {
			keeper.Keep(ctx)
			return nil
		})
	}
	return nil
}

// retract removes what is true only while the environment runs.
func retract(folder *state.Folder) error {
	var errs []error
	for _, name := range []string{"env", "token", "admin-token"} {
		if err := os.Remove(folder.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// banner is what somebody who started the environment wants to know.
func (r *runner) banner() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("")
	line("  auth      %s", address(r.ports.auth))
	line("  orders    %s", strings.Join(addresses(r.ports.orders), " "))
	line("  logproc   %s", address(r.ports.logproc))
	line("  HTTP      http://%s  (/auth /orders /logproc)", address(r.ports.http))
	line("  Kafka     %s", strings.Join(r.brokers, " "))
	line("  env       . %s", r.folder.Path("env"))
	line("  tokens    %s (customer), %s (admin)", r.folder.Path("token"), r.folder.Path("admin-token"))
	line("")
	call := fmt.Sprintf(`curl -s -H "authorization: Bearer $TOKEN" http://%s/auth/v1/me`, address(r.ports.http))
	line("A call:")
	line("")
	line("  TOKEN=$(cat %s)", r.folder.Path("token"))
	line("  %s", call)
	line(`  grpcurl -plaintext -H "authorization: Bearer $TOKEN" -d '{}' %s curfew.orders.v1.CatalogService/ListProducts`, address(r.ports.orders[0]))
	line("")
	line("Revoke the token, then call again: TOKEN_REVOKED, on every service, from the moment the first command returns.")
	line("")
	line(`  curl -s -X POST -H "authorization: Bearer $TOKEN" -d '{}' http://%s/auth/v1/sessions:logout`, address(r.ports.http))
	line("  %s", call)
	line("")
	line("Ctrl-C drains and stops; a second one forces.")
	return b.String()
}
