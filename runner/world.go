package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// paces of observation while the load runs; while workers start or end, every
// step observes.
const (
	beatPace    = 200 * time.Millisecond
	inspectPace = 500 * time.Millisecond
)

// observeWorld turns what can be seen of the workers into facts.
func (d *driver) observeWorld(ctx context.Context) []core.Event {
	if d.run.Status == core.Prepared || d.run.Status.Terminal() {
		return nil
	}
	var facts []core.Event
	calm := d.run.Status == core.Running
	// What has exited is asked first and folded last: a worker reports before it
	// exits, so its report is there if its exit is.
	var exits []core.Event
	if !calm || time.Since(d.lastInspect) >= inspectPace {
		d.lastInspect = time.Now()
		exits = d.inspect(ctx)
	}
	if !calm || len(exits) > 0 || time.Since(d.lastBeats) >= beatPace {
		d.lastBeats = time.Now()
		facts = d.readBeats(ctx)
	}
	if len(exits) > 0 && d.reportsMissing() {
		return facts // the exits will be seen again
	}
	return append(facts, exits...)
}

// reportsMissing reports whether the beats cannot be read now, so that a worker
// which has exited may have reported. Its report is waited for, for one owner
// lease at most.
func (d *driver) reportsMissing() bool {
	return !d.away() && !d.readTrouble.IsZero() && time.Since(d.readTrouble) < d.scenario.Limits.OwnerLease.Std()
}

// inspect asks the launcher what has become of the workers that may be alive.
func (d *driver) inspect(ctx context.Context) []core.Event {
	var (
		handles []core.Handle
		indexes []int
	)
	for i, w := range d.run.Workers {
		if w.Life.Alive() && !w.Handle.Zero() {
			handles, indexes = append(handles, w.Handle), append(indexes, i)
		}
	}
	if len(handles) == 0 {
		return nil
	}
	call, cancel := d.call(ctx)
	defer cancel()
	states, err := d.ports.Launcher.Inspect(call, handles)
	if err != nil || len(states) != len(handles) {
		d.log.Warn("the launcher could not inspect the workers", "error", err)
		return nil
	}
	var facts []core.Event
	for i, state := range states {
		w := indexes[i]
		record := &d.run.Workers[w]
		switch {
		case state.State == ports.LaunchPending && record.Life == core.Launched && record.State == "" && (!record.Pending || record.Message != state.Cause):
			facts = append(facts, core.WorkerPending{At: d.clock.now(), Worker: w, Epoch: record.Epoch, Cause: state.Cause})
		case state.State == ports.LaunchGone:
			facts = append(facts, core.WorkerExited{
				At: d.clock.now(), Worker: w, Epoch: record.Epoch,
				Exit: core.Exit{Code: state.ExitCode, Cause: state.Cause},
			})
		}
	}
	return facts
}

// readBeats reads the newest beats, stores the intervals that they carry, and
// says what is new.
func (d *driver) readBeats(ctx context.Context) []core.Event {
	if d.away() {
		return nil
	}
	call, cancel := d.call(ctx)
	defer cancel()
	beats, now, err := d.ports.Workers.Beats(call, d.run.ID, d.counts)
	if err != nil {
		d.log.Warn("the beats could not be read", "error", err)
		if d.readTrouble.IsZero() {
			d.readTrouble = time.Now()
		}
		return nil
	}
	d.settled(&d.readTrouble)
	d.clock.heard(now)
	dropped := d.measured.dropped
	d.keep(beats)
	if d.measured.dropped > dropped {
		d.log.Warn("intervals were given up, since they cannot be stored", "in all", d.measured.dropped)
	}
	acknowledged := d.appendIntervals(ctx)
	d.watchSettled()
	var facts []core.Event
	for i := range d.run.Workers {
		facts = append(facts, d.beatFacts(i, now, acknowledged)...)
	}
	fresh := untilMeasured(d.measured.fresh, core.MeasuredUntil(d.beats))
	d.measured.fresh = nil
	facts = append(facts, d.search(fresh, now)...)
	facts = append(facts, d.pursue(ctx, fresh, now)...)
	facts = append(facts, d.objectives(fresh, now)...)
	return slices.Concat(facts, d.budget(now), d.guardrails(now))
}

// untilMeasured leaves out what comes after the measurement, which has an end: no more is
// decided by that.
func untilMeasured(fresh []ports.RunInterval, end time.Time) []ports.RunInterval {
	return slices.DeleteFunc(fresh, func(i ports.RunInterval) bool {
		return i.Phase == core.Cooldown || i.Phase == core.Measurement && i.Tail(end)
	})
}

// objectives ends a run that misses what it was to be ended for. Every interval
// that all workers are in is looked at once, in order; a successor begins anew. While
// a worker joins, intervals may lack its part, and are passed by.
func (d *driver) objectives(fresh []ports.RunInterval, now time.Time) (facts []core.Event) {
	if !core.MayAbort(d.scenario.SLOs) || d.run.Status != core.Running {
		return nil
	}
	joined := time.Time{}
	for i := range d.run.Workers {
		if since := d.run.Workers[i].Since; !since.IsZero() {
			joined = latest(joined, since.Add(2*d.scenario.Load.Interval.Std()))
		}
	}
	for i := range fresh {
		if fresh[i].Phase != core.Measurement || fresh[i].Start.Before(joined) {
			continue
		}
		var breach string
		if d.watch, breach = d.watch.Observe(d.scenario.SLOs, fresh[i].Kinds, fresh[i].Seconds); breach != "" {
			return []core.Event{core.StopRequested{At: now, Reason: core.SLOAbort, Detail: breach}}
		}
	}
	return nil
}

// keep takes the beats that are new; of the others only their age is news.
func (d *driver) keep(beats []core.Beat) {
	if d.beats == nil {
		d.beats = make([]core.Beat, len(d.run.Workers))
	}
	kept := make([]core.Beat, len(d.beats)) // effects may still read the old ones
	copy(kept, d.beats)
	for _, b := range beats {
		if b.GroupID < 0 || b.GroupID >= len(kept) || b.Key.Epoch != d.run.Workers[b.GroupID].Epoch {
			continue
		}
		if b.Count > d.counts[b.Key.WorkerID] || kept[b.GroupID].Count == 0 {
			kept[b.GroupID] = b
			d.counts[b.Key.WorkerID] = b.Count
			d.measured.add(b, d.run.Workers[b.GroupID].Acknowledged)
			d.heard.take(&b, d.hide)
			d.changed = true
		}
	}
	d.beats = kept
}

// beatFacts are the facts that the newest beat of one worker tells.
func (d *driver) beatFacts(i int, now time.Time, acknowledged map[int]int64) []core.Event {
	w, b := &d.run.Workers[i], &d.beats[i]
	if b.Count == 0 {
		return nil
	}
	var facts []core.Event
	news := b.State != w.State || b.LastError != w.Message && !w.Silent || b.Connections != w.Connections ||
		b.Report.QuotaDone && !w.QuotaDone || acknowledged[i] > w.Acknowledged
	if problem := d.mismatch(b); problem != "" && w.Joining {
		facts = append(facts, core.LaunchFailed{At: now, Worker: i, Epoch: w.Epoch, Detail: w.ID + " " + problem})
	} else if problem != "" && !d.run.Status.Ending() { // before it can count as ready
		facts = append(facts, core.StopRequested{At: now, Reason: core.LaunchRefused, Detail: w.ID + " " + problem})
	}
	if news && !w.Reported {
		facts = append(facts, core.BeatSeen{
			At: now, Worker: i, Epoch: b.Key.Epoch, State: b.State, QuotaDone: b.Report.QuotaDone,
			Acknowledged: acknowledged[i], Connections: b.Connections,
			LastStart: b.Report.LastStart, LastEnd: b.Report.LastEnd, Detail: b.LastError,
		})
	}
	if detail := d.silence(w, b, now); detail != "" {
		facts = append(facts, core.WorkerSilent{At: now, Worker: i, Epoch: w.Epoch, Detail: detail})
	}
	return facts
}

// silence says in what way a worker that the run needs says no more, or "". One
// that has made its final report will not speak again: its exit is awaited as long
// as a beat, since a platform that ended it may have ended too.
func (d *driver) silence(w *core.WorkerRecord, b *core.Beat, now time.Time) string {
	age := now.Sub(b.At)
	if w.Life != core.Ready || w.Silent || age <= core.LostAfter*d.scenario.Load.Interval.Std() || !d.hearing() {
		return ""
	}
	told := age.Round(100 * time.Millisecond)
	switch {
	case !b.State.Final():
		return fmt.Sprintf("no beat for %s", told)
	case d.run.Status.Ending(): // the rungs of the stop see to it
		return ""
	}
	detail := fmt.Sprintf("%s by its own report, %s ago, and not seen to exit", b.State, told)
	if b.LastError != "" {
		detail += ": " + b.LastError
	}
	return detail
}

// settled ends a trouble. After one that was long enough for workers to seem
// stale, their silence is counted anew: they could not speak.
func (d *driver) settled(trouble *time.Time) {
	if !trouble.IsZero() && time.Since(*trouble) > core.StaleAfter*d.scenario.Load.Interval.Std() {
		d.steady = time.Now()
	}
	*trouble = time.Time{}
}

// hearing reports whether the store has been there for so long that a worker
// that was not heard is silent.
func (d *driver) hearing() bool {
	interval := d.scenario.Load.Interval.Std()
	for _, trouble := range []time.Time{d.readTrouble, d.putTrouble} {
		if !trouble.IsZero() && time.Since(trouble) > core.StaleAfter*interval {
			return false
		}
	}
	return time.Since(d.steady) > core.LostAfter*interval
}

// mismatch says why a worker that has registered may not take part, or "".
func (d *driver) mismatch(b *core.Beat) string {
	own := d.options.Build
	if own.ID != "" && b.Build.ID != "" && !own.Same(b.Build) {
		return fmt.Sprintf("is build %s (%s), this orchestrator is build %s (%s)", b.Build.ID, b.Build.GoVersion, own.ID, own.GoVersion)
	}
	return ""
}

// appendIntervals stores the intervals that are not stored yet, once per
// interval, and returns up to which each worker's are.
func (d *driver) appendIntervals(ctx context.Context) map[int]int64 {
	if !d.owns() || d.run.Status == core.Running && time.Since(d.lastAppend) < d.scenario.Load.Interval.Std()/2 {
		return nil
	}
	batch := d.measured.take(d.health())
	if len(batch.workers) == 0 {
		return nil
	}
	call, cancel := d.call(ctx)
	defer cancel()
	if err := d.measured.complete(call, d.ports.Results, &batch); err != nil {
		d.log.Warn("stored intervals could not be read back", "error", err)
		return nil
	}
	err := d.ports.Results.AppendSnapshots(call, batch.workers, batch.aggregates)
	d.watched.stored(batch.aggregates)
	if err != nil {
		d.log.Warn("the intervals could not be stored", "error", err)
		return nil
	}
	d.lastAppend = time.Now()
	d.measured.stored(batch)
	return batch.acknowledged
}

// progress is what the list of runs shows: the result once it is stored, and the
// sum of the beats until then.
func (d *driver) progress() ports.Progress {
	if d.result != nil {
		return *d.result
	}
	var p ports.Progress
	for i := range d.beats {
		c := d.beats[i].Report.Totals()
		p.TotalOps += int64(c.Started)
		p.Errors += int64(c.Errors)
	}
	if latest := d.measured.latest; latest != nil && latest.Seconds > 0 {
		p.QPS = float64(core.Total(latest.Kinds).OK) / latest.Seconds
	}
	return p
}
