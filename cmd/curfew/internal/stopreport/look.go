package stopreport

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// The columns of a drawing.
const (
	leastWidth   = 60
	defaultWidth = 100
	mostWidth    = 240
)

// look is how a drawing looks.
type look struct {
	width  int
	colour bool
	plain  bool   // ASCII only
	bar    string // a cell in use
	unused string // a cell up to the deadline
	limit  string // the cell of the deadline
	cut    string // what was shortened ends with it
}

// newLook finds out what the terminal can do.
func newLook(flags *Flags, out io.Writer) look {
	columns, terminal := size(out)
	l := look{bar: "█", unused: "·", limit: "│", cut: "…"}
	if flags.ASCII || !utf8Locale() {
		l.plain, l.bar, l.unused, l.limit, l.cut = true, "#", ".", "|", "~"
	}
	l.colour = terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	for _, w := range []int{flags.Width, columns, variable("COLUMNS"), defaultWidth} {
		if w > 0 {
			l.width = min(max(w, leastWidth), mostWidth)
			break
		}
	}
	return l
}

// size returns the columns of the terminal that out is, and whether it is one.
func size(out io.Writer) (columns int, terminal bool) {
	f, ok := out.(*os.File)
	if !ok {
		return 0, false
	}
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(ws.Col), true
}

func variable(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return 0
	}
	return n
}

// utf8Locale reports whether the environment says that text is UTF-8, by the first of the variables that is set (POSIX.1,
// 8.2).
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// paint colours the outcome of something.
func (l look) paint(o lifecycle.Outcome, text string) string {
	if !l.colour {
		return text
	}
	colour := "0"
	switch o {
	case lifecycle.Clean:
		colour = "32"
	case lifecycle.Skipped, lifecycle.Underway:
		colour = "2"
	case lifecycle.Failed, lifecycle.Forced:
		colour = "33"
	case lifecycle.Abandoned:
		colour = "31"
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// fit makes text exactly so many columns wide.
func (l look) fit(text string, columns int) string {
	runes := []rune(text)
	if len(runes) > columns {
		return string(runes[:columns-1]) + l.cut
	}
	return text + strings.Repeat(" ", columns-len(runes))
}
