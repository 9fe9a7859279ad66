package core

import (
	"slices"
	"time"
)

// SummaryInput is what the result of a run is computed from.
type SummaryInput struct {
	Run      Run
	Scenario Scenario
	// Beats holds the last beat of each worker, in any order. A worker without
	// one counts as having done nothing. Beats of other epochs are ignored.
	Beats []Beat
	// Observed is what the owner saw of each worker, by index; shorter or nil
	// where it saw nothing.
	Observed    []Observed
	Environment []Fact
	SharedHost  bool // see VerdictInput
	Embedded    bool // see VerdictInput
	// Watch has seen every interval of the measurement; zero: nobody has looked.
	Watch SLOWatch
}

// Observed gathers, from the intervals of one worker, what its last beat no
// longer tells: means over the measurement. The zero value has seen nothing.
type Observed struct {
	Asking      float64 `json:"asking"`      // seconds in which connections were asked for
	Connections float64 `json:"connections"` // sum of connections, of those asked for, × seconds; of stored intervals those that were open
	Asked       float64 `json:"asked"`       // sum of connections asked for × seconds
	Watched     float64 `json:"watched"`     // seconds, all of them
	Seconds     float64 `json:"seconds"`     // in which operations were started; what follows is of them
	CPU         float64 `json:"cpu"`         // sum of percent × seconds
	HostCPU     float64 `json:"host_cpu"`    // likewise, of the whole host
	Memory      float64 `json:"memory"`      // likewise
}

// Add takes in one interval. Intervals of other phases do not count, nor what was used in
// those in which no operation was started, since in them the worker only waits.
func (o *Observed) Add(iv *Interval) {
	started := uint64(0)
	for i := range iv.Kinds {
		started += iv.Kinds[i].Started
	}
	if iv.Phase != Measurement {
		return
	}
	o.Watched += iv.Seconds
	if iv.Target > 0 {
		o.Asking += iv.Seconds
		o.Connections += iv.Seconds * float64(min(iv.Connections, iv.Target-iv.Missing))
		o.Asked += iv.Seconds * float64(iv.Target)
	}
	if started == 0 {
		return
	}
	o.Seconds += iv.Seconds
	o.CPU += iv.Seconds * iv.CPU
	cpu, _ := iv.OfHost()
	o.HostCPU += iv.Seconds * cpu
	o.Memory += iv.Seconds * iv.Memory
}

// mean is a sum of Observed divided by its seconds; 0 when nothing was seen.
func (o Observed) mean(sum float64) float64 { return over(sum, o.Seconds) }

func over(sum, seconds float64) float64 {
	if !(seconds > 0) {
		return 0
	}
	return sum / seconds
}

// Summarise computes the result of a run, the parent, and of each of its
// workers, the children: every worker that was to be launched has one. The
// parent's counts, hash and throughput are the sums of its children's, its
// histograms their merge. Where workers have joined later, the parent's throughput
// is what all completed ÷ its own window, the longest; a child's is of its own. It
// belongs to the caller and shares nothing with the input but the scenario's slices.
//
// Operations that a worker had in flight in its last beat count as lost when it
// made no final report. Kinds, Seconds, Throughput and Hash are of the
// measurement; Ledger is over all phases.
func Summarise(in SummaryInput) (parent Rollup, children []Rollup) {
	s := summary{in: in, status: in.Run.Status, certificate: in.Run.Certificate()}
	if !s.status.Terminal() {
		s.status = in.Run.Outcome()
	}
	for i := range in.Run.Workers {
		if in.Run.Workers[i].Life != Planned { // else nobody asked for it
			s.workers = append(s.workers, s.worker(i))
		}
	}
	s.cover()
	for i := range s.workers {
		s.workers[i].judge(&s)
		children = append(children, s.workers[i].child)
	}
	return s.parent(), children
}

// summary is the work of Summarise.
type summary struct {
	in          SummaryInput
	status      Status
	certificate Certificate
	workers     []workerSummary
}

// workerSummary is one worker on the way to its rollup.
type workerSummary struct {
	child     Rollup
	facts     WorkerFacts
	quotaDone bool
	begun     time.Time // its window of the measurement
	completed uint64    // in it
	asked     float64   // seconds for which load was asked of it
}

func (s *summary) base() Rollup {
	r := &s.in.Run
	return Rollup{
		RunID: r.ID, Name: s.in.Scenario.Name, TemplateID: s.in.Scenario.TemplateID,
		Status: s.status, Reason: r.Reason, Kinds: s.noKinds(),
	}
}

// noKinds are the kinds of the mix, in its order, with nothing measured: so that
// results list them all, and all in the same order.
func (s *summary) noKinds() []KindMetrics {
	kinds := make([]KindMetrics, 0, len(s.in.Scenario.Operations))
	for _, op := range s.in.Scenario.Operations {
		kinds = append(kinds, KindMetrics{Kind: op.Kind, Access: op.Access})
	}
	return kinds
}

// beat is the last beat of a launch; a zero beat when there is none.
func (s *summary) beat(w *WorkerRecord) Beat {
	for _, b := range s.in.Beats {
		if b.Key.WorkerID == w.ID && b.Key.Epoch == w.Epoch {
			return b
		}
	}
	return Beat{}
}

func (s *summary) worker(i int) workerSummary {
	w := &s.in.Run.Workers[i]
	beat := s.beat(w)
	report := &beat.Report
	final := beat.State.Final()
	child := s.base()
	child.WorkerID = w.ID
	child.Connections = s.connections(i)
	if !w.endedClean() {
		child.Detail = w.Message
	}
	child.CPUSeconds = report.CPUSeconds
	child.WorkerEnding = s.certificate.Workers[i].Ending
	child.Start, child.End = span(report, w)
	if !final {
		child.Status = Failed
	}
	var (
		all       Counts
		begun     time.Time
		completed uint64
	)
	for p := range report.Phases {
		phase := &report.Phases[p]
		kinds := MergeKinds(nil, phase.Kinds) // a copy that shares nothing
		if !final {
			loseInFlight(kinds)
		}
		counts := Total(kinds).Counts
		all.Add(counts)
		switch phase.Phase {
		case Warmup:
			child.Warmup = counts
		case Measurement:
			child.Kinds = MergeKinds(child.Kinds, kinds)
			child.Seconds, child.Hash = phase.Seconds, phase.OperationHash
			begun, completed = phase.Start, phase.Completed
			if phase.Seconds > 0 {
				child.Throughput = float64(phase.Completed) / phase.Seconds
			}
		}
	}
	child.Ledger = BalanceLedger(all)
	child.takeGenerator(report.Overhead, report.Strain)
	seen := Observed{}
	if i < len(s.in.Observed) {
		seen = s.in.Observed[i]
	}
	return workerSummary{child: child, quotaDone: report.QuotaDone, begun: begun, completed: completed, facts: WorkerFacts{
		ID: w.ID, Reported: final, Lost: w.Lost, Unjoined: w.Joining, Clean: w.endedClean(), Ending: child.WorkerEnding,
		Dropped: report.DroppedExecutions, Connections: over(seen.Connections, seen.Asking), Asked: over(seen.Asked, seen.Asking),
		CPU: seen.mean(seen.CPU), HostCPU: seen.mean(seen.HostCPU), ClockError: report.ClockError,
		Guardrail: s.in.Scenario.guardrailOf(w, seen), Exhausted: report.Exhausted,
		Late: lateness(w, report, begun), Overhead: child.Overhead, Strain: child.Strain,
	}}
}

// connections is how many a worker was to keep: in a search all that it has open,
// whatever its last step asked for; none if it never took part.
func (s *summary) connections(i int) int {
	w := &s.in.Run.Workers[i]
	if s.in.Scenario.Load.Search != nil && !w.Joining {
		return s.in.Run.Plan.Opens(i)
	}
	return w.Target
}

// span is when a worker made load: from its first phase to its last operation,
// or to its end.
func span(report *Report, w *WorkerRecord) (start, end time.Time) {
	for i := range report.Phases {
		if at := report.Phases[i].Start; start.IsZero() || !at.IsZero() && at.Before(start) {
			start = at
		}
	}
	return start, later(later(report.LastEnd, w.LastEnd), w.Exit.At)
}

// lateness is how many seconds after it was to begin the measurement a worker did:
// as was published, or when one that joined later was asked for load.
func lateness(w *WorkerRecord, report *Report, begun time.Time) float64 {
	if w.Since.IsZero() || begun.IsZero() {
		return report.Late
	}
	return min(report.Late, max(0, begun.Sub(w.Since).Seconds()))
}

// loseInFlight counts as lost what a worker had started and never reported.
func loseInFlight(kinds []KindMetrics) {
	for i := range kinds {
		c := &kinds[i].Counts
		if ended := c.Done() + c.Lost; c.Started > ended {
			c.Lost += c.Started - ended
		}
	}
}

// cover fills in the coverage of each worker: its share of the longest window,
// or of the planned one when the run ended by its time; of one that has joined
// later, what was left of that when its load was asked for. A worker that has done
// its quota of operations has done all that was asked; one whose connections ended
// since no key was left to insert made load only while it kept them.
func (s *summary) cover() {
	window := 0.0
	var begun time.Time // the run's own window
	for i := range s.workers {
		w := &s.workers[i]
		window = max(window, w.child.Seconds)
		if begun.IsZero() || !w.begun.IsZero() && w.begun.Before(begun) {
			begun = w.begun
		}
	}
	if s.in.Run.Reason == Elapsed {
		window = max(window, s.in.Scenario.Load.Duration.Std().Seconds())
	}
	for i := range s.workers {
		w := &s.workers[i]
		w.asked = window
		if since := s.in.Run.Workers[i].Since; !since.IsZero() && !begun.IsZero() {
			w.asked = max(0, window-max(0, since.Sub(begun).Seconds()))
		}
		switch {
		case w.quotaDone:
			w.child.Coverage = 1
		case w.asked > 0:
			w.child.Coverage = w.child.Seconds / w.asked
		}
		if f := &w.facts; f.Exhausted > 0 && f.Asked > 0 { // the worker went on without them
			w.child.Coverage *= min(1, f.Connections/f.Asked)
		}
	}
}

// judge gives a worker's own numbers their verdict.
func (w *workerSummary) judge(s *summary) {
	c := &w.child
	total := Total(c.Kinds)
	c.Verdict = Judge(VerdictInput{
		Status: s.status, Reason: s.in.Run.Reason, Begun: !s.in.Run.Origin.IsZero(), Measured: total.Counts, Latency: total.Latency(), Seconds: c.Seconds,
		Ledger: c.Ledger, Coverage: c.Coverage, Workers: []WorkerFacts{w.facts}, Embedded: s.in.Embedded, Searched: s.in.Scenario.Load.Search != nil, Found: s.in.Run.found(),
	})
}

// grew reports whether a worker has joined after the others.
func (s *summary) grew() bool {
	return slices.ContainsFunc(s.in.Run.Workers, func(w WorkerRecord) bool { return !w.Since.IsZero() })
}

func (s *summary) parent() Rollup {
	run := &s.in.Run
	p := s.base()
	p.Detail = run.Detail
	p.Start, p.End = run.StartedAt, run.EndedAt
	if p.End.IsZero() {
		p.End = later(run.StopAt, run.GoneAt)
	}
	p.Certificate, p.Environment = &s.certificate, s.in.Environment
	scenario := s.in.Scenario
	p.Scenario = &scenario
	var all Counts
	var facts []WorkerFacts
	covered, asked, completed := 0.0, 0.0, uint64(0)
	for i := range s.workers {
		c := &s.workers[i].child
		completed += s.workers[i].completed
		p.Kinds = MergeKinds(p.Kinds, c.Kinds)
		p.Seconds = max(p.Seconds, c.Seconds)
		p.Connections += c.Connections
		p.Throughput += c.Throughput
		p.Warmup.Add(c.Warmup)
		p.Hash += c.Hash
		p.CPUSeconds += c.CPUSeconds
		all.Add(c.Ledger.Counts)
		weight := float64(c.Connections) * s.workers[i].asked
		covered += c.Coverage * weight
		asked += weight
		p.takeGenerator(c.Overhead, c.Strain)
		facts = append(facts, s.workers[i].facts)
	}
	if asked > 0 {
		p.Coverage = covered / asked
	}
	if s.grew() && p.Seconds > 0 { // rates over windows of different length do not add up
		p.Throughput = float64(completed) / p.Seconds
	}
	p.Ledger = BalanceLedger(all)
	p.Budget = useOf(scenario.Budget, run, all)
	p.SLOs = EvaluateSLOs(s.in.Scenario.SLOs, p.Kinds, p.Throughput)
	s.in.Watch.judge(p.SLOs, p.Kinds)
	if p.Search = run.searchResult(scenario.Load.Mode, s.in.Embedded); p.Search != nil {
		p.SLOs = p.Search.Objectives // of the load that was found, not of those that were missed
	}
	var answer SearchWindow
	if run.Search != nil {
		answer = run.Search.answer().sum
	}
	total := Total(p.Kinds)
	p.Verdict = Judge(VerdictInput{
		Status: s.status, Reason: run.Reason, Begun: !run.Origin.IsZero(), Measured: total.Counts, Latency: total.Latency(), Seconds: p.Seconds,
		Planned: scenario.Load.Duration.Std().Seconds(), Operations: uint64(scenario.Load.Operations),
		Ledger: p.Ledger, Coverage: p.Coverage, Workers: facts, StaleFacts: run.StaleFacts, Searched: p.Search != nil, Found: run.found(), Answer: answer, Unjoined: run.Unjoined,
		SharedHost: s.in.SharedHost, Embedded: s.in.Embedded,
	})
	return p
}
