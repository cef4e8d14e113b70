package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/pkg/lifecycle/systemd"
	"github.com/curfew-platform/curfew/pkg/server/logship"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

// Exit codes of Main beside those of lifecycle.ExitCode.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// serveName is the command that runs when none is named.
const serveName = "serve"

type rootFlags struct {
	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`
	Check   bool             `env:"-" help:"Validate, print the configuration without secrets and the effective chain, and exit."`
}

// exit is how kong asks to end the process from within its parser.
type exit int

// Main runs the command line of a service and returns the exit status of the
// process: 0 for success, 1 for an error, 2 for wrong usage, 3 for a stop that
// missed its deadline. reexec is how this command line is reached again.
func Main(cmd Command, args []string, reexec ...string) (code int) {
	return run(cmd, args, reexec, os.Stdout, os.Stderr)
}

func run(cmd Command, args, reexec []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	flags, parser, err := newParser(cmd, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", cmd.Name, err)
		return exitError
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\nRun \"%s --help\" for the flags.\n", cmd.Name, err, cmd.Name)
		return exitUsage
	}
	name := strings.Fields(parsed.Command())[0]
	if flags.Check {
		return check(cmd, parsed, stdout, stderr)
	}
	rt := &Runtime{Name: cmd.Name, Version: Version(), Reexec: reexec, Stdout: stdout}
	sub := lookup(cmd, name)
	if sub.Supervised {
		return supervised(cmd, sub, rt, stderr)
	}
	return oneShot(cmd, sub, rt, stderr)
}

// WriteHelp writes what --help prints, for the reference pages.
func WriteHelp(cmd Command, w io.Writer) { run(cmd, []string{"--help"}, nil, w, w) }

// WriteCheck writes what a process with the default flags would enforce, for
// the reference pages.
func WriteCheck(cmd Command, w io.Writer) error {
	_, parser, err := newParser(cmd, w, w)
	if err != nil {
		return err
	}
	if _, err := parser.Parse(nil); err != nil {
		return fmt.Errorf("parse defaults: %w", err)
	}
	return cmd.Check(w)
}

func newParser(cmd Command, stdout, stderr io.Writer) (*rootFlags, *kong.Kong, error) {
	flags := &rootFlags{}
	options := []kong.Option{
		kong.Name(cmd.Name),
		kong.Description(cmd.Description),
		kong.DefaultEnvars("CURFEW_" + strings.ToUpper(cmd.Name)),
		kong.Vars{"version": cmd.Name + " " + Version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Embed(cmd.Config),
		Paths(),
		kong.DynamicCommand(serveName, "Serve until SIGTERM (the default).", "", &struct{}{}, `default:"1"`),
	}
	for _, sub := range subcommands(cmd) {
		args := sub.Args
		if args == nil {
			args = &struct{}{}
		}
		var tags []string
		if sub.Hidden {
			tags = append(tags, `hidden:""`)
		}
		options = append(options, kong.DynamicCommand(sub.Name, sub.Help, "", args, tags...))
	}
	parser, err := kong.New(flags, options...)
	return flags, parser, err
}

// Paths is how a command line reads paths: an empty one stays empty, and so turns
// its flag off, in a variable too. Kong would read the working directory.
func Paths() kong.Option {
	return kong.NamedMapper("path", kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var path string
		if err := ctx.Scan.PopValueInto("file", &path); err != nil {
			return err //nolint:wrapcheck // The flag is named by the parser.
		}
		if path != "" {
			path = kong.ExpandPath(path)
		}
		target.SetString(path)
		return nil
	}))
}

func subcommands(cmd Command) []Subcommand {
	all := cmd.Subcommands
	if cmd.Migrate != nil {
		all = append([]Subcommand{{
			Name: "migrate",
			Help: "Bring the database schema up to date, as its owner.",
			Run:  cmd.Migrate,
		}}, all...)
	}
	return all
}

func lookup(cmd Command, name string) Subcommand {
	for _, sub := range subcommands(cmd) {
		if sub.Name == name {
			return sub
		}
	}
	return Subcommand{Name: serveName, Supervised: true, Run: cmd.Serve}
}

// check prints the configuration and the chain; the exit status says whether a
// serving process would start with them.
func check(cmd Command, parsed *kong.Context, stdout, stderr io.Writer) int {
	printConfig(stdout, parsed)
	if err := cmd.Config.Validate(); err != nil {
		return usage(stderr, cmd.Name, err)
	}
	group, err := newGroup(cmd.Config.Common(), &Runtime{Log: slog.New(slog.DiscardHandler)}, io.Discard)
	if err != nil {
		return usage(stderr, cmd.Name, err)
	}
	fmt.Fprintf(stdout, "\nstop: the longest drain is %v\n%s", group.Plan().Longest(lifecycle.Drain), group.Plan())
	if cmd.Check == nil {
		return exitOK
	}
	if err := cmd.Check(stdout); err != nil {
		return usage(stderr, cmd.Name, err)
	}
	return exitOK
}

func usage(stderr io.Writer, name string, err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "%s: %s\n", name, line)
	}
	return exitUsage
}

// commandLimit is far above what any command that ends by itself takes.
const commandLimit = 24 * time.Hour

// oneShot runs a command that ends by itself as the start of a group: a signal
// cancels it, and one that takes long says how far it is.
func oneShot(cmd Command, sub Subcommand, rt *Runtime, stderr io.Writer) int {
	rt.LocalLog = newLogger(rt, cmd.Config.Common(), stderr, nil)
	rt.Log = rt.LocalLog
	group, err := lifecycle.New(lifecycle.WithStartTimeout(commandLimit), lifecycle.WithReportWriter(nil),
		lifecycle.WithBudget(lifecycle.Close, time.Second, 0), // all of the grace for the command, there is nothing else
		lifecycle.WithLogger(slog.New(logship.Handler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}, nil))))
	if err != nil {
		return usage(stderr, cmd.Name, err)
	}
	done := make(chan error, 1)
	if err := group.Add(lifecycle.Part{Name: sub.Name, Phase: lifecycle.Close, Start: func(ctx context.Context) error {
		done <- lifecycle.Unrecovered(func(ctx context.Context) error { return sub.Run(ctx, rt) })(ctx)
		group.Shutdown(nil)
		return nil
	}}); err != nil {
		return usage(stderr, cmd.Name, err)
	}
	stopped := group.Run(context.Background())
	select {
	case err = <-done:
	default:
		err = stopped // a signal came, and the command did not heed it
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s %s: %v\n", cmd.Name, sub.Name, err)
		return exitError
	}
	return exitOK
}

// supervised runs a command under a lifecycle group until it is stopped.
func supervised(cmd Command, sub Subcommand, rt *Runtime, stderr io.Writer) int {
	if err := cmd.Config.Validate(); err != nil {
		return usage(stderr, cmd.Name, err)
	}
	settings := cmd.Config.Common()
	rt.LocalLog = newLogger(rt, settings, stderr, nil)
	var shipper *logship.Shipper
	if len(settings.LogKafkaBrokers) > 0 {
		var err error
		if shipper, err = logship.New(settings.LogKafkaBrokers, settings.LogKafkaTopic, stderr, settings.Kafka.Options(rt.LocalLog)...); err != nil {
			return usage(stderr, cmd.Name, err)
		}
		defer shipper.Close()
	}
	if settings.Telemetry == telemetryOTLP {
		var err error
		if rt.Telemetry, err = otlp.New(context.Background(), rt.Name, rt.Version, rt.LocalLog); err != nil {
			return usage(stderr, cmd.Name, err)
		}
	}
	rt.Log = slog.New(rt.Telemetry.Handler(newLogger(rt, settings, stderr, shipper).Handler()))
	if sub.Name != serveName && supervisor.IsChild() {
		// A process of the service's own: the parent writes its lines again and
		// says which service they are of.
		rt.LocalLog = slog.New(logship.Handler(stderr, &slog.HandlerOptions{Level: settings.LogLevel}, nil))
		rt.Log = rt.LocalLog
	}
	if err := MeasureCertificates(rt.Telemetry.Meters(), "kafka", settings.Kafka.Certificates(nil)); err != nil {
		return usage(stderr, cmd.Name, err)
	}
	group, err := newGroup(settings, rt, stderr)
	if err != nil {
		return usage(stderr, cmd.Name, err)
	}
	rt.Group = group
	manager, err := systemd.Add(group)
	if err != nil {
		return usage(stderr, cmd.Name, err)
	}
	if err := rt.Telemetry.Add(group); err != nil {
		return usage(stderr, cmd.Name, err)
	}
	if err := compose(sub, rt); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", cmd.Name, err)
		if ue := (*lifecycle.UsageError)(nil); errors.As(err, &ue) {
			return exitUsage
		}
		return exitError
	}
	err = group.Run(context.Background())
	manager.Finished(group.Report())
	if err != nil {
		rt.LocalLog.Error("stopped", "error", err)
	}
	return lifecycle.ExitCode(err)
}

func newGroup(settings *Settings, rt *Runtime, stderr io.Writer) (*lifecycle.Group, error) {
	options := []lifecycle.Option{
		lifecycle.WithGrace(settings.Grace),
		lifecycle.WithPreStop(settings.PreStop),
		lifecycle.WithPropagation(settings.Propagation),
		lifecycle.WithStartTimeout(settings.StartTimeout),
		lifecycle.WithLogger(rt.Log),
		lifecycle.WithReportWriter(stderr),
	}
	if !supervisor.IsChild() { // To a child SIGHUP says that its parent has died.
		options = append(options, lifecycle.WithHangUp())
	}
	if settings.TerminationMessage != "" {
		options = append(options, lifecycle.WithTerminationMessage(settings.TerminationMessage))
	}
	return lifecycle.New(options...)
}

// compose adds the service to the group and, in a supervised child, ties the
// group to the parent: it tells when the service is ready and drains when told.
func compose(sub Subcommand, rt *Runtime) error {
	if supervisor.IsChild() {
		agent, err := supervisor.Attach(rt.Group)
		if err != nil {
			return fmt.Errorf("attach to the supervisor: %w", err)
		}
		rt.Agent = agent
	}
	return sub.Run(context.Background(), rt)
}

func newLogger(rt *Runtime, settings *Settings, stderr io.Writer, shipper *logship.Shipper) *slog.Logger {
	h := logship.Handler(stderr, &slog.HandlerOptions{Level: settings.LogLevel}, shipper)
	return slog.New(h.WithAttrs([]slog.Attr{slog.String("service", rt.Name), slog.String("version", rt.Version)}))
}

// Version is what the linker stamped into this program, else the module's version.
func Version() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// stamped is set by -ldflags "-X .../pkg/server.stamped=v1.2.3".
var stamped string
