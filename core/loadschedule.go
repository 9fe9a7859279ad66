package core

import (
	"math"
	"time"
)

// Never is a stamp that does not come.
const Never = time.Duration(math.MaxInt64)

// LoadSchedule says which phase an operation belongs to, by its intended start.
// Its times are stamps of the worker's monotonic clock: the time since the
// worker began. A phase that is not known to come starts Never.
type LoadSchedule struct {
	Warmup, Measurement, Cooldown time.Duration
	// WarmupLate and MeasurementLate are how long before that the phase was to begin: it
	// was heard of too late.
	WarmupLate, MeasurementLate time.Duration
	End                         time.Duration // no operation starts from here on
	// Parked is how many of the worker's connections, the last ones, start no
	// operation in a closed loop: more are open than are asked for now.
	Parked int
	// Aim is how much load an open loop makes, from a stamp on; until then the one
	// before it holds. Its zero value is the scenario's load.
	Aim LoadAim
}

// LoadAim is the Aim of a run as a worker follows it. Times are its stamps.
type LoadAim struct {
	Number  int
	Rate    float64       // operations per second of all workers; 0: the scenario's
	Workers int           // the first ones, that take part; 0: all
	At      time.Duration // it holds from here on
	From    time.Duration // it was known from here on: later than At when it was read late
}

// PhaseAt is the phase of an operation with that intended start; "" when none
// may start.
func (s LoadSchedule) PhaseAt(t time.Duration) Phase {
	switch {
	case t >= s.End:
		return ""
	case t >= s.Cooldown:
		return Cooldown
	case t >= s.Measurement:
		return Measurement
	case t >= s.Warmup:
		return Warmup
	default:
		return ""
	}
}

// Begin is when the first operation may start.
func (s LoadSchedule) Begin() time.Duration { return min(s.Warmup, s.Measurement, s.Cooldown) }

// Window is the time during which load of that phase is made; end may be Never.
// A phase that does not occur starts at its end.
func (s LoadSchedule) Window(p Phase) (start, end time.Duration) {
	switch p {
	case Warmup:
		start, end = s.Warmup, min(s.Measurement, s.Cooldown)
	case Measurement:
		start, end = s.Measurement, s.Cooldown
	case Cooldown:
		start, end = s.Cooldown, Never
	default:
		return Never, Never
	}
	end = min(end, s.End)
	return min(start, end), end
}
