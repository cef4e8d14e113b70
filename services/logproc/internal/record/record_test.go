package record

import "testing"

const day = microsPerDay

func TestDayIsThatOfABelievableEventElseOfTheAppend(t *testing.T) {
	appended := int64(20_000) * day
	for name, c := range map[string]struct {
		event     int64
		has       bool
		kafka     int64
		wantDay   int32
		wantMoves int64 // what Time is
	}{
		"the event's day within the retention":      {19_990 * day, true, appended, 19_990, 19_990 * day},
		"an event a day ahead":                      {20_001 * day, true, appended, 20_001, 20_001 * day},
		"an event two days ahead has a wrong clock": {20_002 * day, true, appended, 20_000, appended},
		"an event before the retention":             {19_960 * day, true, appended, 20_000, appended},
		"no event time":                             {0, false, appended, 20_000, appended},
		"no time at all":                            {0, false, -1, Undated, 7},
		"no append time":                            {5 * day, true, -1, Undated, 5 * day},
		"an append time that cannot be stored":      {0, false, maxMicros + 1, Undated, 7},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Record{Timestamp: c.event, HasTimestamp: c.has}
			got := Day(r, c.kafka, 30)
			if got != c.wantDay {
				t.Errorf("day %d, want %d", got, c.wantDay)
			}
			if at := Time(r, c.kafka, 7, got); at != c.wantMoves {
				t.Errorf("time %d, want %d", at, c.wantMoves)
			}
		})
	}
}

func TestSeverity(t *testing.T) {
	for level, want := range map[string]int16{
		"trace": 1, "DEBUG": 5, "Info": 9, "notice": 10, "WARN": 13, "warning": 13, "err": 17, "ERROR": 17, "fatal": 21, "": 0, "loud": 0,
		"a level that is longer than any": 0,
	} {
		if got := Severity([]byte(level)); got != want {
			t.Errorf("%q is %d, want %d", level, got, want)
		}
	}
}
