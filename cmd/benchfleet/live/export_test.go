package live

import (
	"io"
	"time"
)

// Frame is the frame of a board that was shown snapshots, at the moment of the
// last one.
func Frame(width, height int, colours bool, note string, snapshots ...Snapshot) string {
	b := &board{}
	now := time.Now()
	for _, s := range snapshots {
		b.show(s, now)
	}
	if note != "" {
		b.note(note, now)
	}
	v := view{width: width, height: height, paint: paints(io.Discard, colours)}
	b.take(&v, now)
	return v.frame()
}
