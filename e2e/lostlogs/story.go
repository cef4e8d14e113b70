package lostlogs

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/e2e/naive/consumer"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/e2e/story"
)

const (
	// scale shrinks the incident's times: 3 s a batch and 30 s of grace.
	scale = 10
	// storeTime is the mean time of a batch in the incident.
	storeTime   = 3 * time.Second
	shortGrace  = 30 * time.Second
	longGrace   = 300 * time.Second
	pods        = 10
	batchSize   = 250
	ourRecords  = 300_000
	slowRecords = 40_000
	eachRecords = 4_000
)

// Tell runs the story.
func Tell(ctx context.Context, out io.Writer, s *stand.Stand) error {
	t := story.Begin(out, "Story 2: the lost logs")
	t.Sayf("a log processor with four workers is told to stop while it reads at full speed; a successor reads the rest; who is missing?")
	id := strings.ToLower(rand.Text()[:8])

	each, err := naiveLeg{name: "commit per record", mode: consumer.PerRecord, records: eachRecords, grace: shortGrace}.run(ctx, s, id+"-each")
	if err != nil {
		return err
	}
	t.Sayf("commit per record: %.0f rows/s", each.RowsPerSecond)
	killed, err := naiveLeg{name: "naive batch, SIGKILL", mode: consumer.Batch, records: slowRecords, delay: storeTime / scale}.run(ctx, s, id+"-kill")
	if err != nil {
		return err
	}
	t.Oldf(killed.Count.Lost > 0, "naive batch and SIGKILL: %d of %d lost, %d duplicated", killed.Count.Lost, killed.Count.InKafka, killed.Count.Duplicated)
	short, err := naiveLeg{
		name: "naive batch, grace 30 s", mode: consumer.Batch, records: slowRecords,
		delay: storeTime / scale, grace: shortGrace / scale,
	}.run(ctx, s, id+"-short")
	if err != nil {
		return err
	}
	t.Oldf(short.Killed && short.Count.Lost > 0, "a batch takes 3 s on average, grace 30 s (both 1:%d): SIGKILL came, %d of %d lost", scale, short.Count.Lost, short.Count.InKafka)
	long, err := naiveLeg{
		name: "naive batch, grace 300 s", mode: consumer.Batch, records: slowRecords,
		delay: storeTime / scale, grace: longGrace / scale,
	}.run(ctx, s, id+"-long")
	if err != nil {
		return err
	}
	t.Sayf("the same with 300 s of grace (1:%d): drained in %.1f s, %d lost", scale, long.Drain.Seconds(), long.Count.Lost)
	mine, line, err := Ours(ctx, s, id+"-ours", ourRecords, shortGrace)
	if err != nil {
		return err
	}
	t.Oursf(mine.Count.Holds() && !mine.Killed, "SIGTERM at %.0f rows/s: %d of %d stored, %d lost, %d duplicated, ended after %.2f s",
		mine.RowsPerSecond, mine.Count.Stored, mine.Count.InKafka, mine.Count.Lost, mine.Count.Duplicated, mine.Drain.Seconds())
	t.Sayf("its own words: %s", line)

	t.Table(
		[]string{"way", "rows/s", "drain", "lost", "duplicated", fmt.Sprintf("rolling %d pods", pods)},
		row(each, 1), row(mine, 1), row(short, scale), row(long, scale), row(killed, 1))
	t.Sayf("the naive batch takes %v to store %d rows on average, 1:%d of the incident; its drains are measured so and printed in full", storeTime/scale, batchSize, scale)
	t.Sayf("rolling %d pods is computed: pods x measured drain", pods)
	return t.End()
}

// row prints a leg whose times were measured at 1:scale.
func row(l Leg, scale int) []string {
	drain := l.Drain * time.Duration(scale)
	cell := fmt.Sprintf("%.2f s", drain.Seconds())
	if l.Killed {
		cell += " (SIGKILL)"
	}
	return []string{
		l.Name, strconv.FormatFloat(l.RowsPerSecond, 'f', 0, 64), cell,
		strconv.FormatInt(l.Count.Lost, 10), strconv.FormatInt(l.Count.Duplicated, 10),
		fmt.Sprintf("%.0f s", (drain * pods).Seconds()),
	}
}
