package runner

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// lateSeries stores the intervals of two workers, each of which is held up at times, and
// ends two phases at some of their offsets.
type lateSeries struct {
	*testing.T
	random  *rand.Rand
	store   ports.ResultStore
	series  *series
	ready   [2][]core.Interval // and not delivered yet
	told    [2]int64           // sequences
	offsets int
}

// make makes the intervals of both workers that end at the next offset.
func (l *lateSeries) make() {
	l.offsets++
	for worker := range l.ready {
		for _, phase := range core.LoadPhases() {
			if phase != core.Measurement && l.random.IntN(5) > 0 {
				continue
			}
			l.told[worker]++
			one := intervalAt(l.told[worker], float64(l.offsets), uint64(l.random.IntN(9)))
			one.Phase = phase
			one.Kinds[0].Service.RecordN(time.Duration(1+l.random.IntN(9))*time.Millisecond, one.Kinds[0].OK)
			l.ready[worker] = append(l.ready[worker], one)
		}
	}
}

// deliver stores all that a worker has made, and returns what was stored of the run.
func (l *lateSeries) deliver(worker int) []ports.RunInterval {
	l.series.add(beatOf(worker, l.ready[worker]...), 0)
	l.ready[worker] = nil
	b := l.series.take(nil)
	if b.health = (healthCounts{healthy: 2}); l.random.IntN(20) == 0 {
		b.health = healthCounts{healthy: 1, stale: 1}
	}
	if len(b.workers) == 0 {
		return nil
	}
	if err := l.series.complete(l.Context(), l.store, &b); err != nil {
		l.Fatal(err)
	}
	if err := l.store.AppendSnapshots(l.Context(), b.workers, b.aggregates); err != nil {
		l.Fatal(err)
	}
	l.series.stored(b)
	return b.aggregates
}

// Whatever was looked at before, and stored anew since, objectives are judged as by a
// read of all that is stored in the end.
func TestWatchedIsWhatIsStored(t *testing.T) {
	var slos []core.SLO
	for _, text := range []string{"throughput > 8 for 3s", "p99 < 8ms for 2s", "error_rate < 1% for 1s"} {
		slo, err := core.ParseSLO(text)
		if err != nil {
			t.Fatal(err)
		}
		slos = append(slos, slo)
	}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			is := is.New(t)
			m, random := storeWithRun(t), rand.New(rand.NewPCG(seed, 1))
			l := &lateSeries{T: t, random: random, store: m, series: newSeries(2, 0)}
			p := &performance{Runner: &Runner{ports: Ports{Results: m}}, run: core.NewRun("run", core.Plan{Workers: 2, Connections: 2}), watched: newWatched()}
			p.scenario.SLOs = slos
			for l.offsets < 2*pageWatched+50 {
				l.make()
				if random.IntN(10) == 0 {
					p.watched.stored(l.deliver(0))
				}
				if random.IntN(60) == 0 { // the other one is late
					p.watched.stored(l.deliver(1))
				}
				if random.IntN(20) == 0 {
					_, err := p.lookOn(t.Context(), float64(l.offsets)-random.Float64()*100, time.Time{})
					is.NoErr(err)
				}
				if random.IntN(200) == 0 { // another takes over
					p.watched, l.series = newWatched(), newSeries(2, time.Hour)
				}
			}
			for range 3 { // attempts, which store the rest of one worker each
				before := p.watched.stored(l.deliver(random.IntN(2)))
				got, err := p.watchObjectives(t.Context(), time.Time{}, before)
				is.NoErr(err)
				rows, err := m.Aggregates(t.Context(), "run", -1, 0)
				is.NoErr(err)
				var want core.SLOWatch
				for i := range rows {
					if rows[i].Phase == core.Measurement && rows[i].Stale == 0 {
						want, _ = want.Observe(slos, rows[i].Kinds, rows[i].Seconds)
					}
				}
				is.Equal(got, want)
			}
		})
	}
}

// What is stored anew while a page is read is not taken for what was read.
func TestWatchedIsStoredAnewMeanwhile(t *testing.T) {
	is := is.New(t)
	w := newWatched()
	at := w.look(100)
	w.stored([]ports.RunInterval{{Offset: 100.001}}) // behind it
	w.keep(at, sight{after: 100})
	is.Equal(w.look(200).after, 100.0)
	at = w.look(200)
	w.stored([]ports.RunInterval{{Offset: 300}, {Offset: 200}})
	w.keep(at, sight{after: 200})
	is.Equal(w.look(50).after, -1.0)
	w.stored([]ports.RunInterval{{Offset: 51}}) // which nobody has looked at since
	at = w.look(50)
	w.keep(at, sight{after: 50, anew: at.anew})
	w.keep(at, sight{after: 20, anew: at.anew}) // of somebody slower
	is.Equal(w.look(50).after, 50.0)
}

// So it is whoever stores: the loop, or an attempt to store the result.
func TestWatchedHearsWhatIsStored(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	record, err := m.Load(t.Context(), "run")
	is.NoErr(err)
	d := &driver{Runner: &Runner{ports: Ports{Results: m}}, run: record.Run, measured: newSeries(2, 0), watched: newWatched(), leased: time.Now().Add(time.Hour)}
	d.scenario.Load.Interval = core.Duration(time.Second)
	d.scenario.Limits.OwnerLease = core.Duration(time.Minute)
	seen := func() { d.watched.keep(d.watched.look(100), sight{after: 100, anew: d.watched.look(100).anew}) }
	seen()
	d.measured.add(beatOf(0, intervalAt(1, 50, 3)), 0)
	d.appendIntervals(t.Context())
	is.Equal(d.watched.look(-1).after, -1.0)
	seen()
	p := d.performance()
	before, err := p.storeRest(t.Context(), []core.Beat{beatOf(1, intervalAt(1, 40, 3), intervalAt(2, 150, 3))}, time.Now())
	is.NoErr(err)
	is.True(before > 39.999 && before < 40)
	is.Equal(d.watched.look(-1).after, -1.0)
}
