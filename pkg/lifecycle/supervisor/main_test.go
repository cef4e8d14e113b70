package supervisor

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// roleVar makes the test binary play the role of a parent or a child instead
// of running tests.
const roleVar = "SUPERVISOR_TEST_ROLE"

// roles are the programs that the tests start. Each returns its exit status.
var roles = map[string]func(ctx context.Context) int{
	"worker":        playWorker,
	"parent":        playParent,
	"forker":        playForker,
	"sleeper":       playSleeper,
	"garbage":       playGarbage,
	"mute":          playMute,
	"closer":        playCloser,
	"stubborn":      playStubborn,
	"stuck":         playStuck,
	"old version":   playOldVersion,
	"wrong service": playWrongService,
	"silent":        playSilent,
	"liar":          playLiar,
	"negative":      playNegative,
	"huge":          playHuge,
	"busybody":      playBusybody,
	"crash":         playCrash,
	"hungry":        playHungry,
	"flood":         playFlood,
	"long line":     playLongLine,
	"last words":    playLastWords,
	"plain":         playPlain,
	"plain forker":  playPlainForker,
	"reporter":      playReporter,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		play, ok := roles[role]
		if !ok {
			fmt.Fprintf(os.Stderr, "no role %q\n", role)
			os.Exit(2)
		}
		os.Exit(play(context.Background()))
	}
	goleak.VerifyTestMain(m)
}
