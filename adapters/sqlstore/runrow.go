package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// stateVersion is the version of the encoding of STATE.
const stateVersion = 1

type storedState struct {
	Version int             `json:"v"`
	Run     json.RawMessage `json:"run"`
}

func (s *Store) encodeState(run core.Run) (string, error) {
	text, err := json.Marshal(run)
	if err != nil {
		return "", s.invalid("run %q cannot be stored: %v", run.ID, err)
	}
	return s.encode("state", storedState{Version: stateVersion, Run: text})
}

func (s *Store) decodeState(runID string, text *string) (core.Run, error) {
	var stored storedState
	var run core.Run
	if err := s.decode("state of run "+runID, text, &stored); err != nil {
		return run, err
	}
	if stored.Version != stateVersion {
		return run, fmt.Errorf("%w: %s: the state of run %q was written in version %d of its encoding, and this build reads version %d",
			core.ErrUnsupported, s.d.Name, runID, stored.Version, stateVersion)
	}
	state := string(stored.Run)
	return run, s.decode("state of run "+runID, &state, &run)
}

// workerControl is what WORKER_TARGETS holds for each worker: the part of the
// control read that is the worker's own.
type workerControl struct {
	Target       int      `json:"target_connections"`
	Epoch        int      `json:"epoch"`
	Acknowledged int64    `json:"acknowledged"`
	Aim          core.Aim `json:"aim,omitzero"` // the same for all of them
}

// setRun adds every column that is projected from a run. The order and the
// number of the columns do not depend on the run.
func (s *Store) setRun(r *row, run core.Run, now time.Time) error {
	// Of the control read, nothing but the worker's part differs by worker.
	level := core.ControlOf(run, 0, -1, now)
	r.set("STATUS", string(level.Status))
	r.set("RUNG", level.Rung.String())
	r.set("PHASE", string(level.Phase))
	r.set("PHASE_AT", s.stamp(level.PhaseAt))
	r.set("ORIGIN_AT", s.stamp(level.Origin))
	r.set("UNTIL_AT", s.stamp(level.Until))
	r.set("OWNER_LEASE_UNTIL", s.stamp(level.OwnerLeaseUntil))
	r.set("NEXT_SEQUENCE_ID", level.LastSequence+1)
	r.set("REASON", string(run.Reason))
	r.set("REASON_DETAIL", run.Detail)
	r.set("OWNER", run.Owner)
	r.set("OWNER_EPOCH", run.OwnerEpoch)
	r.set("START_TIME", s.stamp(run.StartedAt))
	r.set("CHECK_AT", s.stamp(run.CheckAt))
	r.set("END_TIME", s.stamp(run.EndedAt))
	r.set("UPDATED_AT", s.stamp(now))
	s.setWorkerCounts(r, run)
	return s.setRunJSON(r, run, now)
}

func (s *Store) setWorkerCounts(r *row, run core.Run) {
	var registered, active, completed int
	for i := range run.Workers {
		w := &run.Workers[i]
		if w.State != "" {
			registered++
			if w.Life.Alive() && !w.State.Final() {
				active++
			}
		}
		if w.Reported {
			completed++
		}
	}
	r.set("TOTAL_WORKERS_EXPECTED", run.Asked())
	r.set("WORKERS_REGISTERED", registered)
	r.set("WORKERS_ACTIVE", active)
	r.set("WORKERS_COMPLETED", completed)
}

func (s *Store) setRunJSON(r *row, run core.Run, now time.Time) error {
	targets := make(map[string]workerControl, len(run.Workers))
	handles := make(map[string]core.Handle, len(run.Workers))
	for i := range run.Workers {
		control := core.ControlOf(run, 0, i, now)
		id := run.Workers[i].ID
		targets[id] = workerControl{Target: control.Target, Epoch: control.Epoch, Acknowledged: control.Acknowledged, Aim: control.Aim}
		if handle := run.Workers[i].Handle; !handle.Zero() {
			handles[id] = handle
		}
	}
	state, err := s.encodeState(run)
	if err != nil {
		return err
	}
	r.set("STATE", state)
	for _, column := range []struct {
		name  string
		value any
	}{{"WORKER_TARGETS", targets}, {"WORKER_HANDLES", handles}, {"FINDINGS", run.Findings}} {
		text, err := s.encode(column.name, column.value)
		if err != nil {
			return err
		}
		r.set(column.name, text)
	}
	var search any
	if run.Search != nil {
		search = run.Search
	}
	return s.setJSON(r, "FIND_MAX_STATE", search)
}

// warmup is when the warmup began and ended, as far as the run still tells it;
// zero times are unknown, and what is stored of them stays.
func warmup(run core.Run) (start, end time.Time) {
	if run.Plan.Warmup <= 0 || run.Origin.IsZero() {
		return time.Time{}, time.Time{}
	}
	if run.Phase == core.Measurement {
		end = run.PhaseAt
	}
	inWarmup := run.Phase == core.Warmup || run.Phase == core.Measurement
	if inWarmup && !run.StopAt.IsZero() && (end.IsZero() || run.StopAt.Before(end)) {
		end = run.StopAt
	}
	return run.Origin, end
}
