package state

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Env is an ordered list of variables. Setting a name again replaces its value.
type Env struct {
	names  []string
	values map[string]string
}

// Set sets a variable.
func (e *Env) Set(name, value string) {
	if e.values == nil {
		e.values = map[string]string{}
	}
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

// Environ returns the variables on top of those of this process, for a child.
// Settings of services that this process inherited are left out: they belong to
// another environment.
func (e *Env) Environ() []string {
	environ := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "CURFEW_") && !strings.HasPrefix(variable, "CURFEW_TEST_")
	})
	for _, name := range e.names {
		environ = append(environ, name+"="+e.values[name])
	}
	return environ
}

// Shell returns export lines for a POSIX shell.
func (e *Env) Shell() []byte {
	var b strings.Builder
	for _, name := range e.names {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(e.values[name], "'", `'\''`))
	}
	return []byte(b.String())
}
