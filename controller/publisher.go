package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// What a publisher keeps of the past, for viewers that come back or are late.
const (
	keptIntervals = 900
	keptEvents    = 1000
	keptLines     = 500
	linesAtOnce   = 1000
	// readBack is how many intervals a publisher reads that begins: as many as a
	// viewer may have missed that comes back from another one. Who was away for
	// longer is told that something is missing, and reads the course anew.
	readBack = 60
	// shown is how many a first paint looks back for the newest one.
	shown = 10
	// settleFor is how long a stored interval may still change: the last worker's
	// part of it may come late. It is read again for so long.
	settleFor = 5 * time.Second
	// linesOverlap is how much of the log is read twice: lines are stored in batches,
	// not in the order of their times.
	linesOverlap = 5 * time.Second
)

// publisher reads one run, once for all its viewers.
type publisher struct {
	service *Service
	id      string
	viewers int       // guarded by live
	left    time.Time // when the last viewer left; guarded by live
	back    int       // intervals that are read at first

	// What is known of the run, of run's goroutine alone.
	record    ports.RunRecord
	beats     []core.Beat
	counts    map[string]int64
	seen      map[string]int64 // by worker, the newest line of its log
	lately    time.Time        // when it was read last
	stepReads int              // still to be made
	words     lastWords
	paging    time.Time // the log is read on from here; zero: from what overlaps

	mu        sync.Mutex
	version   int           // of what is published; 0: nothing yet
	changed   chan struct{} // closed with the next version
	failed    error         // why there is nothing; final
	done      bool          // the run has ended, and nothing follows
	level     client.Frame  // where the run stands
	intervals []stampedInterval
	events    []core.ControlEvent
	lines     []stampedLine
	steps     []stampedStep
	dropped   cursor // up to here something was left out
	at        cursor
	before    cursor // of the version before
	shared    Message
}

// stampedInterval is one interval and the version that has brought it.
type stampedInterval struct {
	client.Interval
	version int
}

// stampedLine is one line and the version that has brought it: lines of different
// writers are not stored in the order of their times.
type stampedLine struct {
	client.LogLine
	version int
}

func newPublisher(s *Service, id string) *publisher {
	return &publisher{service: s, id: id, changed: make(chan struct{}), counts: map[string]int64{}, seen: map[string]int64{}, left: time.Now(), back: readBack}
}

func (p *publisher) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done || p.failed != nil
}

// ready waits for the first reading.
func (p *publisher) ready(ctx context.Context) error {
	for {
		p.mu.Lock()
		version, failed, changed := p.version, p.failed, p.changed
		p.mu.Unlock()
		if failed != nil || version > 0 {
			return failed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// run reads the run again and again, until it ends or nobody watches. A store that
// is away for a while is waited for: viewers see that nothing moves.
func (p *publisher) run(ctx context.Context, deserted func() bool) {
	defer p.wakeAll()
	tick := time.NewTicker(p.service.LivePoll)
	defer tick.Stop()
	for !deserted() {
		if p.due(ctx) {
			p.readOnce(ctx)
		}
		select {
		case <-ctx.Done():
			p.fail(fmt.Errorf("%w: the controller is ending", core.ErrUnavailable))
			return
		case <-tick.C:
		}
	}
}

func (p *publisher) readOnce(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	err := p.read(call)
	if err == nil || ctx.Err() != nil {
		return
	}
	if code := core.CodeOf(err); code == core.NotFound || p.level.Run.ID == "" {
		p.fail(err)
		return
	}
	p.service.Logger.Warn("a run that is watched cannot be read", "run_id", p.id, "error", err.Error())
}

// due reports whether it is time to read the run: once in each interval, and at once
// when its state has changed, which is one cheap read.
func (p *publisher) due(ctx context.Context) bool {
	run := &p.record.Run
	every := max(p.record.Scenario.Load.Interval.Std(), p.service.LivePoll)
	if time.Since(p.lately) > every-p.service.LivePoll/2 {
		return true
	}
	call, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	control, err := p.service.store.Control(call, p.id, core.WorkerID(0))
	return err == nil && (control.Status != run.Status || control.Phase != run.Phase || control.Rung != run.Rung || control.LastSequence != run.Sequence)
}

// read reads what is new, and publishes it.
func (p *publisher) read(ctx context.Context) error {
	record, err := p.service.store.Load(ctx, p.id)
	if err != nil {
		return err
	}
	beats, now, err := p.service.store.Beats(ctx, p.id, p.counts)
	if err != nil {
		return err
	}
	intervals, err := p.service.intervals(ctx, p.id, p.intervalsAfter(record))
	if err != nil {
		return err
	}
	events, err := p.service.store.Events(ctx, p.id, p.at.sequence)
	if err != nil {
		return err
	}
	lines, err := p.service.store.Logs().Read(ctx, p.id, "", p.linesAfter(record), linesAtOnce)
	if err != nil {
		return err
	}
	steps, err := p.readSteps(ctx, events, record.Run.Status.Terminal())
	if err != nil {
		return err
	}
	if p.paging = (time.Time{}); len(lines) == linesAtOnce {
		p.paging = lines[len(lines)-1].Time
	}
	p.record, p.beats, p.lately = record, p.merge(beats), time.Now()
	p.publish(now, intervals, events, lines, steps)
	return nil
}

// intervalsAfter is behind what is settled; at first not more than is read back.
func (p *publisher) intervalsAfter(record ports.RunRecord) float64 {
	if p.at.offset > 0 {
		return float64(p.at.offset)/1000 - settleFor.Seconds()
	}
	run, interval := record.Run, record.Scenario.Load.Interval.Std()
	if run.Origin.IsZero() {
		return -1
	}
	end := record.Now
	if !run.GoneAt.IsZero() {
		end = run.GoneAt
	}
	return (end.Sub(run.Origin) - time.Duration(p.back)*interval).Seconds()
}

func (p *publisher) linesAfter(record ports.RunRecord) time.Time {
	if !p.paging.IsZero() {
		return p.paging
	}
	if p.at.line > 0 {
		return time.UnixMicro(p.at.line).Add(-linesOverlap)
	}
	return record.Now.Add(-time.Minute)
}

// merge keeps the reports of beats that have brought none, since they say nothing
// new.
func (p *publisher) merge(beats []core.Beat) []core.Beat {
	for i := range beats {
		b := &beats[i]
		if known, ok := p.counts[b.Key.WorkerID]; ok && b.Count <= known {
			if j := slices.IndexFunc(p.beats, func(old core.Beat) bool { return old.Key == b.Key }); j >= 0 {
				b.Report = p.beats[j].Report
			}
		}
		p.counts[b.Key.WorkerID] = b.Count
	}
	return beats
}

// publish makes a new version of what is known.
func (p *publisher) publish(now time.Time, intervals []client.Interval, events []core.ControlEvent, lines []ports.LogLine, steps []client.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.level.Findings
	if p.version == 0 { // what is older was not read
		p.dropped.offset = max(0, int64(1000*p.intervalsAfter(p.record)))
	}
	p.version++
	p.before = p.at
	p.level = client.Frame{Run: stateOf(p.record, now), Workers: workersOf(p.record, p.beats, now), Findings: p.record.Run.Findings}
	p.level.Measured = measuredOf(p.beats)
	for i := range p.level.Workers {
		slimWorker(&p.level.Workers[i])
	}
	p.words.hear(p.level.Workers)
	p.done = p.record.Run.Status.Terminal()
	for _, i := range intervals {
		p.addInterval(i)
	}
	p.events = append(p.events, events...)
	for _, l := range lines {
		p.addLine(l)
	}
	for _, s := range steps {
		p.addStep(s)
	}
	p.trim()
	if n := len(p.events); n > 0 {
		p.at.sequence = p.events[n-1].Sequence
	}
	f := p.delta(p.before, false, p.version-1, func(i stampedInterval) bool { return i.version == p.version })
	if slices.Equal(found, p.record.Run.Findings) {
		f.Findings = nil
	}
	f.Workers = p.words.tell(f.Workers)
	p.shared = p.encode(f)
	close(p.changed)
	p.changed = make(chan struct{})
}

// addInterval adds an interval, or replaces the one that it corrects.
func (p *publisher) addInterval(i client.Interval) {
	at := slices.IndexFunc(p.intervals, func(old stampedInterval) bool { return old.Phase == i.Phase && old.Elapsed == i.Elapsed })
	switch {
	case at < 0:
		p.intervals = append(p.intervals, stampedInterval{i, p.version})
	case !sameInterval(p.intervals[at].Interval, i):
		p.intervals[at] = stampedInterval{i, p.version}
	}
	p.at.offset = max(p.at.offset, int64(i.Elapsed*1000))
}

func (p *publisher) addLine(l ports.LogLine) {
	if newest, ok := p.seen[l.WorkerID]; ok && l.Sequence <= newest {
		return
	}
	p.seen[l.WorkerID] = l.Sequence
	p.lines = append(p.lines, stampedLine{lineOf(l), p.version})
	p.at.line = max(p.at.line, l.Time.UnixMicro())
}

// trim forgets what is too old to be kept, and remembers up to where.
func (p *publisher) trim() {
	if n := len(p.intervals) - keptIntervals; n > 0 {
		p.dropped.offset = int64(p.intervals[n-1].Elapsed * 1000)
		p.intervals = slices.Delete(p.intervals, 0, n)
	}
	if n := len(p.events) - keptEvents; n > 0 {
		p.dropped.sequence = p.events[n-1].Sequence
		p.events = slices.Delete(p.events, 0, n)
	}
	if n := len(p.lines) - keptLines; n > 0 {
		p.dropped.line = p.lines[n-1].Time.UnixMicro()
		p.lines = slices.Delete(p.lines, 0, n)
	}
}

// delta is where the run stands, and what is new since a cursor, or since the version
// that was seen, unless that is 0. fresh is for one
// who has seen nothing: of the past it holds what a first look needs.
func (p *publisher) delta(from cursor, fresh bool, seen int, isNew func(stampedInterval) bool) client.Frame {
	f := p.level
	f.ID, f.End = p.at.String(), p.done
	for _, i := range p.intervals {
		if isNew(i) {
			f.Intervals = append(f.Intervals, slim(i.Interval))
		}
	}
	if fresh && len(f.Intervals) > 1 {
		f.Intervals = f.Intervals[len(f.Intervals)-1:]
	}
	for _, e := range p.events {
		if e.Sequence > from.sequence {
			f.Events = append(f.Events, e)
		}
	}
	for _, l := range p.lines {
		if seen > 0 && l.version > seen || seen == 0 && l.Time.UnixMicro() > from.line {
			f.Logs = append(f.Logs, l.LogLine)
		}
	}
	for _, s := range p.steps {
		if s.version > seen {
			f.Steps = append(f.Steps, s.Step)
		}
	}
	f.Reset = !fresh && (from.offset < p.dropped.offset || from.sequence < p.dropped.sequence)
	return f
}

// frame is the frame for one who has seen a run up to a cursor. The newest
// intervals may have been corrected since.
func (p *publisher) frame(from cursor, fresh bool) client.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since(from, fresh)
}

func (p *publisher) since(from cursor, fresh bool) client.Frame {
	settled := from.offset - settleFor.Milliseconds()
	return p.delta(from, fresh, 0, func(i stampedInterval) bool { return int64(i.Elapsed*1000) > settled })
}

// next is the message for a viewer, or, when there is none yet, what is closed as
// soon as there is.
func (p *publisher) next(v *Watcher) (Message, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed != nil:
		return Message{}, nil, p.failed
	case p.version == v.seen:
		return Message{}, p.changed, nil
	}
	m := p.shared
	switch {
	case v.seen == 0:
		m = p.encode(p.since(v.cursor, !v.resumes))
	case v.seen != p.version-1: // it is late
		m = p.encode(p.delta(v.cursor, false, v.seen, func(i stampedInterval) bool { return i.version > v.seen }))
	}
	v.seen, v.cursor = p.version, p.at
	return m, nil, nil
}

func (p *publisher) encode(f client.Frame) Message {
	text, err := json.Marshal(f)
	if err != nil { // cannot be: it is plain data
		text = []byte("{}")
		p.service.Logger.Error("a frame cannot be encoded", "run_id", p.id, "error", err.Error())
	}
	return Message{ID: f.ID, Data: text, End: f.End}
}

// fail ends the stream of every viewer.
func (p *publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil && !p.done {
		p.failed = err
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// wakeAll leaves nobody waiting for what does not come.
func (p *publisher) wakeAll() { p.fail(fmt.Errorf("%w: the stream has ended", core.ErrUnavailable)) }
