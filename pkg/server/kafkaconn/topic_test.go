package kafkaconn_test

import (
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
)

func TestNamesThatNoTopicCanHaveAreRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a b", "a/b", "ä", "a\n", strings.Repeat("a", 250)} {
		if err := kafkaconn.CheckTopic(name); err == nil {
			t.Errorf("%.40q is accepted", name)
		}
	}
	for _, name := range []string{"logs", "order-events", "a.b_C-9", "...", strings.Repeat("a", 249)} {
		if err := kafkaconn.CheckTopic(name); err != nil {
			t.Error(err)
		}
	}
}
