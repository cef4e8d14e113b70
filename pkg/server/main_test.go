package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// config is what a small service is configured with.
type config struct {
	Settings

	DatabaseURL string `name:"database-url"`
	KeysetFile  string
	Parallel    int `default:"4"`
}

func (c *config) Common() *Settings { return &c.Settings }

func (c *config) Validate() error {
	var err error
	if c.KeysetFile == "" {
		err = errors.New("--keyset-file is required")
	}
	return errors.Join(c.Settings.Validate(), err)
}

func command(c *config) Command {
	return Command{
		Name: "shop", Description: "A shop.", Config: c,
		Serve: func(context.Context, *Runtime) error { return errors.New("cannot serve here") },
		Check: func(w io.Writer) error { _, err := fmt.Fprintln(w, "chain: everything"); return err },
		Migrate: func(_ context.Context, rt *Runtime) error {
			_, err := fmt.Fprintln(rt.Stdout, "migrated", c.DatabaseURL)
			return err
		},
		Subcommands: []Subcommand{
			{Name: "worker", Help: "A worker.", Hidden: true, Run: func(context.Context, *Runtime) error { return nil }},
		},
	}
}

func TestTheCommandLineOfAService(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		code int
		want string // somewhere in the output
		not  string // nowhere in it
	}{
		{"help names commands and flags", []string{"--help"}, nil, 0, "migrate", "worker"},
		{"help names the environment", []string{"--help"}, nil, 0, "CURFEW_SHOP_KEYSET_FILE", ""},
		{"version", []string{"--version"}, nil, 0, "shop ", ""},
		{"an unknown flag is usage", []string{"--nonsense"}, nil, 2, "unknown flag --nonsense", ""},
		{"an unparsable grace is usage", []string{"--grace", "soon"}, nil, 2, "--grace", ""},
		{"all that is missing is said before serving", []string{"--grace", "0s"}, nil, 2, "--keyset-file is required", ""},
		{"a grace of nothing is refused", []string{"--grace", "0s"}, nil, 2, "--grace must be positive", ""},
		{"plaintext stays on loopback", []string{"--listen", "0.0.0.0:80", "--keyset-file", "x"}, nil, 2, "is not loopback", ""},
		{"plaintext of the edge too", []string{"--http-listen", "0.0.0.0:80", "--keyset-file", "x"}, nil, 2, "--http-listen 0.0.0.0:80 is not loopback", ""},
		{"plaintext elsewhere is on purpose", []string{"--check", "--insecure", "--listen", "0.0.0.0:80", "--keyset-file", "x"}, nil, 0, "--insecure=true", ""},
		{"a key without its certificate", []string{"--tls-key", "x", "--keyset-file", "x"}, nil, 2, "--tls-cert and --tls-key go together", ""},
		{"authorities without a certificate", []string{"--tls-client-ca", "x", "--keyset-file", "x"}, nil, 2, "--tls-client-ca needs --tls-cert", ""},
		{"a budget that cannot be kept is refused with its table", []string{"--grace", "1s", "--keyset-file", "x"}, nil, 2, "grace", ""},
		{"check prints the chain", []string{"--check", "--keyset-file", "x"}, nil, 0, "chain: everything", ""},
		{"check hides passwords", []string{"--check", "--keyset-file", "x", "--database-url", "postgres://u:s3cret@h/d"}, nil, 0, "postgres://u:xxxxx@h/d", "s3cret"},
		{"check fails as serving would", []string{"--check"}, nil, 2, "--keyset-file is required", ""},
		{"check refuses a grace that cannot be kept", []string{"--check", "--keyset-file", "x", "--grace", "1s"}, nil, 2, "grace", ""},
		{"check says how long a stop may drain", []string{"--check", "--keyset-file", "x", "--grace", "30s", "--propagation", "5s"}, nil, 0, "stop: the longest drain is 16s", ""},
		{"the environment counts", []string{"--check"}, map[string]string{"CURFEW_SHOP_KEYSET_FILE": "k"}, 0, "--keyset-file=k", ""},
		{"the command line beats it", []string{"--check", "--keyset-file", "mine"}, map[string]string{"CURFEW_SHOP_KEYSET_FILE": "k"}, 0, "--keyset-file=mine", ""},
		{"a port that is none", []string{"--listen", "127.0.0.1:99999", "--keyset-file", "x"}, nil, 2, `--listen "127.0.0.1:99999": "99999" is no port`, ""},
		{"an address that is none is said once", []string{"--listen", "x", "--keyset-file", "x"}, nil, 2, `--listen "x": expected host:port`, "loopback"},
		{"a rate that is none", []string{"--identity-rate", "NaN", "--keyset-file", "x"}, nil, 2, "--identity-rate NaN", "address"},
		{"certificates that are none", []string{"--check", "--tls-cert", "/none", "--tls-key", "/none", "--keyset-file", "x"}, nil, 2, "--tls-cert, --tls-key and --tls-client-ca: ", ""},
		{"a device is not replaced by the file of addresses", []string{"--check", "--addr-file", os.DevNull, "--keyset-file", "x"}, nil, 2, "--addr-file " + os.DevNull + ": is not a file", ""},
		{"a folder that is not there", []string{"--check", "--addr-file", "/none/addr.json", "--keyset-file", "x"}, nil, 2, "--addr-file /none/addr.json: there is no such folder", ""},
		{"an empty path is none", []string{"--addr-file=", "--keyset-file", "x"}, nil, 1, "cannot serve here", ""},
		{"an empty path of the environment is none", []string{"--keyset-file", "x"}, map[string]string{"CURFEW_SHOP_ADDR_FILE": ""}, 1, "cannot serve here", ""},
		{"a command that ends by itself", []string{"migrate", "--database-url", "x"}, nil, 0, "migrated x", ""},
		{"a service that cannot be composed ends with 1", []string{"--keyset-file", "x"}, nil, 1, "cannot serve here", ""},
		{"the same when it is named", []string{"serve", "--keyset-file", "x"}, nil, 1, "cannot serve here", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			var out bytes.Buffer
			if code := run(command(&config{}), test.args, nil, &out, &out); code != test.code {
				t.Errorf("exit status %d, want %d", code, test.code)
			}
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("%q is not in:\n%s", test.want, out.String())
			}
			if test.not != "" && strings.Contains(out.String(), test.not) {
				t.Errorf("%q is in:\n%s", test.not, out.String())
			}
		})
	}
}

func TestASignalCancelsACommandThatEndsByItself(t *testing.T) {
	cmd := command(&config{})
	cmd.Subcommands[0].Run = func(ctx context.Context, _ *Runtime) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return errors.New("interrupted")
	}
	var stdout, stderr bytes.Buffer
	if code := run(cmd, []string{"worker"}, nil, &stdout, &stderr); code != exitError || stderr.String() != "shop worker: interrupted\n" {
		t.Errorf("exit status %d: %s", code, stderr.String())
	}
}
