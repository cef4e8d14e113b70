package stopreport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// mark is in every report, whatever wrote it again: a log collector, a terminal, kubectl.
	mark = "stop report"
	// maxLine bounds a line that may hold a report, in bytes; reports are a few kilobytes.
	maxLine = 1 << 20
	// maxReports bounds what is kept of an input, the last ones.
	maxReports = 1000
	// maxStarts bounds how often a line is tried for the beginning of a report.
	maxStarts = 16
	// maxWraps bounds how often a report may be a string inside another object.
	maxWraps = 3
)

// report is one report of the input.
type report struct {
	lifecycle.Report

	raw []byte // one line of JSON
	cut bool   // its end was missing
	of  string // the process, if a supervisor wrote the line again or its log says so
}

// origin is what a line of a log says of the process that wrote it, the outermost first.
type origin struct {
	Service string `json:"service"`
	Child   *child `json:"child"`
}

// child is a process below the one that wrote its line again.
type child struct {
	Name  string `json:"name"`
	Slot  int    `json:"slot"`
	Pid   int    `json:"pid"`
	Child *child `json:"child"`
}

func (o origin) String() string {
	var path []string
	if o.Service != "" {
		path = append(path, o.Service)
	}
	for c := o.Child; c != nil && c.Name != "" && len(path) < maxDepth; c = c.Child {
		path = append(path, fmt.Sprintf("child %s/%d (pid %d)", c.Name, c.Slot, c.Pid))
	}
	return strings.Join(path, ", ")
}

// find returns the reports in data, in their order. The error says why there is none.
func find(data []byte) ([]report, error) {
	var found []report
	var problem error
	for line := range bytes.Lines(data) {
		if !bytes.Contains(line, []byte(mark)) {
			continue
		}
		if len(line) > maxLine {
			problem = fmt.Errorf("a line of %d bytes is no report", len(line))
			continue
		}
		r, err := findInLine(line, maxWraps)
		if err != nil {
			problem = err
			continue
		}
		if len(found) == maxReports {
			found = append(found[:0], found[1:]...)
		}
		found = append(found, r)
	}
	switch {
	case len(found) > 0:
		return found, nil
	case problem != nil:
		return nil, problem
	default:
		return nil, errors.New(`there is no report in it: no line has "msg":"stop report"`)
	}
}

// findInLine finds the report in a line that mentions one: an object, or one in a string of another object.
func findInLine(line []byte, wraps int) (report, error) {
	problem := errors.New("a line mentions a stop report but holds none")
	at := 0
	for range maxStarts {
		next := bytes.IndexByte(line[at:], '{')
		if next < 0 {
			break
		}
		at += next
		if at > 0 && line[at-1] == '"' && wraps > 0 { // the beginning of a string
			if inner, ok := unquote(line[at-1:]); ok {
				if r, err := findInLine(inner, wraps-1); err == nil {
					return r, nil
				}
			}
		}
		r, err := decode(line[at:])
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errOther) {
			problem = err
		}
		at++
	}
	return report{}, problem
}

// unquote decodes the JSON string that data begins with.
func unquote(data []byte) ([]byte, bool) {
	var s string
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&s); err != nil {
		return nil, false
	}
	return []byte(s), strings.Contains(s, mark)
}

// errOther is an object that is no report.
var errOther = errors.New("another object")

// decode decodes the report that data begins with. What follows it is not looked at.
func decode(data []byte) (report, error) {
	var raw json.RawMessage
	var r report
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&raw); err != nil {
		if raw = mend(data); raw == nil {
			return r, errOther
		}
		r.cut = true
	}
	var head struct {
		Msg string `json:"msg"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Msg != mark {
		return r, errOther
	}
	if err := json.Unmarshal(raw, &r.Report); err != nil {
		return r, fmt.Errorf("the report makes no sense: %w", err)
	}
	if len(r.Phases) == 0 && !r.cut {
		return r, errors.New("the report makes no sense: it has no phases")
	}
	var from origin
	if err := json.Unmarshal(raw, &from); err == nil { // else the names mean something else here
		r.of = from.String()
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return r, fmt.Errorf("the report makes no sense: %w", err)
	}
	r.raw = line.Bytes()
	return r, nil
}
