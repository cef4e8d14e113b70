package record

// Undated is the day of a record that has no time at all.
const Undated = -1 << 31

const (
	microsPerDay = 86_400_000_000
	// aheadDays is how far an event may lie after its append to Kafka.
	aheadDays = 1
)

// Day returns the day since 1970-01-01 (UTC) under which a record is stored:
// that of the event, if it is believable beside the time of the append to Kafka
// (at most retentionDays before it, a day after it); else that of the append;
// else Undated. All inputs are in the record, so a replay gives the same.
// kafkaMicros is negative if Kafka has no time.
func Day(r *Record, kafkaMicros int64, retentionDays int) int32 {
	if !Storable(kafkaMicros) {
		return Undated
	}
	appended := kafkaMicros / microsPerDay
	if r.HasTimestamp {
		event := r.Timestamp / microsPerDay
		if event >= appended-int64(retentionDays) && event <= appended+aheadDays {
			return int32(event)
		}
	}
	return int32(appended)
}

// Time returns the time by which a record is found, in microseconds since 1970:
// that of the event, if its day is the one the record is filed under or the
// record has no other; else that of the append; else when it was read.
func Time(r *Record, kafkaMicros, observedMicros int64, day int32) int64 {
	switch {
	case r.HasTimestamp && (day == Undated || r.Timestamp/microsPerDay == int64(day)):
		return r.Timestamp
	case Storable(kafkaMicros):
		return kafkaMicros
	}
	return observedMicros
}

// The times that are stored: 1970 to 2200. Kafka's are whatever a producer
// says, and PostgreSQL would refuse the row.
const (
	minMicros = 0
	maxMicros = 7_258_118_400_000_000
)

// Storable says whether a time in microseconds since 1970 can be stored.
func Storable(micros int64) bool { return micros >= minMicros && micros <= maxMicros }
