package runner

import (
	"fmt"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func spoken(worker, epoch int, texts ...string) *core.Beat {
	return &core.Beat{Key: core.WorkerKey{RunID: "run", WorkerID: core.WorkerID(worker), Epoch: epoch}, Report: core.Report{Lines: texts}}
}

func said(n int, message string) string {
	return fmt.Sprintf(`{"seq":%d,"level":"INFO","msg":%q}`, n, message)
}

// A line comes in several beats, and is stored once, without a secret.
func TestHeardLines(t *testing.T) {
	is := is.New(t)
	h := heard{newest: map[core.WorkerKey]int64{}}
	hide := redactionOf([]ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_MAIN", Value: "sesame-open"}})
	h.take(spoken(0, 1, said(1, "one"), said(2, "it is sesame-open")), hide)
	h.take(spoken(1, 1, said(1, "other")), hide)
	h.take(spoken(0, 1, said(1, "one"), said(2, "it is sesame-open"), said(3, "three"), "no number"), hide)
	var got []string
	for _, l := range h.waiting {
		got = append(got, fmt.Sprint(l.WorkerID, " ", l.Sequence, " ", l.Message))
	}
	is.Equal(len(got), 4)
	is.Equal(got[0], "worker-0 1000000 one")
	is.True(got[1] != "worker-0 2000000 it is sesame-open")
	is.Equal(got[2], "worker-1 1000000 other")
	is.Equal(got[3], "worker-0 3000000 three")
}

func TestHeardLinesAreBounded(t *testing.T) {
	is := is.New(t)
	h := heard{newest: map[core.WorkerKey]int64{}}
	for i := range maxJournal + 7 {
		h.take(spoken(0, 1, said(i+1, "x")), redactionOf(nil))
	}
	is.Equal(len(h.waiting), maxJournal)
	is.Equal(h.waiting[0].Sequence, int64(8*lineGap)) // the newest stay
}
