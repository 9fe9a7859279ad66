package core

import (
	"fmt"
	"strings"
	"time"
)

// WorkerRecord is what a run knows of one of its workers.
type WorkerRecord struct {
	ID           string      `json:"id"`
	Epoch        int         `json:"epoch"`
	Life         Life        `json:"life"`
	Target       int         `json:"target"` // connections
	Handle       Handle      `json:"handle,omitzero"`
	State        WorkerState `json:"state,omitempty"`
	Pending      bool        `json:"pending,omitempty"` // its platform did not run it when last seen, nor did it speak since
	QuotaDone    bool        `json:"quota_done,omitempty"`
	Reported     bool        `json:"reported,omitempty"` // its final report was seen
	Silent       bool        `json:"silent,omitempty"`   // LOST: it goes through Kill
	KillBy       time.Time   `json:"kill_by,omitzero"`   // a silent worker is an orphan after this
	Lost         bool        `json:"lost,omitempty"`     // while it was needed
	Acknowledged int64       `json:"acknowledged,omitempty"`
	Connections  int         `json:"connections,omitempty"`
	LastStart    time.Time   `json:"last_start,omitzero"`
	LastEnd      time.Time   `json:"last_end,omitzero"`
	Message      string      `json:"message,omitempty"`
	Exit         Exit        `json:"exit,omitzero"`
	Guardrail    string      `json:"guardrail,omitempty"` // that it has passed, in words
	Degraded     bool        `json:"degraded,omitempty"`  // it has passed one and cannot back off
	EndedOn      Rung        `json:"ended_on"`            // the rung on which it was gone

	// Of a worker that is launched while the load goes on: it has not joined (yet);
	// it is given up then if it has not; and when its load was asked for, once it has.
	Joining bool      `json:"joining,omitempty"`
	JoinBy  time.Time `json:"join_by,omitzero"`
	Since   time.Time `json:"since,omitzero"`
}

// WorkerID names the worker with that zero-based index.
func WorkerID(index int) string { return fmt.Sprintf("worker-%d", index) }

// worker finds the record that a fact speaks of. Facts of an old or unknown
// epoch are counted and otherwise ignored.
func (r *Run) worker(index, epoch int) *WorkerRecord {
	if index < 0 || index >= len(r.Workers) || r.Workers[index].Epoch != epoch || epoch == 0 {
		r.StaleFacts++
		return nil
	}
	return &r.Workers[index]
}

func (r *Run) launched(e WorkerLaunched) {
	w := r.worker(e.Worker, e.Epoch)
	if w == nil || w.Life != Launching {
		return
	}
	w.Life, w.Handle = Launched, e.Handle
	if w.State != "" && w.State != WorkerStarting && !w.State.Final() {
		w.Life = Ready // its beat was faster than the reply to its launch
	}
	r.emit(ControlEvent{Type: EventWorkerAdded, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Target: w.Target, At: e.At})
}

func (r *Run) pending(e WorkerPending) {
	if w := r.worker(e.Worker, e.Epoch); w != nil && w.Life == Launched && w.State == "" {
		w.Pending, w.Message = true, e.Cause
	}
}

func (r *Run) launchFailed(e LaunchFailed) {
	w := r.worker(e.Worker, e.Epoch)
	if w != nil && w.Joining && r.Status == Running {
		r.giveUpJoining(w, e.At, e.Detail)
		return
	}
	if w == nil || w.Life != Launching || r.Status != Starting {
		return
	}
	w.Message = e.Detail
	r.requestEnd(e.At, LaunchRefused, fmt.Sprintf("%s could not be launched: %s", w.ID, e.Detail))
}

func (r *Run) beat(e BeatSeen) {
	w := r.worker(e.Worker, e.Epoch)
	if w == nil || w.Reported {
		return
	}
	w.State = e.State
	w.Pending = false
	w.Acknowledged = max(w.Acknowledged, e.Acknowledged)
	w.Connections = e.Connections
	w.QuotaDone = w.QuotaDone || e.QuotaDone && r.Status == Running
	w.Reported = e.State.Final()
	if !w.Silent || w.Reported && e.Detail != "" { // of a silent worker its silence is the news
		w.Message = e.Detail
	}
	if e.LastStart.After(w.LastStart) {
		w.LastStart = e.LastStart
	}
	if e.LastEnd.After(w.LastEnd) {
		w.LastEnd = e.LastEnd
	}
	if w.Life == Launched && e.State != WorkerStarting && !e.State.Final() {
		w.Life = Ready
	}
}

func (r *Run) silent(e WorkerSilent) {
	w := r.worker(e.Worker, e.Epoch)
	if w == nil || !w.Life.Alive() || w.Silent {
		return
	}
	if w.Joining && r.Status == Running {
		r.giveUpJoining(w, e.At, e.Detail)
		return
	}
	w.Silent = true
	w.KillBy = e.At.Add(r.Plan.KillTimeout)
	w.Message = e.Detail
}

func (r *Run) exited(e WorkerExited) {
	w := r.worker(e.Worker, e.Epoch)
	if w == nil || !w.Life.Alive() {
		return
	}
	w.Life, w.EndedOn = Gone, r.Rung
	w.Exit = e.Exit
	w.Exit.At = e.At
	r.lose(w, e.At)
}

// lose applies the scenario's policy to a worker that is gone, or that nothing
// could end, while it was needed. After a stop it is only recorded.
func (r *Run) lose(w *WorkerRecord, at time.Time) {
	if r.Status.Ending() {
		return
	}
	if w.Joining {
		r.unjoined(w, at)
		return
	}
	w.Lost = true
	detail := w.describeLoss()
	r.emit(ControlEvent{Type: EventWorkerLost, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Detail: detail, At: at})
	if r.Plan.OnLoss != DegradeOnLoss || r.Status == Starting || r.loading() == 0 {
		r.requestEnd(at, WorkerLost, detail)
		return
	}
	if r.Plan.Search != nil && r.Plan.Search.OpenLoop {
		r.requestEnd(at, WorkerLost, detail+"; nobody makes its share of a rate, so that the search ends here")
		return
	}
	r.shareAim(at) // the others take over what they can
}

func (w WorkerRecord) describeLoss() string {
	var parts []string
	switch {
	case w.Life == Orphan:
		parts = append(parts, w.ID+" fell silent and could not be killed")
	case w.Silent:
		parts = append(parts, w.ID+" fell silent and was killed")
	default:
		parts = append(parts, w.ID+" ended before the stop")
	}
	if w.Exit.Cause != "" {
		parts = append(parts, w.Exit.Cause)
	}
	// What it told by itself may be what its exit says, save what was hidden in one of them.
	if w.Message != "" && !strings.HasPrefix(w.Exit.Cause, w.Message[:min(len(w.Message), 24)]) {
		parts = append(parts, w.Message)
	}
	return strings.Join(parts, ": ")
}

func (r *Run) aliveCount() int {
	n := 0
	for i := range r.Workers {
		if r.Workers[i].Life.Alive() {
			n++
		}
	}
	return n
}
