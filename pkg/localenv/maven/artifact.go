// Package maven downloads single artifacts from Maven Central, checked against
// a pinned SHA-256, into a cache that all work trees of a user share.
package maven

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Central is the base address of Maven Central.
const Central = "https://repo1.maven.org/maven2"

// ErrChecksum reports that what was downloaded is not what was pinned.
var ErrChecksum = errors.New("checksum differs from the pinned one")

// Artifact names one file of a Maven repository.
type Artifact struct {
	Group, Name, Version string
	// Extension is the file's type without a dot, for example jar.
	Extension string
	// SHA256 is the expected digest in hexadecimal.
	SHA256 string
}

// Repository is a Maven repository with a folder that caches its artifacts.
type Repository struct {
	Base  string
	Cache string
	// HTTP defaults to a client that gives up after 5 minutes.
	HTTP *http.Client
	// Progress, if not nil, is called once before a download.
	Progress func(message string)
}

// CacheDir returns the cache folder of this account. Root gets /var/cache,
// since its home is usually closed to the account its servers run under.
func CacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/curfew", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(dir, "curfew"), nil
}

// Fetch returns the path of the artifact in the cache and downloads it first
// if it is not there. Concurrent calls, also of other processes, are safe: the
// file appears by a rename.
func (r Repository) Fetch(ctx context.Context, a Artifact) (string, error) {
	file := filepath.Join(r.Cache, a.file())
	if sum, err := digest(file); err == nil && sum == a.SHA256 {
		return file, nil
	}
	if r.Progress != nil {
		r.Progress("downloading " + a.file())
	}
	if err := os.MkdirAll(r.Cache, 0o755); err != nil { //nolint:gosec // Servers under another account read it.
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	if err := r.download(ctx, a, file); err != nil {
		return "", fmt.Errorf("download %s: %w", a.file(), err)
	}
	return file, nil
}

func (r Repository) download(ctx context.Context, a Artifact, file string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Base+"/"+a.path(), http.NoBody)
	if err != nil {
		return err
	}
	client := r.HTTP
	if client == nil {
		client = &http.Client{Timeout: 5 * time.Minute}
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the repository answered %s", resp.Status)
	}
	part, err := os.CreateTemp(r.Cache, a.file()+".part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part.Name())
		}
	}()
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(part, hash), resp.Body)
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != a.SHA256 {
		return fmt.Errorf("%w: got %s, want %s", ErrChecksum, sum, a.SHA256)
	}
	return os.Rename(part.Name(), file)
}

func (a Artifact) file() string { return a.Name + "-" + a.Version + "." + a.Extension }

func (a Artifact) path() string {
	return path.Join(strings.ReplaceAll(a.Group, ".", "/"), a.Name, a.Version, a.file())
}

func digest(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("read the cache: %w", err)
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read the cache: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
