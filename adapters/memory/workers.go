package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// storedBeat is the newest beat of a worker, without its report, and the report.
type storedBeat struct {
	beat   frozen[core.Beat]
	report frozen[core.Report]
	group  int
	key    core.WorkerKey
	count  int64
}

// Beat stores the newest beats of workers.
func (s *Store) Beat(ctx context.Context, beats ...core.Beat) error {
	return s.do(ctx, func(d *data) error {
		for _, beat := range beats { // all or none
			if _, err := d.find(beat.Key.RunID); err != nil {
				return err
			}
		}
		for _, beat := range beats {
			if err := d.keepBeat(beat); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepBeat stores the newest beat of one worker.
func (d *data) keepBeat(beat core.Beat) error {
	r := d.runs[beat.Key.RunID]
	old, found := r.beats[beat.Key.WorkerID]
	if found && (beat.Key.Epoch < old.key.Epoch || beat.Key.Epoch == old.key.Epoch && beat.Count < old.count) {
		return nil
	}
	report, err := freeze(beat.Report)
	if err != nil {
		return err
	}
	beat.Report, beat.At = core.Report{}, d.clock()
	text, err := freeze(beat)
	if err != nil {
		return err
	}
	r.beats[beat.Key.WorkerID] = storedBeat{beat: text, report: report, group: beat.GroupID, key: beat.Key, count: beat.Count}
	return nil
}

// Control reads the level state that a worker obeys.
func (s *Store) Control(ctx context.Context, runID, workerID string) (control core.Control, err error) {
	err = s.do(ctx, func(d *data) error {
		r, err := d.find(runID)
		if err != nil {
			return err
		}
		index, ok := r.level.WorkerIndex(workerID)
		if !ok {
			return fmt.Errorf("%w: memory: run %q has no worker %q", core.ErrNotFound, runID, workerID)
		}
		control = core.ControlOf(r.level, r.version, index, d.clock())
		return nil
	})
	return control, err
}

// Beats returns the newest beats of a run. A run that is not there has none.
func (s *Store) Beats(ctx context.Context, runID string, known map[string]int64) (beats []core.Beat, now time.Time, err error) {
	err = s.do(ctx, func(d *data) error {
		now = d.clock()
		r := d.runs[runID]
		if r == nil {
			return nil
		}
		for _, stored := range r.beatsByIndex() {
			beat, err := stored.beat.thaw()
			if err != nil {
				return err
			}
			if count, ok := known[beat.Key.WorkerID]; !ok || beat.Count > count {
				if beat.Report, err = stored.report.thaw(); err != nil {
					return err
				}
			}
			beats = append(beats, beat)
		}
		return nil
	})
	return beats, now, err
}

func (r *storedRun) beatsByIndex() []storedBeat {
	var list []storedBeat
	for _, b := range r.beats {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b storedBeat) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.key.WorkerID, b.key.WorkerID))
	})
	return list
}
