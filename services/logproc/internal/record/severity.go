package record

// Severity returns OpenTelemetry's severity number of a level as loggers spell
// it, ignoring case, and 0 for one it does not know.
//
// Mapping: "Mapping of SeverityNumber" and appendix B of the log data model.
func Severity(level []byte) int16 {
	var low [16]byte
	if len(level) == 0 || len(level) > len(low) {
		return 0
	}
	for i, c := range level {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	switch string(low[:len(level)]) {
	case "trace", "trc", "finest", "verbose":
		return 1
	case "debug", "dbg", "debg", "d", "fine":
		return 5
	case "info", "inf", "information", "informational", "i":
		return 9
	case "notice", "note":
		return 10
	case "warn", "warning", "wrn", "w":
		return 13
	case "error", "err", "eror", "e", "severe":
		return 17
	case "crit", "critical", "dpanic":
		return 18
	case "alert", "panic":
		return 19
	case "fatal", "ftl", "emerg", "emergency", "f":
		return 21
	}
	return 0
}

// SyslogSeverity returns the severity number of RFC 5424's severity 0 to 7.
func SyslogSeverity(s int) int16 {
	return [8]int16{21, 19, 18, 17, 13, 10, 9, 5}[s&7]
}

// SyslogSeverityText is RFC 5424's keyword of severity 0 to 7.
func SyslogSeverityText(s int) string {
	return [8]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}[s&7]
}
