package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// repository makes one with a single program.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module example.com/made\n\ngo 1.26.0\n",
		"hello/main.go":  "package main\n\nfunc main() { println(\"hello\") }\n",
		"second/main.go": "package main\n\nfunc main() { println(\"second\") }\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// made builds the image and returns its folder.
func made(t *testing.T, b builder) (string, *image) {
	t.Helper()
	out := t.TempDir()
	img, err := b.build(context.Background(), content{name: "hello", packages: []string{"./hello", "./second"}}, out)
	if err != nil {
		t.Fatal(err)
	}
	return out, img
}

func config(t *testing.T, out string) *v1.ConfigFile {
	t.Helper()
	img, err := tarball.ImageFromPath(filepath.Join(out, "hello.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheSameSourcesInTwoFoldersGiveTheSameBytes(t *testing.T) {
	first, one := made(t, builder{root: repository(t), version: "v1.2.3", tag: "dev", arch: "amd64"})
	second, two := made(t, builder{root: repository(t), version: "v1.2.3", tag: "dev", arch: "amd64"})
	if one.digest != two.digest {
		t.Errorf("digests %v and %v", one.digest, two.digest)
	}
	for _, name := range []string{"hello.tar", "hello.cdx.json"} {
		a, errA := os.ReadFile(filepath.Join(first, name))
		b, errB := os.ReadFile(filepath.Join(second, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", name, errA, errB)
		}
	}
	_, other := made(t, builder{root: repository(t), version: "v1.2.4", tag: "dev", arch: "amd64"})
	if other.digest == one.digest {
		t.Error("another version gives the same digest")
	}
}

func TestAnImageRunsItsFirstProgramAndNotAsRoot(t *testing.T) {
	out, img := made(t, builder{root: repository(t), version: "v1.2.3", revision: "abc", tag: "dev", arch: "arm64"})
	if img.reference != "curfew/hello:dev" {
		t.Errorf("reference %q", img.reference)
	}
	file := config(t, out)
	if got := strings.Join(file.Config.Entrypoint, " "); got != "/hello" {
		t.Errorf("entry point %q", got)
	}
	if file.Config.User != "65532:65532" || file.Architecture != "arm64" || file.OS != "linux" {
		t.Errorf("user %q on %s/%s", file.Config.User, file.OS, file.Architecture)
	}
	for label, want := range map[string]string{"version": "v1.2.3", "revision": "abc", "licenses": "Apache-2.0", "title": "curfew/hello"} {
		if got := file.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
}

func TestTheBillOfMaterialsListsTheProgramsModulesTheStandardLibraryAndTheCertificateAuthorities(t *testing.T) {
	out, img := made(t, builder{root: repository(t), version: "v1.2.3", tag: "dev", arch: "amd64"})
	raw, err := os.ReadFile(filepath.Join(out, "hello.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BomFormat  string `json:"bomFormat"`
		Components []struct {
			Name, Version, Purl string
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BomFormat != "CycloneDX" || len(bill.Components) != img.modules || img.modules != 3 {
		t.Errorf("%s with %d components of %d", bill.BomFormat, len(bill.Components), img.modules)
	}
	var names []string
	for _, c := range bill.Components {
		names = append(names, c.Name)
		if c.Version == "" || !strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@") {
			t.Errorf("component %+v", c)
		}
	}
	const want = "example.com/made golang.org/x/crypto/x509roots/fallback std"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("components %s", got)
	}
}

func TestAProgramThatDoesNotCompileIsNamed(t *testing.T) {
	_, err := builder{root: repository(t), tag: "dev", arch: "amd64"}.build(
		context.Background(), content{name: "hello", packages: []string{"./missing"}}, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "./missing") {
		t.Errorf("got %v", err)
	}
}

func TestEveryListedImageHasAProgramAndANameOfItsOwn(t *testing.T) {
	list, err := parse(contents)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range list {
		names = append(names, c.name+" runs "+program(c.packages[0]))
	}
	const want = "auth runs /auth, orders runs /orders, logproc runs /logproc, tools runs /curfew"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"alone\n", "a ./x\na ./y\n"} {
		if _, err := parse(text); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}
