package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Drive makes the load of a scenario on a target in this process, without a run
// and a store: what a worker does between START and STOP. It makes the warm-up
// and then the measurement with the connections of worker 0, until the
// scenario's time or operations are done or ctx ends, and returns what was
// measured. Nothing is sampled. Errors: those of opening sessions, and Invalid
// for a scenario that bounds neither.
func Drive(ctx context.Context, s core.Scenario, target ports.Target) (core.Report, error) {
	if s.Load.Operations <= 0 && s.Load.Duration <= 0 {
		return core.Report{}, fmt.Errorf("%w: the scenario bounds neither time nor operations", core.ErrInvalid)
	}
	s.Load.Sampling = 0
	clock := newClock()
	l, err := newLoad(ctx, clock, s, nil, core.WorkerKey{RunID: s.Name, WorkerID: core.WorkerID(0)}, 0, error.Error, slog.New(slog.DiscardHandler))
	if err != nil {
		return core.Report{}, err
	}
	defer context.AfterFunc(ctx, l.stopOpening)()
	if err := l.openAll(target); err != nil {
		return core.Report{}, err
	}
	c := newCollector(l, newStoreClock(clock.base), unknownUsage)
	var watcher, nulls part
	watcher.start(l.ctx, func(ctx context.Context) { l.watch(ctx.Done()) })
	schedule := core.LoadSchedule{Warmup: clock.now(), Cooldown: core.Never, End: core.Never}
	schedule.Measurement = schedule.Warmup + s.Load.Warmup.Std()
	if s.Load.Duration > 0 {
		schedule.End = schedule.Measurement + s.Load.Duration.Std()
	}
	l.publish(schedule)
	if l.nulls != nil {
		nulls.start(l.ctx, l.nulls.run)
	}
	idle := make(chan struct{})
	l.start(func() {}, func() { close(idle) })
	select {
	case <-idle:
	case <-ctx.Done():
		l.cancelAll()
	}
	schedule.End = min(schedule.End, clock.now())
	if last := time.Duration(l.lastDone.Load()); last > 0 {
		schedule.End = min(schedule.End, last+1)
	}
	l.publish(schedule)
	l.end()
	<-idle
	l.leave()
	watcher.stop(l.ctx)
	nulls.stop(l.ctx)
	c.cutLast(clock.now())
	report := c.report(clock.now())
	report.Intervals = nil
	return report, nil
}

// Recorder records operations as a connection of a worker does. It exists for
// benchmarks; its zero value is not ready.
type Recorder struct{ recorder recorder }

// NewRecorder makes the recorder of a connection with that many kinds of
// operation.
func NewRecorder(kinds int) *Recorder {
	r := &Recorder{}
	r.recorder.buffer, r.recorder.kinds = &buffer{}, kinds
	r.recorder.rest()
	return r
}

// Record records one operation of the measurement that succeeded: what a worker
// does for each, its two clock readings excluded. The stamps are above 0.
func (r *Recorder) Record(kind int, start, end time.Duration) {
	r.recorder.begin(start, 0, kind, measurement)
	if r.recorder.succeed(end, 1, measurement) {
		r.recorder.flush()
	}
}

// Started is how many operations were recorded.
func (r *Recorder) Started() (n uint64) {
	r.recorder.flush()
	for _, p := range r.recorder.buffer.phases {
		if p != nil {
			for i := range p.kinds {
				n += p.kinds[i].started
			}
		}
	}
	return n
}
