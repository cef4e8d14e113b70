package guard

import "testing"

// A list has no address of its own: that one of it is elsewhere must not be
// hidden by another that is here.
func TestTokensGoToOtherHostsInTheClearOnlyOnPurpose(t *testing.T) {
	for _, addresses := range [][]string{{"10.0.0.1:1"}, {"127.0.0.1:1", "10.0.0.1:1"}} {
		for _, plaintext := range []bool{false, true} {
			d := &dialer{plaintext: plaintext}
			if _, err := d.all(addresses, nil); plaintext != (err == nil) {
				t.Errorf("%v, on purpose %t: %v", addresses, plaintext, err)
			}
			if err := d.close(); err != nil {
				t.Error(err)
			}
		}
	}
}
