package runner_test

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
)

// script is what a scripted worker does other than obey.
type script struct {
	deaf      bool          // ignores the stop and the gentle stop
	deafToRun bool          // ignores the stop in the store, but not the gentle one
	crash     bool          // crashes in its second interval
	crashStop bool          // crashes when it hears of the stop
	mute      bool          // never registers
	unfit     bool          // dies before it is ready, with an error
	silent    bool          // stops beating after its second interval, and lives
	slowStart time.Duration // until it is ready
	slowDrain time.Duration // until it has drained
	quota     int64         // operations after which it makes no more; 0: none
	build     core.Build
	cpu       float64 // percent that it uses
	memory    float64
	calm      int    // connections from which on it uses nothing; 0: never
	allowance uint64 // operations after which its share of the budget is used up; 0: it has none
	// target is what it makes in one interval of what it is asked for: operations,
	// and how long each takes. Without one it is opsPerCut of 1 ms.
	target func(connections int, aim core.Aim) (operations int, latency time.Duration)
}

// scripted is one worker at work: it follows the control state, makes a fixed
// number of operations in each interval, and beats.
type scripted struct {
	b        *bench
	s        script
	p        *memory.Process
	beat     core.Beat
	interval time.Duration
	grid     int64 // interval of the run that was cut last
	sequence int64
}

// work is the life of a worker.
func (b *bench) work(ctx context.Context, p *memory.Process) (int, string) {
	key := p.Spec().Key
	b.mu.Lock()
	b.started[key]++
	if b.seen != nil {
		b.seen(p)
	}
	b.mu.Unlock()
	s := b.scripts[key.WorkerID]
	if s.build == (core.Build{}) {
		s.build = core.Build{ID: "test", GoVersion: "go1"}
	}
	w := &scripted{b: b, s: s, p: p, beat: core.Beat{Key: key, GroupID: p.Spec().GroupID, Connections: 1, Target: 1, Build: s.build}}
	code, cause := w.live(ctx)
	b.mu.Lock()
	b.left[key] = cause
	b.mu.Unlock()
	return code, cause
}

func (w *scripted) live(ctx context.Context) (int, string) {
	if !pause(ctx, w.s.slowStart) {
		return -1, "killed"
	}
	if w.s.unfit {
		w.beat.LastError = "no such table: T"
		w.final(ctx, core.WorkerDead)
		return core.ExitConnections, ""
	}
	tick := time.NewTicker(testPoll)
	defer tick.Stop()
	terminate := w.p.Terminate()
	if !w.learn(ctx) {
		return -1, "killed"
	}
	beats := time.NewTicker(w.interval)
	defer beats.Stop()
	for !w.s.mute && !w.say(ctx, core.WorkerReadyNow) {
		if !pause(ctx, testPoll) {
			return -1, "killed"
		}
	}
	for {
		select {
		case <-ctx.Done():
			return -1, "killed"
		case <-terminate:
			if !w.s.deaf {
				return w.end(ctx, "a gentle stop")
			}
			terminate = nil
		case <-beats.C:
			if !w.s.mute {
				w.say(ctx, w.beat.State)
			}
			continue
		case <-tick.C:
		}
		control, err := w.b.forWork.Control(ctx, w.beat.Key.RunID, w.beat.Key.WorkerID)
		if err != nil {
			continue
		}
		w.acknowledge(control.Acknowledged)
		switch {
		case control.Rung >= core.Drain || control.Status.Terminal():
			if w.s.crashStop {
				return -1, "killed by signal 9"
			}
			if !w.s.deaf && !w.s.deafToRun {
				return w.end(ctx, "the run is "+string(control.Status))
			}
		case control.Status == core.Running && w.cut(ctx, control) && w.sequence >= 2 && w.s.crash:
			return -1, "killed by signal 9"
		}
	}
}

// learn reads the scenario.
func (w *scripted) learn(ctx context.Context) bool {
	for {
		record, err := w.b.forWork.Load(ctx, w.beat.Key.RunID)
		if err == nil {
			w.interval = record.Scenario.Load.Interval.Std()
			return true
		}
		if !pause(ctx, testPoll) {
			return false
		}
	}
}

// end drains, reports and exits.
func (w *scripted) end(ctx context.Context, why string) (int, string) {
	for left := w.s.slowDrain; left > 0; left -= w.interval {
		w.say(ctx, core.WorkerDraining)
		if !pause(ctx, min(left, w.interval)) {
			return -1, "killed"
		}
	}
	if !w.final(ctx, core.WorkerCompleted) {
		return -1, "killed"
	}
	return 0, why
}

// final makes the final report, again and again until it is stored.
func (w *scripted) final(ctx context.Context, state core.WorkerState) bool {
	for !w.say(ctx, state) {
		if !pause(ctx, testPoll) {
			return false
		}
	}
	return true
}

// say beats. A silent worker says nothing more once it has gone silent.
func (w *scripted) say(ctx context.Context, state core.WorkerState) bool {
	if w.s.silent && w.sequence >= 2 {
		return true
	}
	w.beat.State = state
	w.beat.Count++
	return w.b.forWork.Beat(ctx, w.beat) == nil
}

// cut makes the operations of every interval that has passed, and beats.
func (w *scripted) cut(ctx context.Context, c core.Control) bool {
	now := c.Now
	if !c.Until.IsZero() && now.After(c.Until) {
		now = c.Until
	}
	grid := int64(now.Sub(c.Origin) / w.interval)
	if now.Before(c.Origin) || grid <= w.grid {
		return false
	}
	w.grid = grid
	if w.beat.Report.QuotaDone {
		return false
	}
	w.measure(phaseOf(c), c)
	w.beat.Report.QuotaDone = w.s.quota > 0 && w.sequence*opsPerCut >= w.s.quota
	w.say(ctx, core.WorkerRunning)
	return true
}

// phaseOf is the phase that holds now.
func phaseOf(c core.Control) core.Phase {
	if !c.Now.Before(c.PhaseAt) {
		return c.Phase
	}
	switch c.Phase {
	case core.Cooldown:
		return core.Measurement
	default:
		return core.Warmup
	}
}

// measure adds one interval to the worker's report.
func (w *scripted) measure(phase core.Phase, c core.Control) {
	ops, latency, start, connections := opsPerCut, time.Millisecond, c.Now, 1
	if w.s.target != nil {
		ops, latency = w.s.target(c.Target, c.Aim)
		start, connections = c.Now.Add(-w.interval), c.Target
	}
	kinds := func() []core.KindMetrics {
		n := uint64(ops)
		k := core.KindMetrics{Kind: core.PointLookup, Access: core.AccessRead, Counts: core.Counts{Scheduled: n, Started: n, OK: n}}
		k.Service.RecordN(latency, n)
		return []core.KindMetrics{k}
	}
	r := &w.beat.Report
	phases := append([]core.PhaseMetrics(nil), r.Phases...) // the old report may still be read
	r.Phases = phases
	p := r.PhaseOf(phase)
	if p == nil {
		r.Phases = append(r.Phases, core.PhaseMetrics{Phase: phase})
		p = &r.Phases[len(r.Phases)-1]
	}
	p.Kinds = core.MergeKinds(core.MergeKinds(nil, p.Kinds), kinds())
	p.Seconds += w.interval.Seconds()
	p.Completed += uint64(ops)
	r.LastStart, r.LastEnd = c.Now, c.Now
	w.sequence++
	cpu := w.s.cpu
	if c.Target <= w.s.calm {
		cpu = 1
	}
	if totals := r.Totals(); w.s.allowance > 0 && totals.Started >= w.s.allowance {
		r.Spent = core.SpentOperations
	}
	r.Intervals = append(append([]core.Interval(nil), r.Intervals...), core.Interval{
		Sequence: w.sequence, Phase: phase, Start: start, Seconds: w.interval.Seconds(), Offset: (time.Duration(w.grid) * w.interval).Seconds(),
		Kinds: kinds(), Connections: connections, Target: connections, CPU: cpu, Memory: w.s.memory,
	})
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	w.b.made[w.beat.Key.WorkerID] += uint64(ops)
	w.b.cuts[w.beat.Key.WorkerID] = w.sequence
}

// acknowledge drops the intervals that are stored.
func (w *scripted) acknowledge(sequence int64) {
	for len(w.beat.Report.Intervals) > 0 && w.beat.Report.Intervals[0].Sequence <= sequence {
		w.beat.Report.Intervals = w.beat.Report.Intervals[1:]
	}
}

// pause is false when the worker was killed meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
