package runner

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/matryer/is"
)

// A journal that nobody takes lines from forgets the oldest, and counts them.
func TestJournalIsBounded(t *testing.T) {
	is := is.New(t)
	var text bytes.Buffer
	j := newJournal("run", 3)
	log := j.tee(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError})))
	for i := range maxJournal + 7 {
		log.With("n", i).Info("line")
	}
	log.Debug("not kept")
	is.Equal(text.Len(), 0) // its own logger keeps its own level
	lines := j.waiting()
	is.Equal(len(lines), maxJournal)
	is.Equal(lines[0].Message, `line {"n":7}`)
	is.Equal(lines[0].Sequence, int64(3*journalSpan+8))
	is.Equal(lines[0].RunID+lines[0].WorkerID, "run")
	log.Info("meanwhile")
	is.Equal(j.stored(lines[len(lines)-1].Sequence), 8)
	is.Equal(len(j.waiting()), 1)
	is.Equal(j.waiting()[0].Message, "meanwhile")
	is.Equal(j.stored(j.last), 0)
	is.Equal(len(j.waiting()), 0)
}
