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

// resultStore changes what goes through the methods of ResultStore.
type resultStore struct {
	ports.Store
	workers    func([]ports.WorkerInterval) []ports.WorkerInterval
	aggregates func([]ports.RunInterval) []ports.RunInterval
	executions func([]core.Execution) []core.Execution
	rollup     func(parent *core.Rollup, children []core.Rollup) []core.Rollup
	put        func(ctx context.Context, s ports.Store, parent core.Rollup, children []core.Rollup) error
	append     func(ctx context.Context, s ports.Store, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error
}

func (s resultStore) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	if s.append == nil {
		return s.Store.AppendSnapshots(ctx, workers, aggregates)
	}
	return s.append(ctx, s.Store, workers, aggregates)
}

func (s resultStore) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	if s.put == nil {
		return s.Store.PutRollup(ctx, parent, children)
	}
	return s.put(ctx, s.Store, parent, children)
}

func (s resultStore) Rollup(ctx context.Context, runID string) (core.Rollup, []core.Rollup, error) {
	parent, children, err := s.Store.Rollup(ctx, runID)
	if s.rollup != nil && err == nil {
		children = s.rollup(&parent, children)
	}
	return parent, children, err
}

func (s resultStore) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	list, err := s.Store.WorkerIntervals(ctx, runID, offset)
	if s.workers != nil {
		list = s.workers(list)
	}
	return list, err
}

func (s resultStore) Aggregates(ctx context.Context, runID string, after float64) ([]ports.RunInterval, error) {
	list, err := s.Store.Aggregates(ctx, runID, after)
	if s.aggregates != nil {
		list = s.aggregates(list)
	}
	return list, err
}

func (s resultStore) Executions(ctx context.Context, runID, after string, limit int) ([]core.Execution, error) {
	list, err := s.Store.Executions(ctx, runID, after, limit)
	if s.executions != nil {
		list = s.executions(list)
	}
	return list, err
}

// doubledSnapshots appends what is there once more under another worker's name,
// as a store without keys would show it twice.
type doubledSnapshots struct {
	ports.Store
	mu   *sync.Mutex
	more map[string][]ports.WorkerInterval
}

func (s doubledSnapshots) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range workers {
		there, err := s.Store.WorkerIntervals(ctx, w.RunID, -1)
		if err != nil {
			return err
		}
		for _, old := range there {
			if old.WorkerID == w.WorkerID && old.Interval.Sequence == w.Interval.Sequence {
				s.more[w.RunID] = append(s.more[w.RunID], w)
			}
		}
	}
	return s.Store.AppendSnapshots(ctx, workers, aggregates)
}

func (s doubledSnapshots) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	list, err := s.Store.WorkerIntervals(ctx, runID, offset)
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(list, s.more[runID]...), err
}

// templateStore changes what goes through Templates.
type templateStore struct {
	ports.Store
	before func(*core.Template)
	record func(*ports.TemplateRecord)
	byName bool // only
}

type brokenTemplates struct {
	ports.TemplateStore
	how templateStore
}

func (s templateStore) Templates() ports.TemplateStore {
	return brokenTemplates{s.Store.Templates(), s}
}

func (b brokenTemplates) Put(ctx context.Context, t core.Template) (ports.TemplateRecord, error) {
	if b.how.before != nil {
		b.how.before(&t)
	}
	r, err := b.TemplateStore.Put(ctx, t)
	if b.how.record != nil {
		b.how.record(&r)
	}
	return r, err
}

func (b brokenTemplates) Get(ctx context.Context, nameOrID string) (ports.TemplateRecord, error) {
	if b.how.byName && strings.HasPrefix(nameOrID, "template-") {
		nameOrID = "no such name"
	}
	r, err := b.TemplateStore.Get(ctx, nameOrID)
	if b.how.record != nil {
		b.how.record(&r)
	}
	return r, err
}

// logStore changes what goes through Logs.
type logStore struct {
	ports.Store
	after func(time.Time) time.Time
	limit func(int) int
}

type brokenLogs struct {
	ports.LogStore
	how logStore
}

func (s logStore) Logs() ports.LogStore { return brokenLogs{s.Store.Logs(), s} }

func (b brokenLogs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]ports.LogLine, error) {
	if b.how.after != nil {
		after = b.how.after(after)
	}
	if b.how.limit != nil {
		limit = b.how.limit(limit)
	}
	return b.LogStore.Read(ctx, runID, workerID, after, limit)
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

func compare(a, b string) int { return strings.Compare(a, b) }

// zeroProgress writes a progress of one operation in place of none.
type zeroProgress struct{ ports.Store }

func (s zeroProgress) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, p ports.Progress) (int64, error) {
	if p == (ports.Progress{}) {
		p.TotalOps = 1
	}
	return s.Store.Commit(ctx, expected, next, events, p)
}

// immortalLogs keeps what was appended once.
type immortalLogs struct {
	ports.Store
	mu    sync.Mutex
	lines []ports.LogLine
}

func (s *immortalLogs) Logs() ports.LogStore { return keptLogs{s.Store.Logs(), s} }

type keptLogs struct {
	ports.LogStore
	kept *immortalLogs
}

func (l keptLogs) Append(ctx context.Context, lines []ports.LogLine) error {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	l.kept.lines = append(l.kept.lines, lines...)
	return l.LogStore.Append(ctx, lines)
}

func (l keptLogs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]ports.LogLine, error) {
	lines, err := l.LogStore.Read(ctx, runID, workerID, after, limit)
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	if err == nil && len(lines) == 0 && after.IsZero() {
		for _, line := range l.kept.lines {
			if line.RunID == runID {
				lines = append(lines, line)
			}
		}
	}
	return lines, err
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

// keepChildren leaves children that the new result does not have.
func keepChildren(ctx context.Context, s ports.Store, parent core.Rollup, children []core.Rollup) error {
	_, there, err := s.Rollup(ctx, parent.RunID)
	if err == nil && len(there) > len(children) {
		children = append(slices.Clone(children), there[len(children):]...)
	}
	return s.PutRollup(ctx, parent, children)
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
