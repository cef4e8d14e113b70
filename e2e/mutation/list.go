package mutation

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// listName is where the list of a package is, seen from the package.
const listName = "testdata/mutations.txt"

// Mutation is one change of the code and the test that must catch it.
type Mutation struct {
	// Breaks says what the change breaks.
	Breaks string
	// Dir is the folder of the mutated package.
	Dir string
	// File is relative to Dir; From, which is there once, becomes To.
	File, From, To string
	// Test is the function that must fail, in the package in the folder Package.
	Test, Package string
	// CI is set if every change of the repository runs it.
	CI bool
}

// Where names the mutated file for people, relative to root.
func (m Mutation) Where(root string) string {
	rel, err := filepath.Rel(root, filepath.Join(m.Dir, m.File))
	if err != nil {
		return m.File
	}
	return filepath.ToSlash(rel)
}

// Find returns the mutations of all lists below root. Lists inside the test data
// of a package are not of the repository.
func Find(root string) ([]Mutation, error) {
	var all []Mutation
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if hidden := strings.HasPrefix(d.Name(), ".") && name != root; hidden || d.Name() == "node_modules" || d.Name() == "testdata" {
				return fs.SkipDir
			}
			list, err := Read(name)
			all = append(all, list...)
			return err
		}
		return nil
	})
	return all, err
}

// Read returns the mutations of the list of one package; none if it has no list.
func Read(dir string) ([]Mutation, error) {
	f, err := os.Open(filepath.Join(dir, listName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read mutations: %w", err)
	}
	defer func() { _ = f.Close() }()
	var list []Mutation
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			list = append(list, Mutation{Breaks: line[1 : len(line)-1], Dir: dir, Package: dir})
		case len(list) == 0:
			return nil, fmt.Errorf("%s:%d: an entry begins with what it breaks, in brackets", f.Name(), n)
		default:
			if err := list[len(list)-1].set(line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", f.Name(), n, err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read mutations: %w", err)
	}
	for _, m := range list {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("%s: [%s]: %w", f.Name(), m.Breaks, err)
		}
	}
	return list, nil
}

// set takes a line "key: value".
func (m *Mutation) set(line string) error {
	key, value, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%q is no key: value", line)
	}
	value = strings.TrimSpace(value)
	switch key {
	case "file":
		m.File = value
	case "from":
		m.From = joined(m.From, value)
	case "to":
		m.To = joined(m.To, value)
	case "test":
		m.Test = value
	case "package":
		m.Package = filepath.Join(m.Dir, value)
	case "size":
		if value != "ci" {
			return fmt.Errorf("no such size: %q", value)
		}
		m.CI = true
	default:
		return fmt.Errorf("no such key: %q", key)
	}
	return nil
}

func joined(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

var testName = regexp.MustCompile(`^(Test|Fuzz|Example)\w+$`)

func (m *Mutation) check() error {
	switch {
	case m.Breaks == "", m.File == "", m.From == "":
		return errors.New("needs what it breaks, file and from")
	case m.From == m.To:
		return errors.New("changes nothing")
	case !testName.MatchString(m.Test):
		return fmt.Errorf("%q is not the name of a test", m.Test)
	}
	return nil
}
