package lostlogs

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// stored selects every record of a topic that the pipeline has an answer for.
const stored = `SELECT kafka_partition, kafka_offset FROM logs WHERE kafka_topic = $1
	UNION ALL SELECT kafka_partition, kafka_offset FROM dead_letters WHERE kafka_topic = $1`

// reportLine is what the parent says when it has stopped.
var reportLine = regexp.MustCompile(`read [0-9,]+ = stored [^"\n]*lost [0-9,]+`)

// Ours runs services/logproc against a topic of its own, with a stop in full
// flight and a successor. It returns the line of the stop report as well.
func Ours(ctx context.Context, s *stand.Stand, id string, records int, grace time.Duration) (Leg, string, error) {
	src, err := fill(ctx, s, "story-"+id, records)
	if err != nil {
		return Leg{}, "", err
	}
	conn, err := stand.Connect(ctx, s.LogprocDatabase)
	if err != nil {
		return Leg{}, "", err
	}
	defer conn.Close(ctx)
	count := "SELECT count(*) FROM (" + stored + ") AS r"
	start := func() (*stand.Process, error) {
		return s.StartService(ctx, "logproc", nil, "--topics", src.topic, "--group", src.topic,
			"--instance-id", src.topic+"-0", "--log-kafka-brokers", "")
	}

	first, err := start()
	if err != nil {
		return Leg{}, "", err
	}
	defer first.Kill()
	leg := Leg{Name: "curfew: batches, our stop"}
	if leg.RowsPerSecond, err = pace(ctx, conn, records, count, src.topic); err != nil {
		return Leg{}, "", fmt.Errorf("%w\n%s", err, first.Stderr())
	}
	if leg.Drain, leg.Killed, err = first.Stop(grace); err != nil {
		return Leg{}, "", err
	}
	line := reportLine.FindString(first.Stderr())
	if line == "" {
		return Leg{}, "", fmt.Errorf("logproc said nothing of what it read:\n%s", first.Stderr())
	}

	successor, err := start()
	if err != nil {
		return Leg{}, "", err
	}
	defer successor.Kill()
	if err := rowsReach(ctx, conn, catchUpLimit, int64(records), count, src.topic); err != nil {
		return Leg{}, "", fmt.Errorf("%w\n%s", err, successor.Stderr())
	}
	if _, _, err := successor.Stop(grace); err != nil {
		return Leg{}, "", err
	}
	leg.Count, err = Oracle(ctx, s.Brokers, src.topic, s.LogprocDatabase, stored, src.topic)
	return leg, line, err
}
