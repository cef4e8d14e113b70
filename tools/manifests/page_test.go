package manifests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	makeTarget = regexp.MustCompile("`make ([a-z0-9-]+)`")
	// A flag in code of its own is one of a service; commands in blocks have others.
	serviceFlag = regexp.MustCompile("`(?:[a-zA-Z]+ )?--([a-z-]+)[`=]")
	link        = regexp.MustCompile(`\]\(([^)#]+)`)
	alert       = regexp.MustCompile("alert `([A-Za-z]+)`")
)

func TestThePageNamesWhatExists(t *testing.T) {
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	page := read("docs/kubernetes.md")
	elsewhere := map[string]bool{"kafka-brokers": true, "force": true} // of curfew provision, of kubectl
	for _, c := range []struct {
		pattern *regexp.Regexp
		exists  func(name string) bool
	}{
		{makeTarget, func(name string) bool { return strings.Contains(read("Makefile"), "\n"+name+":") }},
		{serviceFlag, func(name string) bool {
			return elsewhere[name] || strings.Contains(read("docs/configuration.md"), "--"+name)
		}},
		{alert, func(name string) bool {
			return strings.Contains(read("deploy/observability/rules.yaml"), "alert: "+name+"\n")
		}},
		{link, func(name string) bool {
			_, err := os.Stat(filepath.Join(root, "docs", name))
			return err == nil
		}},
	} {
		found := c.pattern.FindAllStringSubmatch(page, -1)
		if len(found) == 0 {
			t.Errorf("nothing matches %v", c.pattern)
		}
		for _, match := range found {
			if !c.exists(match[1]) {
				t.Errorf("docs/kubernetes.md names %s, which does not exist", match[1])
			}
		}
	}
}
