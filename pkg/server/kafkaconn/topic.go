package kafkaconn

import (
	"fmt"
	"regexp"
)

// Kafka's rule (org.apache.kafka.common.internals.Topic).
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// CheckTopic returns why no topic can have this name, nil if one can.
func CheckTopic(name string) error {
	if !topicName.MatchString(name) || name == "." || name == ".." {
		return fmt.Errorf("%.40q: a topic has 1 to 249 letters, digits, dots, underscores and hyphens", name)
	}
	return nil
}
