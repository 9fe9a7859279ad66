package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Limits of what one call returns.
const (
	defaultRuns = 100
	maxRuns     = 1000
	maxEvents   = 1000
)

// Create stores a new run and reserves its key range.
func (s *Store) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (record ports.RunRecord, err error) {
	err = s.do(ctx, func(d *data) error {
		if d.runs[run.ID] != nil {
			return fmt.Errorf("%w: memory: run %q exists", core.ErrConflict, run.ID)
		}
		now := d.clock()
		base := core.NextInsertBase(d.lastBase, now)
		scenario.InsertBase = base // a copy: the caller's stays as it is
		frozenScenario, err := freeze(scenario)
		if err != nil {
			return err
		}
		r := &storedRun{
			order: d.created + 1, scenario: frozenScenario, name: scenario.Name, launcher: scenario.Launcher, template: scenario.TemplateID,
			base: base, version: 1, home: home, created: now, updated: now,
			beats: map[string]storedBeat{}, intervals: map[intervalKey]storedInterval{},
			aggregates: map[aggregateKey]frozen[ports.RunInterval]{}, lines: map[lineKey]ports.LogLine{}, steps: map[stepKey]frozen[core.ControllerStep]{},
		}
		if err := r.replace(run); err != nil {
			return err
		}
		d.runs[run.ID], d.lastBase, d.created = r, base, r.order
		record, err = r.record(now)
		return err
	})
	return record, err
}

// replace stores another state of the run.
func (r *storedRun) replace(run core.Run) error {
	text, err := freeze(run)
	if err != nil {
		return err
	}
	level, err := text.thaw()
	if err != nil {
		return err
	}
	r.run, r.level = text, level
	return nil
}

func (r *storedRun) record(now time.Time) (ports.RunRecord, error) {
	run, err := r.run.thaw()
	if err != nil {
		return ports.RunRecord{}, err
	}
	scenario, err := r.scenario.thaw()
	if err != nil {
		return ports.RunRecord{}, err
	}
	return ports.RunRecord{
		Run: run, Scenario: scenario, Version: r.version, Home: r.home,
		CreatedAt: r.created, UpdatedAt: r.updated, Now: now,
	}, nil
}

// Load reads one run.
func (s *Store) Load(ctx context.Context, runID string) (record ports.RunRecord, err error) {
	err = s.do(ctx, func(d *data) error {
		r, err := d.find(runID)
		if err != nil {
			return err
		}
		record, err = r.record(d.clock())
		return err
	})
	return record, err
}

// List returns runs, newest first. After a run that is not there comes nothing.
func (s *Store) List(ctx context.Context, filter ports.RunFilter) (list []ports.RunSummary, err error) {
	limit := filter.Limit
	if limit <= 0 {
		limit = defaultRuns
	}
	limit = min(limit, maxRuns)
	err = s.do(ctx, func(d *data) error {
		before := d.created + 1
		if filter.Before != "" {
			before = 0
			if r := d.runs[filter.Before]; r != nil {
				before = r.order
			}
		}
		var found []*storedRun
		for _, r := range d.runs {
			if r.order < before && r.matches(filter) {
				found = append(found, r)
			}
		}
		slices.SortFunc(found, func(a, b *storedRun) int { return cmp.Compare(b.order, a.order) })
		now := d.clock()
		for _, r := range found[:min(limit, len(found))] {
			list = append(list, r.summary(now))
		}
		return nil
	})
	return list, err
}

// matches reports whether a filter lets the run through.
func (r *storedRun) matches(f ports.RunFilter) bool {
	holds := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(f.Search)) }
	return (len(f.Status) == 0 || slices.Contains(f.Status, r.level.Status)) &&
		(f.Launcher == "" || f.Launcher == r.launcher) && (f.Template == "" || f.Template == r.template) &&
		(holds(r.level.ID) || holds(r.name))
}

func (r *storedRun) summary(now time.Time) ports.RunSummary {
	run := &r.level
	return ports.RunSummary{
		ID: run.ID, Name: r.name, Status: run.Status, Phase: run.Phase, Reason: run.Reason, Detail: run.Detail,
		Launcher: r.launcher, Workers: run.Asked(),
		Owner: run.Owner, OwnerAlive: now.Before(run.OwnerLeaseUntil),
		CreatedAt: r.created, StartedAt: run.StartedAt, CheckAt: run.CheckAt, EndedAt: run.EndedAt,
		TotalOps: r.progress.TotalOps, Errors: r.progress.Errors, QPS: r.progress.QPS,
	}
}

// Commit replaces a run and appends its events. Beyond the contract it refuses,
// as Invalid, events that are not the ones which lead to next.Sequence: a caller
// that loses or invents one is found here.
func (s *Store) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (version int64, err error) {
	err = s.do(ctx, func(d *data) error {
		r, err := d.find(next.ID)
		if err != nil {
			return err
		}
		if r.version != expected {
			return fmt.Errorf("%w: memory: run %q has version %d, not %d", core.ErrConflict, next.ID, r.version, expected)
		}
		if err := r.checkEvents(next, events); err != nil {
			return err
		}
		if err := r.replace(next); err != nil {
			return err
		}
		for _, e := range events {
			e.Effective, e.At = plainTime(e.Effective), plainTime(e.At)
			r.events = append(r.events, e)
		}
		if progress != (ports.Progress{}) {
			r.progress = progress
		}
		r.version++
		r.updated = d.clock()
		version = r.version
		return nil
	})
	return version, err
}

func (r *storedRun) checkEvents(next core.Run, events []core.ControlEvent) error {
	last := int64(len(r.events))
	for i, e := range events {
		switch want := last + 1 + int64(i); {
		case e.RunID != next.ID:
			return fmt.Errorf("%w: memory: an event of run %q in a commit of run %q", core.ErrInvalid, e.RunID, next.ID)
		case e.Sequence <= last:
			return fmt.Errorf("%w: memory: run %q has an event %d already", core.ErrConflict, next.ID, e.Sequence)
		case e.Sequence != want:
			return fmt.Errorf("%w: memory: event %d of run %q where %d comes next", core.ErrInvalid, e.Sequence, next.ID, want)
		}
	}
	if have := last + int64(len(events)); next.Sequence != have {
		return fmt.Errorf("%w: memory: run %q says that its last event is %d, and has %d", core.ErrInvalid, next.ID, next.Sequence, have)
	}
	return nil
}

// Events returns events of a run, in order. A run that is not there has none.
func (s *Store) Events(ctx context.Context, runID string, after int64) (events []core.ControlEvent, err error) {
	err = s.do(ctx, func(d *data) error {
		r := d.runs[runID]
		if r == nil {
			return nil
		}
		from := min(max(after, 0), int64(len(r.events))) // the nth event has sequence n
		rest := r.events[from:]
		events = slices.Clone(rest[:min(maxEvents, len(rest))])
		return nil
	})
	return events, err
}

// Delete removes a terminal run and everything stored under it.
func (s *Store) Delete(ctx context.Context, runID string) error {
	return s.do(ctx, func(d *data) error {
		r, err := d.find(runID)
		if err != nil {
			return err
		}
		if !r.level.Status.Terminal() {
			return fmt.Errorf("%w: memory: run %q is %s; stop it first", core.ErrRefused, runID, r.level.Status)
		}
		delete(d.runs, runID)
		for id, e := range d.executions {
			if e.run == runID {
				delete(d.executions, id)
			}
		}
		return nil
	})
}

// plainTime is a time as a database gives it back: UTC, without a monotonic
// reading.
func plainTime(t time.Time) time.Time { return t.UTC().Round(0) }
