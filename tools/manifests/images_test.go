package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two ways to the same images: what `make images` builds, and the Containerfile
// for those who have a container tool. Both compile the same packages with the
// same flags, and no manifest names an image that neither makes.
func TestTheContainerfileBuildsWhatMakeImagesBuilds(t *testing.T) {
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	file, builder := read("deploy/images/Containerfile"), read("tools/image/main.go")
	for _, flag := range []string{"-trimpath", "-buildvcs=false", "-s -w -buildid= -X ", "github.com/curfew-platform/curfew/pkg/server.stamped", "CGO_ENABLED=0"} {
		for name, text := range map[string]string{"Containerfile": file, "tools/image": builder} {
			if !strings.Contains(text, flag) {
				t.Errorf("%s lacks %s", name, flag)
			}
		}
	}
	made := map[string]bool{}
	for line := range strings.Lines(read("tools/image/contents.txt")) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		image, program := fields[0], fields[1]
		made[image] = true
		entry := `ENTRYPOINT ["/` + filepath.Base(program) + `"]`
		_, target, ok := strings.Cut(file, " AS "+image+"\n")
		target, _, _ = strings.Cut(target, "\nFROM ")
		if !ok || !strings.Contains(target, entry) || !strings.Contains(file, program) {
			t.Errorf("the Containerfile does not make %s of %s", image, program)
		}
	}
	s := render(t, "dev")
	for _, name := range s.names() {
		image, _, _ := strings.Cut(strings.TrimPrefix(s.main(name).Image, "curfew/"), ":")
		if !made[image] {
			t.Errorf("%s runs %s, which nobody makes", name, s.main(name).Image)
		}
	}
}
