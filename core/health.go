package core

import "time"

// Health is what the age of a worker's newest beat says of it.
type Health string

// The healths. A worker without a beat yet, or that has ended, has none.
const (
	Healthy Health = "HEALTHY"
	Stale   Health = "STALE"
	Lost    Health = "LOST"
)

// A worker that has missed StaleAfter beats is STALE; after LostAfter it is
// LOST and goes through the launcher's Kill.
const (
	StaleAfter = 3
	LostAfter  = 10
)

// WorkerHealth is one worker as a viewer is shown it.
type WorkerHealth struct {
	ID          string        `json:"worker_id"`
	Joining     bool          `json:"joining,omitempty"` // no interval of it is expected yet
	Life        Life          `json:"life"`
	State       WorkerState   `json:"state"`
	Health      Health        `json:"health,omitempty"`
	Age         time.Duration `json:"age_ns"` // of its newest beat, by the store's clock
	Connections int           `json:"connections"`
	Target      int           `json:"target_connections"`
	Throughput  float64       `json:"qps"` // in its newest interval
	CPU         float64       `json:"cpu_percent"`
	Memory      float64       `json:"memory_percent"`
	Errors      uint64        `json:"errors"`
	LastError   string        `json:"last_error,omitempty"`
	Ending      string        `json:"ending,omitempty"` // how it ended, in words
}

// HealthOf judges every worker of a run by the age of its newest beat, save those
// that may join later and that nobody has needed yet, the last ones. beats are
// by worker index and may be missing; now is the store's.
func HealthOf(run Run, beats []Beat, now time.Time, interval time.Duration) []WorkerHealth {
	list := make([]WorkerHealth, run.Asked())
	for i, w := range run.Workers[:len(list)] {
		h := WorkerHealth{ID: w.ID, Life: w.Life, State: w.State, Target: w.Target, LastError: w.Message}
		h.Joining = w.Joining || !w.Since.IsZero() && now.Sub(w.Since) < 2*interval
		if i < len(beats) && beats[i].Count > 0 {
			h.read(&beats[i], now)
			if w.Life.Alive() && !beats[i].State.Final() {
				h.Health = healthAt(h.Age, interval)
			}
		}
		if !w.Life.Alive() && w.Life != Planned {
			h.Ending = w.ending()
		}
		list[i] = h
	}
	return list
}

func (h *WorkerHealth) read(b *Beat, now time.Time) {
	h.State, h.Connections, h.CPU, h.Memory = b.State, b.Connections, b.CPU, b.Memory
	h.Age = now.Sub(b.At)
	h.Errors = b.Report.Totals().Errors
	if b.LastError != "" {
		h.LastError = b.LastError
	}
	if n := len(b.Report.Intervals); n > 0 {
		newest := &b.Report.Intervals[n-1]
		if newest.Seconds > 0 {
			total := Total(newest.Kinds)
			h.Throughput = float64(total.OK) / newest.Seconds
		}
	}
}

func healthAt(age, interval time.Duration) Health {
	switch {
	case age > LostAfter*interval:
		return Lost
	case age > StaleAfter*interval:
		return Stale
	default:
		return Healthy
	}
}

// MeasuredUntil is the latest moment up to which a worker has measured so far; zero when
// none has.
func MeasuredUntil(beats []Beat) (end time.Time) {
	for i := range beats {
		if p := beats[i].Report.PhaseOf(Measurement); p != nil && !p.Start.IsZero() {
			end = later(end, p.Start.Add(time.Duration(p.Seconds*float64(time.Second))))
		}
	}
	return end
}

// Measured merges what all workers have measured in MEASUREMENT so far.
func Measured(beats []Beat) []KindMetrics {
	var kinds []KindMetrics
	for i := range beats {
		if p := beats[i].Report.PhaseOf(Measurement); p != nil {
			kinds = MergeKinds(kinds, p.Kinds)
		}
	}
	return kinds
}
