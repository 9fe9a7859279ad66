package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func TestLinesAreNumberedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var out bytes.Buffer
		l := &lines{out: &out}
		log := slog.New(slog.NewJSONHandler(l, nil)).With("worker_id", "worker-0")
		log.Info("one")
		time.Sleep(4 * time.Second)
		log.Warn("two", "n", 2)
		kept := l.newest(5 * time.Second)
		is.Equal(strings.Join(kept, "\n")+"\n", out.String()) // the same text, word for word
		for i, text := range kept {
			var fields struct {
				Seq      int
				WorkerID string `json:"worker_id"`
			}
			is.NoErr(json.Unmarshal([]byte(text), &fields))
			is.Equal(fields.Seq, i+1)
			is.Equal(fields.WorkerID, "worker-0")
		}
		is.Equal(l.newest(5*time.Second), kept) // a beat may be lost: they come again
		time.Sleep(2 * time.Second)
		is.Equal(l.newest(5*time.Second), kept[1:])
		time.Sleep(4 * time.Second)
		is.Equal(len(l.newest(5*time.Second)), 0)
		is.Equal(l.size, 0)
	})
}

func TestLinesAreBounded(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	l := &lines{out: &out}
	log := slog.New(slog.NewJSONHandler(l, nil))
	for i := range 10 * maxBeatLines {
		log.Info(fmt.Sprint("line ", i))
	}
	kept := l.newest(time.Hour)
	is.Equal(len(kept), maxBeatLines)
	is.True(strings.Contains(kept[len(kept)-1], fmt.Sprintf(`"seq":%d,`, 10*maxBeatLines))) // the newest stay
	log.Info(strings.Repeat("x", maxBeatText))                                              // written, and not carried
	is.Equal(l.newest(time.Hour), kept)
	for range 100 {
		log.Info(strings.Repeat("y", 1000))
	}
	size := 0
	for _, text := range l.newest(time.Hour) {
		size += len(text)
	}
	is.True(size > maxBeatText/2 && size <= maxBeatText)
	is.Equal(strings.Count(out.String(), "\n"), 10*maxBeatLines+101) // all are written
}
