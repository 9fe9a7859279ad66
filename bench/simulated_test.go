//go:build unix

package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var simulatedBuild = core.Build{ID: "bench", GoVersion: "go1"}

// simulated is a worker without a load: it reports what it would have measured.
type simulated struct {
	store    ports.Store
	beat     core.Beat
	grid     int64 // interval that was cut last
	sequence int64
}

// simulatedPace is how often a simulated worker reads the control state: as often
// as one of a distant store does.
const simulatedPace = time.Second

// simulate is the life of a simulated worker.
func simulate(ctx context.Context, store ports.Store, spec ports.WorkerSpec) (int, string) {
	w := &simulated{store: store, beat: core.Beat{
		Key: spec.Key, GroupID: spec.GroupID, Connections: 1, Target: 1, Build: simulatedBuild,
	}}
	// Workers of a fleet do not beat all at once.
	timer := time.NewTimer(time.Duration(spec.GroupID%1000) * time.Millisecond)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return -1, "killed"
		case <-timer.C:
		}
		timer.Reset(simulatedPace)
		control, err := store.Control(ctx, spec.Key.RunID, spec.Key.WorkerID)
		if err != nil {
			continue // asked again
		}
		w.acknowledge(control.Acknowledged)
		switch {
		case control.Rung >= core.Drain || control.Status.Terminal():
			w.cut(control)
			if w.say(ctx, core.WorkerCompleted) == nil {
				return 0, "the run is over"
			}
		case control.Status == core.Running:
			w.cut(control)
			_ = w.say(ctx, core.WorkerRunning) // said again in the next one
		default:
			_ = w.say(ctx, core.WorkerReadyNow)
		}
	}
}

func (w *simulated) say(ctx context.Context, state core.WorkerState) error {
	w.beat.State = state
	w.beat.Count++
	return w.store.Beat(ctx, w.beat)
}

// cut reports every interval that has passed since the last one.
func (w *simulated) cut(c core.Control) {
	now := c.Now
	if !c.Until.IsZero() && now.After(c.Until) {
		now = c.Until
	}
	for grid := int64(now.Sub(c.Origin) / time.Second); !now.Before(c.Origin) && w.grid < grid; {
		w.grid++
		w.measure(c.Origin.Add(time.Duration(w.grid-1) * time.Second))
	}
}

// The operations of each kind in a second, and how their latencies spread.
const (
	simulatedOps    = 500
	simulatedSpread = 0.6
)

// simulatedKinds are what every simulated worker measures in every second: made once,
// since it is the orchestrator that is measured. Nobody may change them.
var simulatedKinds = sync.OnceValue(func() []core.KindMetrics {
	random := rand.New(rand.NewPCG(1, 2))
	kind := func(name, access string) core.KindMetrics {
		k := core.KindMetrics{Kind: name, Access: access, Counts: core.Counts{Scheduled: simulatedOps, Started: simulatedOps, OK: simulatedOps, Rows: simulatedOps}}
		for range simulatedOps {
			k.Service.Record(time.Duration(math.Exp(simulatedSpread*random.NormFloat64()) * float64(time.Millisecond)))
		}
		return k
	}
	return []core.KindMetrics{kind(core.PointLookup, core.AccessRead), kind(core.Update, core.AccessWrite)}
})

// measure adds one interval that began at a time.
func (w *simulated) measure(start time.Time) {
	kinds := simulatedKinds()
	r := &w.beat.Report
	r.Phases = append([]core.PhaseMetrics(nil), r.Phases...) // the old ones may still be read
	p := r.PhaseOf(core.Measurement)
	if p == nil {
		r.Phases = append(r.Phases, core.PhaseMetrics{Phase: core.Measurement, Start: start})
		p = &r.Phases[len(r.Phases)-1]
	}
	p.Kinds = core.MergeKinds(core.MergeKinds(nil, p.Kinds), kinds)
	p.Seconds++
	p.Completed += 2 * simulatedOps
	r.LastStart, r.LastEnd = start.Add(time.Second), start.Add(time.Second)
	w.sequence++
	r.Intervals = append(append([]core.Interval(nil), r.Intervals...), core.Interval{
		Sequence: w.sequence, Phase: core.Measurement, Start: start, Seconds: 1, Offset: float64(w.grid),
		Kinds: kinds, Connections: 1, Target: 1,
	})
}

// acknowledge drops the intervals that are stored.
func (w *simulated) acknowledge(sequence int64) {
	for len(w.beat.Report.Intervals) > 0 && w.beat.Report.Intervals[0].Sequence <= sequence {
		w.beat.Report.Intervals = w.beat.Report.Intervals[1:]
	}
}
