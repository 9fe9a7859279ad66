package ports

import "bytes"

// NewestLines cuts a log as Logs returns it: to limit bytes at the beginning of a
// line, or in the middle of the last one when that alone is longer. It is a part of
// log, no copy.
func NewestLines(log []byte, limit int) []byte {
	if len(log) <= limit {
		return log
	}
	cut := len(log) - limit
	if log[cut-1] != '\n' {
		if i := bytes.IndexByte(log[cut:], '\n'); i >= 0 && cut+i+1 < len(log) {
			cut += i + 1
		}
	}
	return log[cut:]
}
