package runner

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// searcher gathers the windows of the step of a search that is at hand. What it has
// gathered of a window dies with its owner: a successor begins that window anew.
type searcher struct {
	step          int // that it gathers for
	windows       int // of it, judged
	window, whole core.SearchGather
	stored        int // steps of it, in the store
}

// search takes complete intervals into the window at hand, and says when it is full.
// Only intervals count that began when the load had been set and had settled, and in
// which every worker kept what it was asked to.
func (d *driver) search(fresh []ports.RunInterval, now time.Time) []core.Event {
	s, run := &d.searcher, &d.run
	if run.Search == nil || run.Search.Over || run.Status != core.Running || run.Phase != core.Measurement {
		return nil
	}
	step := run.Search.Current()
	if number := len(run.Search.Steps); s.step != number || s.windows != step.Windows() {
		if s.step != number {
			s.whole = core.SearchGather{}
		}
		s.step, s.windows, s.window = number, step.Windows(), core.SearchGather{}
	}
	from := run.PhaseAt
	for _, at := range []time.Time{run.Aim.At, step.Start} {
		if at.After(from) {
			from = at
		}
	}
	if step.Windows() == 0 || !run.Aim.At.Before(step.Start) { // the load was set for this step
		from = from.Add(run.Plan.Search.Settle)
	}
	asked, joining := asked(run)
	if joining {
		return nil
	}
	for i := range fresh {
		interval := &fresh[i]
		if interval.Phase != core.Measurement || interval.Start.Before(from) || interval.Target != asked {
			continue
		}
		one := core.SearchInterval{
			Start: interval.Start, Seconds: interval.Seconds, Kinds: interval.Kinds,
			Connections: interval.Target, CPU: interval.CPU,
		}
		s.window.Add(one)
		s.whole.Add(one)
		if s.window.Seconds() >= run.Plan.Search.Window.Seconds()*(1-1e-3) { // intervals are cut by timers
			slos := d.scenario.SLOs
			return []core.Event{core.WindowMeasured{
				At: now, Step: s.step, Number: s.windows + 1, Window: s.window.Window(slos), Total: s.whole.Window(slos),
			}}
		}
	}
	return nil
}

// asked is how many connections the workers that are there are asked to keep, and
// whether some are still on their way.
func asked(run *core.Run) (connections int, joining bool) {
	for i := range run.Workers {
		w := &run.Workers[i]
		switch {
		case w.Life == core.Launching || w.Life == core.Launched:
			joining = true
		case w.Life.Alive() && !w.Silent:
			connections += w.Target
		}
	}
	return connections, joining
}
