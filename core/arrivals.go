package core

import (
	"math"
	"time"
)

// The words for how arrivals follow each other.
const (
	ArrivalsUniform = "uniform" // evenly
	ArrivalsPoisson = "poisson" // independently of each other, as many clients' do
)

// DefaultMaxLateness is how late an operation of an open loop may be started.
const DefaultMaxLateness = Duration(100 * time.Millisecond)

// LateAfter is how long after its time an operation of an open loop counts as
// late.
const LateAfter = time.Millisecond

// entryOrder is the order in which a load takes its connections: a permutation
// of [0, connections) whose every stretch is spread over all of them, and so
// over workers, each of which keeps a contiguous range. It takes one of the lower
// half, one of the upper, and so on; and likewise within each half.
func entryOrder(connections int) []int32 {
	order := make([]int32, max(connections, 0))
	for i := range order {
		order[i] = int32(entryAt(i, connections))
	}
	return order
}

// entryAt is the i-th of n.
func entryAt(i, n int) int {
	first := 0
	for n > 1 {
		lower := (n + 1) / 2
		if i%2 == 1 {
			first, n = first+lower, n-lower
		} else {
			n = lower
		}
		i /= 2
	}
	return first
}

// Arrival is one operation of an open loop: the connection whose stream makes
// it, and when it is due.
type Arrival struct {
	Connection int           // global index; any connection of the worker may serve it
	At         time.Duration // since the phase began; Never: it does not come
}

// Arrivals are the arrivals of one worker in one phase, in order: the ones of the
// whole run whose stream's connection the worker keeps. Arrival k of the run is
// one of a fixed cycle of all connections, so every worker has its exact share
// in each cycle, no two workers the same one, and the arrivals of all workers
// together are the same however many share them. It is for one goroutine, and
// allocates nothing once it is made.
//
// Uniform arrivals cost constant time each. Poisson arrivals of other workers
// are drawn too, since their gaps come between one's own: about 15 ns each.
type Arrivals struct {
	pace  Pace
	hint  int
	limit int64 // arrivals of the run; 0: without end

	order       []int32
	own         []int // places in the cycle, rising
	at          int   // of own, the next
	cycle       int64 // whole cycles before it
	connections int64

	random bool
	seed   uint64
	drawn  int64   // arrivals whose gap is in sum
	sum    float64 // of the gaps, at one per second
}

// NewArrivals are the arrivals of a worker, counted from 0, of the warm-up or of
// the measurement and what follows it. The warm-up keeps the rate with which the
// ramp begins. A bound of operations is one of the measurement.
func NewArrivals(load ScenarioLoad, worker int, measured bool) *Arrivals {
	return NewAimedArrivals(load, worker, measured, LoadAim{})
}

// NewAimedArrivals are the arrivals of a worker while an aim holds, counted from
// when it does: at the aim's rate, or the load's own, shared over its workers. A
// worker that is none of them has none. Under an aim there is neither a ramp nor a
// bound of operations.
func NewAimedArrivals(load ScenarioLoad, worker int, measured bool, aim LoadAim) *Arrivals {
	connections := load.Connections
	if aim.Number > 0 {
		load.Ramp, load.Operations = nil, 0
		if aim.Rate > 0 {
			load.Rate = aim.Rate
		}
		if aim.Workers > 0 && aim.Workers < load.Workers {
			connections, _ = Connections(load.Connections, load.Workers, aim.Workers) // theirs are those before
		}
	}
	a := &Arrivals{
		pace:        NewPace(load.Rate, load.Ramp),
		order:       entryOrder(connections),
		connections: int64(connections),
		random:      load.Arrivals == ArrivalsPoisson,
		seed:        Mix64(uint64(load.Seed) + arrivalSeed),
	}
	if aim.Number > 0 {
		a.seed = Mix64(a.seed + uint64(aim.Number))
	}
	if measured {
		a.limit = load.Operations
	} else {
		a.pace = NewPace(a.pace.RateAt(0), nil)
		a.seed = Mix64(a.seed)
	}
	first, count := Connections(load.Connections, load.Workers, worker)
	for place, connection := range a.order {
		if int(connection) >= first && int(connection) < first+count {
			a.own = append(a.own, place)
		}
	}
	return a
}

const arrivalSeed = 0x6172726976616c // "arrival": keeps its random numbers apart

// among is how many of the first n arrivals of the run are the worker's.
func (a *Arrivals) among(n int64) int64 {
	own := n / a.connections * int64(len(a.own))
	for _, place := range a.own {
		if int64(place) < n%a.connections {
			own++
		}
	}
	return own
}

// Next is the next arrival of the worker; ok is false when the bound of
// operations leaves none.
func (a *Arrivals) Next() (next Arrival, ok bool) {
	if len(a.own) == 0 {
		return Arrival{At: Never}, false
	}
	place := a.own[a.at]
	k := a.cycle*a.connections + int64(place)
	if a.limit > 0 && k >= a.limit {
		return Arrival{At: Never}, false
	}
	if a.at++; a.at == len(a.own) {
		a.at, a.cycle = 0, a.cycle+1
	}
	return Arrival{Connection: int(a.order[place]), At: a.pace.when(a.position(k), &a.hint)}, true
}

// position is where arrival k lies at a rate of one per second.
func (a *Arrivals) position(k int64) float64 {
	if !a.random {
		return float64(k) + 0.5
	}
	for ; a.drawn <= k; a.drawn++ {
		r := NewRand(a.seed, 0, uint64(a.drawn))
		a.sum -= math.Log(1 - r.Float64())
	}
	return a.sum
}

// Entries says when each connection of a closed loop begins to make load, by its
// global index and since the measurement began: nil when all do from the first
// moment on. At any moment as many have begun as the ramp says, evenly spread
// over the workers; in the warm-up those with which it begins.
func Entries(load ScenarioLoad) []time.Duration {
	if load.Mode != ModeConcurrency || load.Ramp == nil {
		return nil
	}
	entries := make([]time.Duration, load.Connections)
	for i, connection := range entryOrder(load.Connections) {
		entries[connection] = load.Ramp.reaches(float64(i+1), float64(load.Connections))
	}
	return entries
}

// reaches is when a ramp of a closed loop reaches a value.
func (r *Ramp) reaches(value, highest float64) time.Duration {
	if value <= r.From {
		return 0
	}
	share := (value - r.From) / (highest - r.From)
	if r.Shape == ShapeSteps {
		share = math.Ceil(share*float64(r.Steps)-1e-9) / float64(r.Steps)
	}
	return time.Duration(share * float64(r.Over))
}

// Entered is how many of those entries have come at a time.
func Entered(entries []time.Duration, at time.Duration) (n int) {
	for _, entry := range entries {
		if entry <= at {
			n++
		}
	}
	return n
}
