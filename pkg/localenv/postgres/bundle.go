package postgres

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/curfew-platform/curfew/pkg/localenv/maven"
)

const (
	bundleVersion = "18.1.0"
	bundleMajor   = 18
)

// bundles are the binaries that the zonky project publishes: initdb, pg_ctl
// and postgres, without psql. The digests are those published beside them.
var bundles = map[string]struct{ name, sha256 string }{
	"linux/amd64":  {"linux-amd64", "65d0723e0274ad3ec6230dcbdfe034af6ee096fce15a77b0f9b8be71d2702934"},
	"linux/arm64":  {"linux-arm64v8", "ea0f16b754fc0a10d9d8993bbd426c20f8c709b318b28e49b42d9cac1c958b8f"},
	"darwin/amd64": {"darwin-amd64", "3b4f16dcf57250d8f9c5e9270a7dfc3921b66d66534d00f8f366e8263e862d11"},
	"darwin/arm64": {"darwin-arm64v8", "7398c6c19d11594a944dc0ddc79fdbb611164312e1f509a8c86b09724027401e"},
}

func download(ctx context.Context, progress func(string)) (Binaries, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	bundle, ok := bundles[platform]
	if !ok {
		return Binaries{}, fmt.Errorf("no PostgreSQL >= %d is installed and none can be downloaded for %s: install it", Oldest, platform)
	}
	cache, err := maven.CacheDir()
	if err != nil {
		return Binaries{}, err
	}
	dir := filepath.Join(cache, "postgres-"+bundleVersion+"-"+bundle.name)
	found := Binaries{Dir: filepath.Join(dir, "bin"), Major: bundleMajor}
	if _, err := os.Stat(dir); err == nil {
		return found, nil
	}
	repository := maven.Repository{Base: maven.Central, Cache: cache, Progress: progress}
	jar, err := repository.Fetch(ctx, maven.Artifact{
		Group: "io.zonky.test.postgres", Name: "embedded-postgres-binaries-" + bundle.name,
		Version: bundleVersion, Extension: "jar", SHA256: bundle.sha256,
	})
	if err != nil {
		return Binaries{}, fmt.Errorf("no PostgreSQL >= %d is installed: %w", Oldest, err)
	}
	if err := unpack(jar, dir); err != nil {
		return Binaries{}, fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	return found, nil
}

// unpack extracts the txz inside the jar. The folder appears complete or not
// at all, also when two processes unpack at once.
func unpack(jar, dir string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	names, err := fs.Glob(archive, "*.txz")
	if err != nil || len(names) != 1 {
		return fmt.Errorf("expected one txz in the jar, found %d: %w", len(names), err)
	}
	packed, err := archive.Open(names[0])
	if err != nil {
		return err
	}
	defer func() { _ = packed.Close() }()
	plain, err := xz.NewReader(packed)
	if err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(part) }()
	if err := untar(plain, part); err != nil {
		return err
	}
	// The servers run under another account when this process is root.
	if err := os.Chmod(part, 0o755); err != nil { //nolint:gosec // See above.
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			return nil // Another process was first.
		}
		return err
	}
	return nil
}

func untar(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // Nothing in the archive can name a path outside.
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := place(root, header, archive); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func place(root *os.Root, header *tar.Header, content io.Reader) error {
	name := strings.TrimSuffix(header.Name, "/")
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, header.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content) // No bomb: the archive's digest is pinned.
		return errors.Join(err, file.Close())
	default:
		return fmt.Errorf("unexpected entry of type %q", header.Typeflag)
	}
}
