package controller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestCourseReadsWhatIsNew: who looks at a run again sees what was added and corrected
// since, and costs the store no more than that; and of a run that has ended, or that
// has another's id, everything is read.
func TestCourseReadsWhatIsNew(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	store := func(run core.Run, from, to int, ok uint64) {
		t.Helper()
		var rows []ports.RunInterval
		for i := from; i <= to; i++ {
			k := core.KindMetrics{Kind: core.PointLookup, Counts: core.Counts{Scheduled: ok + 1, Started: ok + 1, OK: ok, Errors: 1}, Failures: []core.ErrorCount{{Class: "busy", Count: 1}}}
			k.Service.RecordN(time.Millisecond, ok)
			rows = append(rows, ports.RunInterval{RunID: run.ID, Phase: core.Measurement, Offset: float64(i), Start: run.Origin.Add(time.Duration(i-1) * time.Second), Seconds: 1, Kinds: []core.KindMetrics{k}})
		}
		s.must(s.store.AppendSnapshots(t.Context(), nil, rows))
	}
	look := func(id string) (course controller.Course, rows int64) {
		t.Helper()
		s.store.rows.Store(0)
		course, err := s.service.Course(t.Context(), id)
		s.must(err)
		return course, s.store.rows.Load()
	}
	run := s.beganBefore(s.run("load.duration=1h").ID, 1000*time.Second)
	store(run, 1, 990, 5)
	first, rows := look(run.ID)
	is.Equal(rows, int64(990))
	is.Equal(len(first.Points), 990)
	is.Equal(first.Classes[0].Count, uint64(990))

	store(run, 985, 1000, 7) // six are corrected
	second, rows := look(run.ID)
	is.True(rows > 16 && rows < 80)
	is.Equal(len(second.Points), 1000)
	is.Equal(second.Points[:984], first.Points[:984])
	is.Equal(second.Points[984].OK, uint64(7))
	is.Equal(second.Classes[0].Count, uint64(1000))
	is.Equal(first.Points[984].OK, uint64(5)) // whoever has the old one keeps it as it was
	again, _ := look(run.ID)
	is.Equal(again, second)

	for i := range 10 { // more than are kept
		other := s.beganBefore(s.run("load.duration=1h").ID, 1000*time.Second)
		store(other, 1, 20, uint64(i))
		course, _ := look(other.ID)
		is.Equal(course.Points[3].OK, uint64(i))
	}
	again, rows = look(run.ID)
	is.Equal(rows, int64(1000))
	is.Equal(fmt.Sprint(again), fmt.Sprint(second))

	s.end(run.ID)
	store(run, 3, 3, 9) // an owner repairs what it found
	over, rows := look(run.ID)
	is.Equal(rows, int64(1000))
	is.Equal(over.Points[2].OK, uint64(9))
}
