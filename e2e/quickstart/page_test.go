package quickstart_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the code into docs/add-to-your-service.md")

const root = "../.."

// block is a block of code on the page, and the file whose content it is.
var block = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```(\\w+)\n(.*?)```\n")

func TestThePageShowsTheCodeThatRuns(t *testing.T) {
	page := filepath.Join(root, "docs", "add-to-your-service.md")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	want := block.ReplaceAllStringFunc(string(content), func(text string) string {
		m := block.FindStringSubmatch(text)
		code, err := os.ReadFile(filepath.Join(root, m[1]))
		if err != nil {
			t.Fatal(err)
		}
		shown[filepath.Base(m[1])] = true
		return "<!-- file: " + m[1] + " -->\n```" + m[2] + "\n" + string(code) + "```\n"
	})
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(content) {
		t.Error("the page shows other code than what runs: in e2e: go test ./quickstart -run Page -update")
	}
	for _, name := range []string{"permissions.json", "issuer.go", "server.go", "handler.go", "feed.go", "matrix_test.go"} {
		if !shown[name] {
			t.Errorf("the page does not show %s", name)
		}
	}
}

// TestTheRuleOnThePage: the lines of the .proto on the page are those of a real one.
func TestTheProtoOnThePageIsARealOne(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "docs", "add-to-your-service.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(content), "```proto\n")
	lines, _, _ := strings.Cut(rest, "```")
	proto, err := os.ReadFile(filepath.Join(root, "proto/curfew/orders/v1/catalog_service.proto"))
	if err != nil {
		t.Fatal(err)
	}
	if !found || !strings.Contains(string(proto), lines) {
		t.Errorf("not in the .proto:\n%s", lines)
	}
}

func issuerOf(t *testing.T, raw string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Issuer
}
