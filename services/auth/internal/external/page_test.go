package external_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

var (
	fileOnThePage   = regexp.MustCompile("(?s)```json\n(.*?)```")
	memberOnThePage = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")
)

func TestTheFilesOnThePageAreReadAndEveryMemberIsExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "external-identity.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := fileOnThePage.FindAllStringSubmatch(string(page), -1)
	if len(files) < 5 {
		t.Fatalf("%d files", len(files))
	}
	for _, m := range files {
		if _, err := external.Parse([]byte(m[1]), own); err != nil {
			t.Errorf("%s\n%v", m[1], err)
		}
	}
	var explained []string
	for _, m := range memberOnThePage.FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, strings.Split(strings.ReplaceAll(m[1], "`", ""), ", ")...)
	}
	slices.Sort(explained)
	if diff := cmp.Diff(external.Members(), explained); diff != "" {
		t.Error(diff)
	}
}
