package keyset_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

func parsed(t *testing.T, content []byte) *keyset.Set {
	t.Helper()
	s, err := keyset.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// step makes the file of the next step of a rotation.
func step(t *testing.T, do func([]byte) ([]byte, error), content []byte) []byte {
	t.Helper()
	next, err := do(content)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// understands says whether a reader opens what a writer makes.
func understands(t *testing.T, reader, writer *keyset.Set) bool {
	t.Helper()
	sealed, err := writer.Seal([]byte("data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, openErr := reader.Open(sealed, nil)
	theirs, err := writer.MAC(writer.PrimaryMACKey(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	ours, macErr := reader.MAC(writer.PrimaryMACKey(), []byte("x"))
	opened, authenticated := openErr == nil && string(plain) == "data", macErr == nil && bytes.Equal(ours, theirs)
	if opened != authenticated {
		t.Errorf("the two keysets of a file are at different steps: open %v, mac %v", openErr, macErr)
	}
	return opened && authenticated
}

// While a step is rolled out, replicas of two steps work side by side; what was
// made before the rotation is good until its keys are retired.
func TestReplicasOfNeighbouringStepsOfARotationUnderstandEachOther(t *testing.T) {
	first := generated(t)
	added := step(t, keyset.Add, first)
	promoted := step(t, keyset.Promote, added)
	retired := step(t, keyset.Retire, promoted)
	steps := []*keyset.Set{parsed(t, first), parsed(t, added), parsed(t, promoted), parsed(t, retired)}
	for i := range 2 { // Retiring waits until nothing old can come back.
		if !understands(t, steps[i], steps[i+1]) || !understands(t, steps[i+1], steps[i]) {
			t.Errorf("steps %d and %d do not understand each other", i, i+1)
		}
	}
	if !understands(t, steps[2], steps[3]) || !understands(t, steps[3], steps[2]) {
		t.Error("retiring changed what is made")
	}
	if understands(t, steps[3], steps[0]) {
		t.Error("a retired key is still good")
	}
	if understands(t, steps[0], steps[2]) {
		t.Error("nothing was rotated")
	}
}

func TestAStepOfARotationThatWasDoneOrThatComesTooEarlyIsRefused(t *testing.T) {
	first := generated(t)
	added := step(t, keyset.Add, first)
	promoted := step(t, keyset.Promote, added)
	for what, c := range map[string]struct {
		step    func([]byte) ([]byte, error)
		content []byte
	}{
		"add twice":             {keyset.Add, added},
		"promote before add":    {keyset.Promote, first},
		"promote twice":         {keyset.Promote, promoted},
		"retire before promote": {keyset.Retire, added},
		"retire twice":          {keyset.Retire, step(t, keyset.Retire, promoted)},
	} {
		if _, err := c.step(c.content); !errors.Is(err, keyset.ErrNothingToDo) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := keyset.Add([]byte(`{"aead":{},"prf":{}}`)); err == nil || errors.Is(err, keyset.ErrNothingToDo) {
		t.Errorf("no keyset: %v", err)
	}
}

func TestTheKeysOfAFileAreListedWithoutTheirSecrets(t *testing.T) {
	promoted := step(t, keyset.Promote, step(t, keyset.Add, generated(t)))
	keys, err := keyset.Keys(promoted)
	if err != nil || len(keys) != 4 {
		t.Fatalf("%v, %v", keys, err)
	}
	for i, want := range []keyset.Key{{Use: "aead"}, {Use: "aead", Primary: true}, {Use: "prf"}, {Use: "prf", Primary: true}} {
		if want.ID = keys[i].ID; keys[i] != want || keys[i].ID == 0 {
			t.Errorf("key %d: %+v, want %+v", i, keys[i], want)
		}
	}
}
