package controller

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// cursor is how far somebody has seen a run. It is made of what is stored, so that
// any controller understands it.
type cursor struct {
	offset   int64 // of the newest interval, in milliseconds since the load began
	sequence int64 // of the newest control event
	line     int64 // time of the newest log line, in microseconds since 1970
}

// String is the cursor as the ID of a frame.
func (c cursor) String() string { return fmt.Sprintf("%d.%d.%d", c.offset, c.sequence, c.line) }

// parseCursor reads the ID of a frame; an empty one is the beginning.
func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	parts := strings.Split(text, ".")
	into := []*int64{&c.offset, &c.sequence, &c.line}
	for i := range parts {
		if len(parts) != len(into) {
			break
		}
		if *into[i], err = strconv.ParseInt(parts[i], 10, 64); err != nil || *into[i] < 0 {
			break
		}
		if i == len(into)-1 {
			return c, nil
		}
	}
	return cursor{}, fmt.Errorf("%w: Last-Event-ID is %.60q; allowed: the id of a frame", core.ErrInvalid, text)
}
