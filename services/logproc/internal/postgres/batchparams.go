package postgres

import (
	"strconv"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
)

// Parameters travel as text, except the bytes of a dead letter.

func number[T int | int32 | int64](n T) []byte { return strconv.AppendInt(nil, int64(n), 10) }

func (s *Session) batchParams(p *batch.Part) [][]byte {
	l := &p.Lease
	return [][]byte{
		[]byte(s.group), []byte(l.Topic), number(l.Partition), []byte(l.TopicID.String()), number(p.LeaderEpoch),
		number(l.Next), number(p.To), number(p.Read()), number(p.Stored), number(p.Dead), number(p.Sampled),
		number(l.Epoch), []byte(l.Token.String()), []byte(s.worker),
	}
}

func (s *Session) advanceParams(p *batch.Part) [][]byte {
	l := &p.Lease
	return [][]byte{
		[]byte(s.group), []byte(l.Topic), number(l.Partition), number(l.Epoch), []byte(l.Token.String()),
		[]byte(l.TopicID.String()), number(l.Next), number(p.To), number(p.LeaderEpoch), strconv.AppendBool(nil, p.Isolated),
	}
}

// deadLetterFormats marks the two binary parameters.
var deadLetterFormats = []int16{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}

func deadLetterParams(d *batch.DeadLetter) [][]byte {
	id := &d.Identity
	var seconds []byte
	if d.HasTimestamp() {
		seconds = strconv.AppendFloat(nil, float64(id.Timestamp)/1e6, 'f', 6, 64)
	}
	return [][]byte{
		[]byte(id.Topic), number(id.Partition), number(id.Offset), number(id.LeaderEpoch), []byte(id.TopicID.String()),
		seconds, []byte(d.Reason), []byte(d.Detail), d.Raw, number(d.Size), d.SHA256[:],
	}
}
