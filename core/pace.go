package core

import (
	"math"
	"time"
)

// The shapes of a ramp.
const (
	ShapeLinear = "linear" // from the lowest to the highest within over, which then stays
	ShapeSteps  = "steps"  // the same in equal steps
	ShapeSine   = "sine"   // between the lowest and the highest, once per period
	ShapeSpike  = "spike"  // the lowest; from at on the highest, for over; again each period
)

// Ramp is how the load changes with the time since the measurement began: the
// rate of an open loop, or the connections of a closed one. The highest value is
// the load's own rate or connections.
type Ramp struct {
	Shape  string   `json:"shape"`
	From   float64  `json:"from"`             // the lowest value, of the whole run
	Over   Duration `json:"over,omitempty"`   // linear, steps: until the highest; spike: its length
	Steps  int      `json:"steps,omitempty"`  // steps: how many
	At     Duration `json:"at,omitempty"`     // spike: its beginning
	Period Duration `json:"period,omitempty"` // sine, spike; 0: a spike that comes once
}

// Pace is a rate over time, in operations per second, with its integral and the
// inverse of it: plain data that is never changed. Make it with NewPace.
type Pace struct {
	pieces []piece
	last   float64 // the rate after the pieces
	cycle  bool    // the pieces come again and again instead
}

// piece is a part of a Pace. Times are seconds, from its own beginning on.
type piece struct {
	start, length float64 // start counts from the beginning of the pace
	before, count float64 // operations before it, and in it
	from, to      float64 // rates
	wave          bool    // a cosine from from over to and back, instead of a line
}

// NewPace is the pace whose highest rate is highest. The ramp is one that
// Resolve has let through; nil means that it stays there.
func NewPace(highest float64, ramp *Ramp) Pace {
	p := Pace{last: highest}
	if ramp == nil {
		return p
	}
	over, at, period := ramp.Over.Std().Seconds(), ramp.At.Std().Seconds(), ramp.Period.Std().Seconds()
	switch ramp.Shape {
	case ShapeLinear:
		p.add(over, ramp.From, highest)
	case ShapeSteps:
		for i := range ramp.Steps {
			level := ramp.From + (highest-ramp.From)*float64(i)/float64(ramp.Steps)
			p.add(over/float64(ramp.Steps), level, level)
		}
	case ShapeSine:
		p.cycle = true
		p.pieces = []piece{{length: period, count: period * (ramp.From + highest) / 2, from: ramp.From, to: highest, wave: true}}
	case ShapeSpike:
		p.last, p.cycle = ramp.From, period > 0
		p.add(at, ramp.From, ramp.From)
		p.add(over, highest, highest)
		p.add(period-at-over, ramp.From, ramp.From)
	}
	return p
}

// add appends a line; one of no length is none.
func (p *Pace) add(length, from, to float64) {
	if !(length > 0) {
		return
	}
	start, before := p.end()
	p.pieces = append(p.pieces, piece{start: start, length: length, before: before, count: length * (from + to) / 2, from: from, to: to})
}

// end is where the pieces end, in seconds and operations.
func (p *Pace) end() (start, count float64) {
	if len(p.pieces) == 0 {
		return 0, 0
	}
	last := &p.pieces[len(p.pieces)-1]
	return last.start + last.length, last.before + last.count
}

// RateAt is the rate at that time, in operations per second; 0 before the
// beginning.
func (p Pace) RateAt(t time.Duration) float64 {
	if t < 0 {
		return 0
	}
	_, x := p.lap(t.Seconds())
	for i := range p.pieces {
		if q := &p.pieces[i]; x < q.start+q.length {
			return q.rate(x - q.start)
		}
	}
	return p.last
}

// lap takes whole cycles off a time.
func (p *Pace) lap(x float64) (laps, rest float64) {
	if !p.cycle {
		return 0, x
	}
	length, _ := p.end()
	laps = math.Floor(x / length)
	return laps, min(max(x-laps*length, 0), length)
}

// Count is the integral of the rate from 0 to that time: how many operations are
// expected until then. It never falls.
func (p Pace) Count(t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	laps, x := p.lap(t.Seconds())
	length, whole := p.end()
	for i := range p.pieces {
		if q := &p.pieces[i]; x < q.start+q.length {
			return laps*whole + q.before + q.countTo(x-q.start)
		}
	}
	if p.cycle {
		return (laps + 1) * whole
	}
	return whole + (x-length)*p.last
}

// When is the inverse of Count: when that many operations, which are not less
// than 0, have come; Never if they never do. It never falls as count rises.
func (p Pace) When(count float64) time.Duration {
	at := 0
	return p.when(count, &at)
}

// when is When with a hint: the piece at which it was found the last time. So a
// rising count is found in constant time, amortised.
func (p *Pace) when(count float64, hint *int) time.Duration {
	length, whole := p.end()
	offset := 0.0
	if p.cycle {
		if !(whole > 0) {
			return Never
		}
		laps := math.Floor(count / whole)
		offset, count = laps*length, min(max(count-laps*whole, 0), whole)
	}
	i := *hint
	if i < len(p.pieces) && p.pieces[i].before > count || i >= len(p.pieces) && count < whole {
		i = 0
	}
	for i < len(p.pieces) && p.pieces[i].before+p.pieces[i].count <= count {
		i++
	}
	*hint = i
	switch {
	case i < len(p.pieces):
		q := &p.pieces[i]
		return stampOf(offset + q.start + q.timeOf(count-q.before))
	case p.cycle: // rounding left nothing of the lap
		return stampOf(offset + length)
	case p.last > 0:
		return stampOf(length + (count-whole)/p.last)
	default:
		return Never
	}
}

// stampOf is a time in whole nanoseconds.
func stampOf(seconds float64) time.Duration {
	ns := seconds * 1e9
	if !(ns < float64(Never)) {
		return Never
	}
	return time.Duration(ns)
}

// rate is the rate within a piece.
func (q *piece) rate(x float64) float64 {
	if q.wave {
		return (q.from+q.to)/2 - (q.to-q.from)/2*math.Cos(2*math.Pi*x/q.length)
	}
	return q.from + (q.to-q.from)*x/q.length
}

// countTo is the integral of rate from 0 to x.
func (q *piece) countTo(x float64) float64 {
	if q.wave {
		return (q.from+q.to)/2*x - (q.to-q.from)/2*q.length/(2*math.Pi)*math.Sin(2*math.Pi*x/q.length)
	}
	return q.from*x + (q.to-q.from)/(2*q.length)*x*x
}

// timeOf is the inverse of countTo within the piece.
func (q *piece) timeOf(count float64) float64 {
	if q.wave {
		return q.solve(count)
	}
	slope := (q.to - q.from) / q.length
	root := math.Sqrt(max(q.from*q.from+2*slope*count, 0))
	if q.from+root == 0 {
		return 0
	}
	return min(2*count/(q.from+root), q.length)
}

// solve inverts a wave by Newton's steps, which a bisection takes over from
// where they would leave the bracket: its rate may touch 0.
func (q *piece) solve(count float64) float64 {
	low, high := 0.0, q.length
	x := q.length * count / q.count
	for range 64 {
		miss, rate := q.countTo(x)-count, q.rate(x)
		if math.Abs(miss) <= rate*1e-10 { // seconds
			break
		}
		if miss > 0 {
			high = x
		} else {
			low = x
		}
		next := x - miss/rate
		if !(next > low && next < high) {
			next = low + (high-low)/2
		}
		if math.Abs(next-x) < 1e-11 {
			return next
		}
		x = next
	}
	return x
}
