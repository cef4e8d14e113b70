package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// element is an issuer as it stands in the file.
type element struct {
	Issuer     string
	Audiences  []string
	Parties    []string
	JWKSURL    string
	JWKSFile   string
	CAFile     string
	Algorithms []string
	MaxLife    string
	RequireSID bool
	Provision  bool
}

// members are where the values of an element go.
func (e *element) members() map[string]any {
	return map[string]any{
		"issuer": &e.Issuer, "audiences": &e.Audiences, "authorized_parties": &e.Parties,
		"jwks_url": &e.JWKSURL, "jwks_file": &e.JWKSFile, "ca_file": &e.CAFile,
		"algorithms": &e.Algorithms, "max_life": &e.MaxLife, "require_sid": &e.RequireSID, "provision": &e.Provision,
	}
}

// label names an element in errors.
func (e *element) label(n int) string {
	if !printable(e.Issuer, maxIssuerBytes) {
		return fmt.Sprintf("issuer %d of the list", n+1)
	}
	return e.Issuer
}

// reader reads a file member by member. A struct would not do: of duplicates it
// takes the last, and it matches names without case.
type reader struct{ dec *json.Decoder }

// errSyntax is without the text of the decoder, which quotes the file.
var errSyntax = errors.New("not JSON")

// read returns the elements of {"issuers": [...]}.
func read(content []byte) ([]element, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("not UTF-8")
	}
	r := reader{dec: json.NewDecoder(bytes.NewReader(content))}
	var out []element
	var found bool
	err := r.object(func(name string) error {
		if name != "issuers" {
			return fmt.Errorf("%s: unknown member", quoted(name))
		}
		found = true
		var err error
		out, err = r.elements()
		return err
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errors.New("issuers: missing")
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("trailing data")
	}
	return out, nil
}

func (r reader) elements() ([]element, error) {
	if err := r.expect('['); err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	var out []element
	for r.dec.More() {
		if len(out) == maxIssuers {
			return nil, fmt.Errorf("issuers: more than %d", maxIssuers)
		}
		var e element
		members := e.members()
		err := r.object(func(name string) error {
			into, known := members[name]
			if !known {
				return fmt.Errorf("%s: unknown member", quoted(name))
			}
			return r.value(name, into)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.label(len(out)), err)
		}
		out = append(out, e)
	}
	return out, r.expect(']')
}

// object reads one object; value reads the value of the member that it gets.
func (r reader) object(value func(name string) error) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for r.dec.More() {
		tok, err := r.dec.Token()
		if err != nil {
			return errSyntax
		}
		name, _ := tok.(string) // the decoder admits nothing else here
		if seen[name] {
			return fmt.Errorf("%s: there twice", quoted(name))
		}
		seen[name] = true
		if err := value(name); err != nil {
			return err
		}
	}
	return r.expect('}')
}

// value reads a string, a list of strings or a truth value. null is none of them.
func (r reader) value(name string, into any) error {
	var raw json.RawMessage
	if r.dec.Decode(&raw) != nil {
		return fmt.Errorf("%s: %w", name, errSyntax)
	}
	if string(raw) == "null" || json.Unmarshal(raw, into) != nil {
		return fmt.Errorf("%s: a value of the wrong type", name)
	}
	return nil
}

func (r reader) expect(want json.Delim) error {
	switch tok, err := r.dec.Token(); {
	case err != nil:
		return errSyntax
	case tok != want:
		return fmt.Errorf("no %s where one belongs", want)
	}
	return nil
}

// quoted is a name that was never seen before, made fit for a line.
func quoted(name string) string {
	const most = 40
	if len(name) > most {
		name = name[:most] + "..."
	}
	return fmt.Sprintf("%q", name)
}
