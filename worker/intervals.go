package worker

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// tally is what was collected of one phase.
type tally struct {
	kinds     []core.KindMetrics
	completed uint64
	hash      uint64
	any       bool // an operation was counted
}

// collector gathers the buffers of the connections, cuts them into intervals,
// and keeps the sums. The sum of all intervals of a phase, acknowledged ones
// included, is the phase's total.
type collector struct {
	load     *load
	clock    *storeClock
	interval time.Duration
	usage    usageReader
	share    core.HostShare
	keep     int // intervals that are kept one by one

	mu        sync.Mutex
	spare     *buffer
	open      [phaseCount]tally         // collected, not cut yet
	total     [phaseCount]tally         // cut
	covered   [phaseCount]time.Duration // up to where a phase has been cut
	list      []core.Interval           // not acknowledged, by sequence
	sequence  int64
	target    int
	origin    time.Time                 // store time of the load's beginning; zero: not known
	switches  [phaseCount + 1]time.Time // store time of each phase's beginning and the load's end; zero: not known
	marked    [phaseCount + 1]bool      // which of those have been cut
	noticed   time.Duration             // stamp at which the measurement was seen to have begun; 0: not yet
	cuts      int64                     // whole intervals since the origin that have been cut
	lastCut   time.Duration             // stamp of the newest cut
	inFlight  uint64
	lastStart time.Duration
	lastEnd   time.Duration
	gauge     gauge
	strains   func() core.Strain // nil: unknown
	strain    *core.Strain       // of the measurement; nil: unknown
}

func newCollector(l *load, clock *storeClock, usage usageReader) *collector {
	interval := l.scenario.Load.Interval.Std()
	if interval <= 0 {
		interval = time.Second
	}
	lease := l.scenario.Limits.WorkerLease.Std()
	c := &collector{
		load: l, clock: clock, interval: interval, usage: usage,
		keep:   int(lease/interval) + 2,
		spare:  &buffer{},
		target: len(l.connections),
		gauge:  gauge{interval: interval},
	}
	for p := range phaseCount {
		c.total[p].kinds = c.noKinds()
	}
	return c
}

func (c *collector) noKinds() []core.KindMetrics {
	kinds := make([]core.KindMetrics, len(c.load.operations))
	for i, op := range c.load.operations {
		kinds[i] = core.KindMetrics{Kind: op.kind, Access: op.access}
	}
	return kinds
}

// learn follows a control read: when the load began, when its phases switch,
// and what is safely stored.
func (c *collector) learn(control core.Control) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = control.Target
	if control.Status == core.Running {
		if c.origin.IsZero() {
			c.origin = control.Origin
			// One that joins later has nothing to cut of the time before.
			c.cuts = int64(max(0, control.Now.Sub(control.Origin)) / c.interval)
		}
		load := &c.load.scenario.Load
		phases := control.Phases(load.Warmup.Std(), load.Cooldown.Std())
		c.switches = [...]time.Time{phases.Warmup, phases.Measurement, phases.Cooldown, phases.End}
	}
	c.list = slices.DeleteFunc(c.list, func(i core.Interval) bool { return i.Sequence <= control.Acknowledged })
}

// A mark is a moment at which every worker of the run cuts its intervals.
type mark struct {
	at     time.Duration // stamp
	offset float64       // seconds since the origin: the same on every worker
}

// next is the next moment to cut at; ok is false while the load has no
// beginning.
func (c *collector) next() (m mark, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nextMark()
}

func (c *collector) nextMark() (m mark, ok bool) {
	if c.origin.IsZero() {
		return m, false
	}
	whole := time.Duration(c.cuts+1) * c.interval
	m = mark{at: c.origin.Add(whole).Sub(c.clock.origin()), offset: whole.Seconds()}
	schedule := c.load.schedule.Load()
	for i, at := range c.switches {
		stamp, end := schedule.End, core.Never
		if i < phaseCount {
			stamp, end = schedule.Window(phaseName(i))
		}
		if at.IsZero() || c.marked[i] || stamp == end { // or it does not occur, here
			continue
		}
		if since := at.Sub(c.origin); since <= whole {
			return mark{at: stamp, offset: since.Seconds()}, true
		}
	}
	return m, true
}

// cut gathers, and closes the intervals that end at a mark.
func (c *collector) cut(m mark, now time.Duration) {
	cpu, memory, seconds := c.usage()
	strain := c.readStrain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gauge.take(now, cpu, memory, seconds)
	c.strained(strain)
	for i, at := range c.switches { // those at the same moment are one cut
		reached := !at.IsZero() && at.Sub(c.origin).Seconds() <= m.offset
		if reached && i == measurement && !c.marked[i] {
			c.noticed = now
		}
		c.marked[i] = c.marked[i] || reached
	}
	for whole := time.Duration(c.cuts+1) * c.interval; whole.Seconds() <= m.offset; whole += c.interval {
		c.cuts++
	}
	c.gather()
	c.emit(m.at, now, m.offset)
}

// cutLast gathers and closes everything that is open: nothing comes after it.
// Its offset is the end of the whole interval that it falls into.
func (c *collector) cutLast(now time.Duration) {
	cpu, memory, seconds := c.usage()
	strain := c.readStrain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gauge.take(now, cpu, memory, seconds)
	c.strained(strain)
	c.gather()
	offset := 0.0
	if !c.origin.IsZero() {
		since := c.clock.origin().Add(now).Sub(c.origin)
		offset = (max(since+c.interval-1, 0) / c.interval * c.interval).Seconds()
	}
	c.emit(core.Never, now, max(offset, float64(c.cuts)*c.interval.Seconds()))
}

// gather collects every connection's buffer into what is open.
func (c *collector) gather() {
	c.inFlight = 0
	schedule := c.load.schedule.Load()
	now := c.load.clock.now()
	for _, conn := range c.load.connections {
		full, inFlight := conn.collect(c.spare)
		if full == nil {
			continue
		}
		if inFlight {
			c.inFlight++
		}
		c.absorb(full, schedule, now)
		c.spare = full
	}
	if c.load.pacer != nil {
		c.load.pacer.collect(schedule, now, c.miss)
	}
}

// miss counts operations of an open loop that were never started.
func (c *collector) miss(phase, operation int, skipped, unserved uint64) {
	t := &c.open[phase]
	if t.kinds == nil {
		t.kinds = c.noKinds()
	}
	t.any = true
	t.kinds[operation].Counts.Add(core.Counts{Scheduled: skipped + unserved, Skipped: skipped, Unserved: unserved})
}

// absorb adds a buffer to what is open and empties it. Memory of a phase that
// is over is given up.
func (c *collector) absorb(b *buffer, schedule *core.LoadSchedule, now time.Duration) {
	for p, from := range b.phases {
		if from == nil {
			continue
		}
		c.open[p].add(from, c.noKinds)
		if _, end := schedule.Window(phaseName(p)); end < now {
			b.phases[p] = nil
		}
	}
	c.lastStart = max(c.lastStart, b.lastStart)
	c.lastEnd = max(c.lastEnd, b.lastEnd)
	b.reset()
}

func (t *tally) add(from *phaseBuffer, noKinds func() []core.KindMetrics) {
	t.completed += from.completed
	t.hash += from.hash
	for i := range from.kinds {
		k := &from.kinds[i]
		if k.started|k.ok|k.errors|k.aborted|k.lost == 0 {
			continue
		}
		if t.kinds == nil {
			t.kinds = noKinds()
		}
		t.any = true
		to := &t.kinds[i]
		to.Counts.Add(core.Counts{
			Scheduled: k.started, Started: k.started, OK: k.ok, Errors: k.errors, Aborted: k.aborted, Lost: k.lost, Rows: k.rows,
			Late: k.late, Overslept: k.overslept,
		})
		to.Service.Merge(&k.service)
		if k.response != nil {
			if to.Response == nil {
				to.Response = &core.Histogram{}
			}
			to.Response.Merge(k.response)
		}
		if k.ok > 0 {
			to.Statements = core.MergeStatements(to.Statements, k.statements)
		}
		for _, f := range k.failures {
			to.Failures = core.AddError(to.Failures, f)
		}
	}
}

// emit closes what is open of every phase that began before the mark. What
// belongs to a phase that begins there stays open: it came between the mark and
// the gathering.
func (c *collector) emit(markAt, now time.Duration, offset float64) {
	schedule := c.load.schedule.Load()
	zero := c.clock.origin()
	connections, target := c.load.openCount(), c.load.targetAt(now-1, c.target)
	for p := range phaseCount {
		start, end := schedule.Window(phaseName(p))
		if start >= markAt && start < end {
			continue
		}
		from := max(start, c.covered[p])
		to := min(now, end)
		asked, missing := target, 0
		if from >= to { // nothing but operations that end after their phase
			if !c.open[p].any {
				c.close(p)
				continue
			}
			from, to = min(c.lastCut, now-1), now
			asked = min(asked, connections) // nothing is asked for any more
		} else {
			missing = c.load.missing(now-1, asked)
		}
		c.covered[p] = to
		kinds := c.close(p)
		c.sequence++
		c.list = append(c.list, core.Interval{
			Sequence: c.sequence, Phase: phaseName(p), Start: zero.Add(from), Seconds: (to - from).Seconds(), Offset: offset,
			Kinds: kinds, Connections: connections, Target: asked, Missing: missing, CPU: c.gauge.cpu, Memory: c.gauge.memory, Share: c.share,
		})
	}
	c.lastCut = now
	c.trim()
}

// close adds what is open of a phase to its total and returns it.
func (c *collector) close(p int) []core.KindMetrics {
	t, sum := c.open[p], &c.total[p]
	c.open[p] = tally{}
	sum.completed += t.completed
	sum.hash += t.hash
	if !t.any {
		return c.noKinds()
	}
	sum.any = true
	sum.kinds = core.MergeKinds(sum.kinds, t.kinds)
	return t.kinds
}

// trim merges the oldest intervals, beyond those that are kept one by one, into
// one coarse interval of each phase.
func (c *collector) trim() {
	for len(c.list) > c.keep+phaseCount {
		oldest := slices.IndexFunc(c.list, func(i core.Interval) bool { return !i.Coarse })
		if oldest < 0 {
			return
		}
		one := c.list[oldest]
		one.Coarse = true
		c.list = slices.Delete(c.list, oldest, oldest+1)
		if before := slices.IndexFunc(c.list, func(i core.Interval) bool { return i.Coarse && i.Phase == one.Phase }); before >= 0 {
			one = coarser(c.list[before], one)
			c.list = slices.Delete(c.list, before, before+1)
		}
		at, _ := slices.BinarySearchFunc(c.list, one.Sequence, func(i core.Interval, s int64) int { return cmp.Compare(i.Sequence, s) })
		c.list = slices.Insert(c.list, at, one)
	}
}

// coarser merges two intervals of one phase. Neither is changed: beats may still
// hold them.
func coarser(a, b core.Interval) core.Interval {
	sum := b
	sum.Start = a.Start
	sum.Seconds = a.Seconds + b.Seconds
	sum.Kinds = core.MergeKinds(core.MergeKinds(nil, a.Kinds), b.Kinds)
	return sum
}

// abandonAll gives up every operation in flight: it counts as lost, and its
// connection may touch nothing any more.
func (c *collector) abandonAll() (lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	schedule, now := c.load.schedule.Load(), c.load.clock.now()
	for _, conn := range c.load.connections {
		b := conn.abandon(errStopped)
		if b == nil {
			continue
		}
		c.absorb(b, schedule, now)
		lost++
	}
	return lost
}

// report is everything that was cut, as a beat carries it.
func (c *collector) report(now time.Duration) core.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	zero := c.clock.origin()
	r := core.Report{
		Intervals:         slices.Clone(c.list),
		InFlight:          c.inFlight,
		DroppedExecutions: c.load.dropped.Load(),
		CPUSeconds:        c.gauge.cpuSeconds,
		Reconnects:        c.load.reconnects.Load(),
		Exhausted:         int(c.load.exhausted.Load()),
	}
	r.ClockOffset, r.ClockError = c.clock.offset(now)
	r.Late, r.Overhead, r.Strain = c.late(), c.load.nulls.overhead(), c.strain.Clone()
	if c.lastStart > 0 {
		r.LastStart = zero.Add(c.lastStart)
	}
	if c.lastEnd > 0 {
		r.LastEnd = zero.Add(c.lastEnd)
	}
	schedule := c.load.schedule.Load()
	for p := range phaseCount {
		start, end := schedule.Window(phaseName(p))
		t := &c.total[p]
		if !t.any && (start >= end || start > now) {
			continue
		}
		m := core.PhaseMetrics{
			Phase: phaseName(p), Kinds: core.MergeKinds(nil, t.kinds),
			Start: zero.Add(start), Seconds: max(min(now, end)-start, 0).Seconds(),
			Completed: t.completed, OperationHash: t.hash,
		}
		if end <= now {
			m.End = zero.Add(end)
		}
		r.Phases = append(r.Phases, m)
	}
	return r
}

// sampleUsage refreshes the gauges outside a cut.
func (c *collector) sampleUsage(now time.Duration) {
	cpu, memory, seconds := c.usage()
	strain := c.readStrain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gauge.take(now, cpu, memory, seconds)
	c.strained(strain)
}

// gauges are the newest readings.
func (c *collector) gauges() (target int, cpu, memory float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.load.targetAt(c.load.clock.now(), c.target), c.gauge.cpu, c.gauge.memory
}
