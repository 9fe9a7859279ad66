package porttest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Each type here is a store that is broken in one way. It decorates a store that
// works, and keeps no other state than it needs to be wrong.

// blindCommit does not compare the version: of two racers both win.
type blindCommit struct{ ports.Store }

func (s blindCommit) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	version, err := s.Store.Commit(ctx, expected, next, events, p)
	if core.CodeOf(err) != core.Conflict {
		return version, err
	}
	now, err := s.Load(ctx, next.ID)
	if err != nil {
		return 0, err
	}
	next.Sequence = now.Run.Sequence
	return s.Store.Commit(ctx, now.Version, next, nil, p)
}

// politeCommit tells losers that they won, and changes nothing.
type politeCommit struct{ ports.Store }

func (s politeCommit) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	version, err := s.Store.Commit(ctx, expected, next, events, p)
	if core.CodeOf(err) == core.Conflict {
		return expected + 1, nil
	}
	return version, err
}

// stuckVersion returns the version that was expected.
type stuckVersion struct{ ports.Store }

func (s stuckVersion) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	_, err := s.Store.Commit(ctx, expected, next, events, p)
	return expected, err
}

// ownError gives errors without a code.
type ownError struct{ ports.Store }

func (s ownError) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	version, err := s.Store.Commit(ctx, expected, next, events, p)
	if core.CodeOf(err) == core.NotFound {
		err = errors.New("no such run")
	}
	return version, err
}

// lastEventMissing drops the newest event: it shows state and events apart.
type lastEventMissing struct{ ports.Store }

func (s lastEventMissing) Events(ctx context.Context, runID string, after int64) ([]core.ControlEvent, error) {
	events, err := s.Store.Events(ctx, runID, after)
	return events[:max(0, len(events)-1)], err
}

// eventsFromStart does not know after.
type eventsFromStart struct{ ports.Store }

func (s eventsFromStart) Events(ctx context.Context, runID string, _ int64) ([]core.ControlEvent, error) {
	return s.Store.Events(ctx, runID, 0)
}

// unorderedEvents returns them backwards.
type unorderedEvents struct{ ports.Store }

func (s unorderedEvents) Events(ctx context.Context, runID string, after int64) ([]core.ControlEvent, error) {
	events, err := s.Store.Events(ctx, runID, after)
	slices.Reverse(events)
	return events, err
}

// staleLoad keeps what each handle has loaded first, until it commits itself.
type staleLoad struct {
	ports.Store
	mu   *sync.Mutex
	seen map[string]ports.RunRecord
}

func (s staleLoad) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if record, ok := s.seen[runID]; ok {
		return record, nil
	}
	record, err := s.Store.Load(ctx, runID)
	if err == nil {
		s.seen[runID] = record
	}
	return record, err
}

func (s staleLoad) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	s.mu.Lock()
	delete(s.seen, next.ID)
	s.mu.Unlock()
	return s.Store.Commit(ctx, expected, next, events, p)
}

// sharedLoad hands out the same record as long as the version is the same.
type sharedLoad struct {
	ports.Store
	mu   *sync.Mutex
	seen map[string]ports.RunRecord
}

func (s sharedLoad) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	record, err := s.Store.Load(ctx, runID)
	if err != nil {
		return record, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.seen[runID]; ok && old.Version == record.Version && old.CreatedAt.Equal(record.CreatedAt) {
		old.Now = record.Now
		return old, nil
	}
	s.seen[runID] = record
	return record, nil
}

// overwritingCreate lets a second Create of an id pass.
type overwritingCreate struct{ ports.Store }

func (s overwritingCreate) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (ports.RunRecord, error) {
	record, err := s.Store.Create(ctx, run, scenario, home)
	if core.CodeOf(err) == core.Conflict {
		return s.Load(ctx, run.ID)
	}
	return record, err
}

// oneRange reserves the same keys for every run.
type oneRange struct{ ports.Store }

func (s oneRange) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (ports.RunRecord, error) {
	record, err := s.Store.Create(ctx, run, scenario, home)
	record.Scenario.InsertBase = core.InsertRange
	return record, err
}

func (s oneRange) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	record, err := s.Store.Load(ctx, runID)
	record.Scenario.InsertBase = core.InsertRange
	return record, err
}

// listOf changes filters or lists.
type listOf struct {
	ports.Store
	filter func(*ports.RunFilter)
	list   func([]ports.RunSummary)
}

func (s listOf) List(ctx context.Context, filter ports.RunFilter) ([]ports.RunSummary, error) {
	if s.filter != nil {
		s.filter(&filter)
	}
	list, err := s.Store.List(ctx, filter)
	if s.list != nil {
		s.list(list)
	}
	return list, err
}

// eagerDelete says that a run is gone whatever its status.
type eagerDelete struct{ ports.Store }

func (s eagerDelete) Delete(ctx context.Context, runID string) error {
	if err := s.Store.Delete(ctx, runID); core.CodeOf(err) != core.Refused {
		return err
	}
	return nil
}

// deaf does not look at contexts.
type deaf struct{ ports.Store }

func (s deaf) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	return s.Store.Commit(context.WithoutCancel(ctx), expected, next, events, p)
}

// schemaStore changes Check and Probe.
type schemaStore struct {
	ports.Store
	check func([]core.Finding) []core.Finding
	probe func(time.Time) time.Time
}

func (s schemaStore) Check(ctx context.Context) ([]core.Finding, error) {
	findings, err := s.Store.Check(ctx)
	if s.check != nil {
		findings = s.check(findings)
	}
	return findings, err
}

func (s schemaStore) Probe(ctx context.Context) (time.Time, error) {
	now, err := s.Store.Probe(ctx)
	if s.probe != nil {
		now = s.probe(now)
	}
	return now, err
}

// zeroProgress writes a progress of one operation in place of none.
type zeroProgress struct{ ports.Store }

func (s zeroProgress) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	if p == (ports.Progress{}) {
		p.TotalOps = 1
	}
	return s.Store.Commit(ctx, expected, next, events, p)
}

// closesOnce fails the second Close.
type closesOnce struct {
	ports.Store
	closed bool
}

func (s *closesOnce) Close() error {
	if s.closed {
		return errors.New("closed already")
	}
	s.closed = true
	return s.Store.Close()
}

func compare(a, b string) int { return strings.Compare(a, b) }
