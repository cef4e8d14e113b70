package policy

import (
	"regexp"
	"strings"
	"testing"
)

var rpcStart = regexp.MustCompile(`(?m)^\s*rpc\s+(\w+)\s*\(`)

func protos(t *testing.T) map[string]string {
	t.Helper()
	contents := map[string]string{}
	for _, name := range allFiles(t) {
		// Processes of one binary talk by curfew.internal: nobody else can reach them.
		if strings.HasPrefix(name, "proto/curfew/") && strings.HasSuffix(name, ".proto") && !strings.Contains(name, "/internal") {
			contents[name] = read(t, name)
		}
	}
	if len(contents) == 0 {
		t.Fatal("no protos found")
	}
	return contents
}

func TestEveryRPCHasOneAuthorizationRule(t *testing.T) {
	for name, content := range protos(t) {
		starts := rpcStart.FindAllStringSubmatchIndex(content, -1)
		for i, start := range starts {
			end := len(content)
			if i+1 < len(starts) {
				end = starts[i+1][0]
			}
			body := content[start[0]:end]
			if n := strings.Count(body, "(curfew.authz.v1.rule)"); n != 1 {
				t.Errorf("%s: %s has %d rules", name, content[start[2]:start[3]], n)
			}
		}
	}
}

func TestAFileHoldsOneService(t *testing.T) {
	service := regexp.MustCompile(`(?m)^service\s+\w+`)
	for name, content := range protos(t) {
		if found := service.FindAllString(content, -1); len(found) > 1 {
			t.Errorf("%s: %v", name, found)
		}
	}
}
