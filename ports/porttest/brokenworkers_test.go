package porttest_test

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// These stores are broken where workers and orchestrator meet.

// beatStore changes what goes through Beat, Beats and Control.
type beatStore struct {
	ports.Store
	beat    func(ctx context.Context, s ports.Store, beat core.Beat) error
	known   func(map[string]int64) map[string]int64
	beats   func([]core.Beat)
	control func(*core.Control, error) error
}

func (s beatStore) Beat(ctx context.Context, beats ...core.Beat) error {
	if s.beat == nil {
		return s.Store.Beat(ctx, beats...)
	}
	for _, beat := range beats {
		if err := s.beat(ctx, s.Store, beat); err != nil {
			return err
		}
	}
	return nil
}

func (s beatStore) Beats(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	if s.known != nil {
		known = s.known(known)
	}
	beats, now, err := s.Store.Beats(ctx, runID, known)
	if s.beats != nil {
		s.beats(beats)
	}
	return beats, now, err
}

func (s beatStore) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	control, err := s.Store.Control(ctx, runID, workerID)
	if s.control != nil {
		err = s.control(&control, err)
	}
	return control, err
}

// anyEpoch lifts a beat of an old epoch to the epoch and count that are there.
func anyEpoch(ctx context.Context, s ports.Store, beat core.Beat) error {
	beats, _, err := s.Beats(ctx, beat.Key.RunID, nil)
	if err != nil {
		return err
	}
	for _, old := range beats {
		if old.Key.WorkerID == beat.Key.WorkerID && old.Key.Epoch > beat.Key.Epoch {
			beat.Key.Epoch, beat.Count = old.Key.Epoch, old.Count
		}
	}
	return s.Beat(ctx, beat)
}

// anyCount lifts the count of a beat to the one that is there.
func anyCount(ctx context.Context, s ports.Store, beat core.Beat) error {
	beats, _, err := s.Beats(ctx, beat.Key.RunID, nil)
	if err != nil {
		return err
	}
	for _, old := range beats {
		if old.Key.WorkerID == beat.Key.WorkerID && old.Key.Epoch == beat.Key.Epoch {
			beat.Count = max(beat.Count, old.Count)
		}
	}
	return s.Beat(ctx, beat)
}
