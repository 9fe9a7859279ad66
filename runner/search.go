package runner

import (
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// searcher gathers the windows of the step of a search that is at hand. What it has
// gathered of a window dies with its owner: a successor begins that window anew.
type searcher struct {
	step          int       // that it gathers for
	windows       int       // of it, judged
	load          float64   // of it; a lost worker makes that less
	aim           int       // number of the load that it gathers of
	targets       []int     // connections that each worker is asked for
	changed       time.Time // when those became others within that load; zero: never
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
	s.turnTo(run)
	targets, asked, settled := asked(run)
	if !settled {
		return nil
	}
	s.notice(targets, now)
	from := s.from(run)
	for i := range fresh {
		interval := &fresh[i]
		if interval.Phase != core.Measurement || interval.Start.Before(from) || interval.Target != asked {
			continue
		}
		one := core.SearchInterval{
			Start: interval.Start, Seconds: interval.Seconds, Kinds: interval.Kinds,
			Connections: interval.Target, Missing: interval.Missing, CPU: max(interval.BusiestCPU, interval.HostCPU),
		}
		s.window.Add(one)
		s.whole.Add(one)
		if s.window.Full(run.Plan.Search.Window, d.scenario.Load.Interval.Std()) {
			slos := d.scenario.SLOs
			return []core.Event{core.WindowMeasured{
				At: now, Step: s.step, Number: s.windows + 1, Window: s.window.Window(slos), Total: s.whole.Window(slos),
			}}
		}
	}
	return nil
}

// turnTo empties what is not of the step, the window and the load at hand.
func (s *searcher) turnTo(run *core.Run) {
	number, step := len(run.Search.Steps), run.Search.Current()
	if s.step != number || s.aim != run.Aim.Number {
		s.window, s.whole, s.targets, s.changed = core.SearchGather{}, core.SearchGather{}, nil, time.Time{}
	}
	if s.windows != step.Windows() || s.load != step.Load {
		s.window = core.SearchGather{}
	}
	s.step, s.aim, s.windows, s.load = number, run.Aim.Number, step.Windows(), step.Load
}

// notice empties everything when a worker was lost within the step: what was gathered is
// of another load.
func (s *searcher) notice(targets []int, now time.Time) {
	if s.targets != nil && !slices.Equal(s.targets, targets) {
		s.window, s.whole, s.changed = core.SearchGather{}, core.SearchGather{}, now
	}
	s.targets = targets
}

// from is when the load of the step at hand has settled.
func (s *searcher) from(run *core.Run) time.Time {
	step, settle := run.Search.Current(), run.Plan.Search.Settle
	from := latest(run.PhaseAt, run.Aim.At, step.Start)
	if step.Windows() == 0 || !run.Aim.At.Before(step.Start) { // the load was set for this step
		from = from.Add(settle)
	}
	if s.changed.IsZero() {
		return from
	}
	return latest(from, s.changed.Add(settle))
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// asked is how many connections each worker is asked to keep, and all together. It is not
// settled while some are on their way, or are being ended and may still make load.
func asked(run *core.Run) (targets []int, connections int, settled bool) {
	targets, settled = make([]int, len(run.Workers)), true
	for i := range run.Workers {
		w := &run.Workers[i]
		switch {
		case w.Life == core.Launching || w.Life == core.Launched || w.Life.Alive() && w.Silent:
			settled = false
		case w.Life.Alive():
			targets[i] = w.Target
			connections += w.Target
		}
	}
	return targets, connections, settled
}
