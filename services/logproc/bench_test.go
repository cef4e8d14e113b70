package logproc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
)

// BenchmarkPipeline prints rows per second from Kafka to PostgreSQL beside COPY
// of the same rows through psql into the same kind of table, in interleaved
// pairs. `make bench` does the same with the installed binary.
func BenchmarkPipeline(b *testing.B) {
	const records = 500_000
	bed := newBed(b, kafkatest.Brokers(b))
	file := filepath.Join(bed.dir, "rows.bin")
	psql := func(command string) {
		if out, err := exec.Command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", bed.database, "-c", command).CombinedOutput(); err != nil {
			b.Fatalf("psql: %v: %s", err, out)
		}
	}
	for i := 0; b.Loop(); i++ {
		topic := fmt.Sprintf("bench-%d-%d", os.Getpid(), i)
		bed.topic(b, topic, 16)
		list := make([]*kgo.Record, 0, records)
		for n := range records {
			list = append(list, jsonRecord(int32(n%16), n))
		}
		bed.produce(b, topic, list...)
		p := bed.start(b, topic, "--instance-id", topic)
		eventually(b, "it begins", func() bool { return bed.head(b, topic) > 0 })
		first, begun := bed.head(b, topic), time.Now()
		eventually(b, "it ends", func() bool { return bed.head(b, topic) >= records })
		pipeline := float64(records-first) / time.Since(begun).Seconds()
		p.stop(b)
		psql(fmt.Sprintf(`\copy (SELECT * FROM logs WHERE kafka_topic = '%s') TO '%s' (FORMAT binary)`, topic, file))
		psql("CREATE TABLE IF NOT EXISTS copies (LIKE logs INCLUDING ALL)")
		psql("TRUNCATE copies")
		begun = time.Now()
		psql(fmt.Sprintf(`\copy copies FROM '%s' (FORMAT binary)`, file))
		copied := float64(records) / time.Since(begun).Seconds()
		b.Logf("pipeline %.0f rows/s, psql %.0f rows/s, ratio %.2f", pipeline, copied, pipeline/copied)
		b.ReportMetric(pipeline, "rows/s")
		b.ReportMetric(pipeline/copied, "of-psql")
	}
}

// head is the number of records below the ledger's positions.
func (b *bed) head(t testing.TB, topic string) int64 {
	t.Helper()
	return b.count(t, "SELECT coalesce(sum(next_off), 0)::bigint FROM ledger WHERE topic = $1", topic)
}
