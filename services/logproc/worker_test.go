package logproc

import (
	"slices"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/database"
)

// A password that is rotated reaches workers as well: they are given the file,
// not what it held when their parent started.
func TestAWorkerReadsTheDatabaseURLWhereItsParentDoes(t *testing.T) {
	t.Setenv("CURFEW_LOGPROC_MIGRATE_DATABASE_URL_FILE", "/owner")
	env, err := workerEnv(&Config{Database: database.Settings{URLFile: "/secrets/url", MigrateFile: "/owner"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "CURFEW_LOGPROC_DATABASE_URL_FILE=/secrets/url"; !slices.Contains(env, want) {
		t.Errorf("a worker's environment lacks %s", want)
	}
	for _, pair := range env {
		if pair == "CURFEW_LOGPROC_MIGRATE_DATABASE_URL_FILE=/owner" || pair == "CURFEW_LOGPROC_DATABASE_URL=" {
			t.Errorf("a worker is told %s", pair)
		}
	}
}
