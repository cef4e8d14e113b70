package maven_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"github.com/curfew-platform/curfew/pkg/localenv/maven"
)

var content = []byte("an artifact")

func artifact(body []byte) maven.Artifact {
	sum := sha256.Sum256(body)
	return maven.Artifact{
		Group: "org.example", Name: "thing", Version: "1.2", Extension: "jar", SHA256: hex.EncodeToString(sum[:]),
	}
}

func repository(t *testing.T, requests *atomic.Int32) maven.Repository {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path != "/org/example/thing/1.2/thing-1.2.jar" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	return maven.Repository{Base: server.URL, Cache: t.TempDir()}
}

func TestAnArtifactIsDownloadedOnceAndThenTakenFromTheCache(t *testing.T) {
	var requests atomic.Int32
	repo := repository(t, &requests)
	for range 2 {
		file, err := repo.Fetch(t.Context(), artifact(content))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(content) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestADamagedFileInTheCacheIsReplaced(t *testing.T) {
	var requests atomic.Int32
	repo := repository(t, &requests)
	file, err := repo.Fetch(t.Context(), artifact(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Fetch(t.Context(), artifact(content)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != string(content) {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestWhatDiffersFromThePinnedDigestIsRefusedAndNotKept(t *testing.T) {
	var requests atomic.Int32
	repo := repository(t, &requests)
	_, err := repo.Fetch(t.Context(), artifact([]byte("something else")))
	if !errors.Is(err, maven.ErrChecksum) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(repo.Cache)
	if err != nil || len(entries) != 0 {
		t.Errorf("the cache holds %v, %v", entries, err)
	}
}
