package worker

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The deadline of one beat, and the pauses before a failed one is repeated.
const (
	beatTimeout  = 5 * time.Second
	minBeatPause = 50 * time.Millisecond
	maxBeatPause = time.Second
)

// cutIntervals cuts the intervals at the moments that all workers share, and
// asks for a beat each time, until ctx ends. Before there is a load it asks for
// a beat once per interval.
func (w *worker) cutIntervals(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		next := w.clock.now() + w.collector.interval
		m, loading := w.collector.next()
		if loading {
			next = m.at
		}
		timer.Reset(next - w.clock.now())
		select {
		case <-timer.C:
			if loading {
				w.collector.cut(m, w.clock.now())
			} else {
				w.collector.sampleUsage(w.clock.now())
			}
			w.beatSoon()
		case <-w.learned: // the next moment may be another one now
		case <-ctx.Done():
		}
	}
}

// beatSoon asks for a beat without waiting for it.
func (w *worker) beatSoon() {
	select {
	case w.beats <- struct{}{}:
	default: // one is asked for already
	}
}

// sendBeats sends a beat whenever one is asked for, until ctx ends. One that
// fails is followed by a newer one.
func (w *worker) sendBeats(ctx context.Context) {
	failures := 0
	for {
		var again <-chan time.Time
		if failures > 0 {
			again = time.After(beatPause(failures))
		}
		select {
		case <-w.beats:
		case <-again:
		case <-ctx.Done():
			return
		}
		err := w.sendBeat(ctx, w.dutyNow().State)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			if failures++; failures == 1 {
				w.log.Warn("a beat was not accepted", "error", w.text(err))
			}
		}
	}
}

func beatPause(failures int) time.Duration {
	return min(minBeatPause<<min(failures-1, 10), maxBeatPause)
}

// sendBeat sends one beat that says state.
func (w *worker) sendBeat(ctx context.Context, state core.WorkerState) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	return w.ports.Workers.Beat(ctx, w.beat(state))
}

// beat is the worker's report as it is now.
func (w *worker) beat(state core.WorkerState) core.Beat {
	now := w.clock.now()
	duty := w.dutyNow()
	working := min(now, duty.Schedule.End-1) // after the load its last phase stays
	b := core.Beat{
		Key: w.key, GroupID: w.config.GroupID, State: state, Phase: duty.Schedule.PhaseAt(working),
		Count: w.count.Add(1), Connections: w.load.openCount(), LastError: w.load.newestError(),
		LastSequence: w.lastSequence.Load(), Acknowledged: w.acknowledged.Load(),
		Sessions: w.load.sessionIDs(), Build: w.config.Build,
		Report: w.collector.report(now),
	}
	b.Target, b.CPU, b.Memory = w.collector.gauges()
	b.Report.QuotaDone = w.quotaDone.Load()
	b.Report.Spent = w.load.allowance.spentOn()
	if w.ports.Lines != nil {
		b.Report.Lines = w.ports.Lines(lineBeats * w.collector.interval)
	}
	if state == core.WorkerDead {
		b.LastError = duty.Cause
	}
	w.newest.Store(&b)
	return b
}

// flush stores everything that is not stored yet: sampled operations first,
// which may take half of the time, then the final beat until it is accepted or
// the time is over.
func (w *worker) flush(ctx context.Context, by time.Duration) {
	left := max(by-w.clock.now(), 0)
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	w.flushExecutions(ctx, left/2)
	w.cutter.stop(ctx)
	w.collector.cutLast(w.clock.now())
	w.beater.stop(ctx) // one that hangs is passed by: the highest count wins
	for failures := 1; ; failures++ {
		state := w.dutyNow().FinalState()
		err := w.sendBeat(ctx, state)
		switch {
		case err == nil && state == w.dutyNow().FinalState():
			w.tell(core.Flushed{At: w.clock.now()})
			return
		case err == nil: // a second signal came meanwhile: say so
		case ctx.Err() != nil:
			w.log.Error("the final report was not accepted", "error", w.text(err))
			return
		default:
			wait(ctx, beatPause(failures))
		}
	}
}

// flushExecutions stores the sampled operations that are left, and counts those
// that cannot be stored in time.
func (w *worker) flushExecutions(ctx context.Context, budget time.Duration) {
	if w.executions == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if w.writer.stop(ctx) {
		w.executions.flush(ctx)
		return
	}
	w.load.dropped.Add(uint64(w.executions.sending.Load()) + uint64(len(w.load.samples)))
}
