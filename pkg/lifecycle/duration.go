package lifecycle

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Duration is a time.Duration that is a number of milliseconds in JSON, with three decimals: the unit that people and
// log queries expect in a field called used_ms.
type Duration time.Duration

// String returns the text of the time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes milliseconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(d).Microseconds()) / 1000)
}

// UnmarshalJSON reads milliseconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var ms float64
	if err := json.Unmarshal(data, &ms); err != nil {
		return err
	}
	if us := ms * 1000; math.Abs(us) < float64(math.MaxInt64/int64(time.Microsecond)) {
		*d = Duration(math.Round(us)) * Duration(time.Microsecond)
		return nil
	}
	return fmt.Errorf("lifecycle: %v ms are out of range", ms)
}
