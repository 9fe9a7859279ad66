package core

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

// The certificate says when the last operations were only where it is known: a
// worker that made no final report may have gone on after its last beat.
func TestCertificateOfOperations(t *testing.T) {
	stop := StopRequested{At: at(12), Reason: UserRequested}
	ends := func(worker int, seconds float64) Event {
		return WorkerExited{At: at(seconds), Worker: worker, Epoch: 1, Exit: Exit{Cause: "exited with code 0"}}
	}
	beat := func(worker int, state WorkerState, start, end float64) Event {
		return BeatSeen{At: at(end), Worker: worker, Epoch: 1, State: state, LastStart: at(start), LastEnd: at(end)}
	}
	early, late := beat(0, WorkerRunning, 11, 11.5), beat(0, WorkerCompleted, 12.02, 12.4)
	for _, test := range []struct {
		name   string
		change func(*Plan)
		events []Event
		start  time.Duration // of the last new operation; -1: unknown
		end    time.Duration // of the last operation in flight
		first  time.Time     // last new operation of worker 0
	}{
		{"all have reported", nil, []Event{stop, late, beat(1, WorkerCompleted, 11.9, 12.6), ends(0, 13), ends(1, 13)},
			20 * time.Millisecond, 600 * time.Millisecond, at(12.02)},
		{"one is killed without a report", nil, []Event{early, stop, beat(1, WorkerCompleted, 12.1, 12.6), ends(0, 13), ends(1, 13)}, -1, -1, time.Time{}},
		{"none is heard of again", nil, []Event{early, stop, ends(0, 13), ends(1, 13)}, -1, -1, time.Time{}},
		{"one is still alive", nil, []Event{stop, late}, -1, -1, at(12.02)},
		{"one was gone before the stop", degrading, []Event{early, ends(0, 11.8), stop, beat(1, WorkerCompleted, 12.1, 12.6), ends(1, 13)},
			100 * time.Millisecond, 600 * time.Millisecond, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r, _ := play(t, loaded(t, 2, test.change), test.events...)
			c := r.Certificate()
			is.Equal(c.Stages.LastNewOperation == nil, test.start < 0)
			is.Equal(c.Stages.LastInFlight == nil, test.end < 0)
			if test.start >= 0 {
				is.Equal(c.Stages.LastNewOperation.Std(), test.start)
				is.Equal(c.Stages.LastInFlight.Std(), test.end)
			}
			is.Equal(c.Workers[0].LastStart, test.first)
		})
	}
}
