package core

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ABResult is what an A/B experiment says. The unit is the round: one run of each
// side, one right after the other, of which the ratio is taken. So what changes
// slowly beside the experiment is in both and falls out, and how much a run moves
// about from one making to the next is in the interval.
type ABResult struct {
	Experiment
	Counted  int // rounds
	Metrics  []Effect
	Family   int  // metrics that are tested beside the primary one
	Same     bool // A and B ask for the same: whatever is seen is a false alarm
	Unlike   []Unlikeness
	Excluded []ExcludedRound
	// Reservations say what to keep in mind with all of it.
	Reservations []string
}

// ExcludedRound is a round that does not count, since one of its runs does not.
type ExcludedRound struct {
	Round int
	Why   string
}

// Effect is one metric of B beside A, over the rounds that count.
type Effect struct {
	Kind    string // empty: of all kinds
	Metric  string // throughput p50 p95 p99 error_rate max_connections max_qps
	Primary bool
	Rounds  int // that have it: all that count, or none
	// A and B are means over rounds: geometric ones, and of an error rate arithmetic
	// ones. In operations per second, seconds, or a fraction.
	A, B float64
	// Change is B ÷ A − 1 by the mean of the rounds' log ratios; of error_rate it is
	// B − A. Low to High is its 95 % interval, by Student's t with rounds − 1 degrees
	// of freedom, wider where the order that was drawn would give as much by chance; and
	// Smallest the least change that would have been seen four times in five, like the
	// interval of this metric by itself. Known is false where there is no interval: then
	// they are 0.
	Change, Low, High float64
	Smallest          float64
	Known             bool
	// Size is the effect in units of how much the rounds' log ratios move about:
	// Cohen's d for pairs (d_z) with Hedges' correction for few rounds. It is the one
	// whose square times the rounds is what the test sees; d by the spread of single
	// runs would count the drift that rounds take out.
	Size float64
	// Chance is the probability of an effect as large where there is none, and
	// Adjusted the same among all metrics beside the primary one, by Holm. Of the
	// primary metric both are the same.
	Chance, Adjusted float64
	// RoundsFor is after how many rounds an effect of 5 % would be seen four times in
	// five by this metric alone, with the spread seen here; 0: more than MaxRoundsFor, or
	// not known.
	RoundsFor int
	// Outcome says whether a difference was seen, at Adjusted below 5 %. Hint says that
	// none was, though the interval of this metric alone does not hold zero.
	Outcome Outcome
	Hint    bool
	Better  bool   // a difference was seen, and it is a good one
	Why     string // it is UNKNOWN
}

// abLevel is below what chance a difference is seen.
const abLevel = 1 - ComparisonConfidence

// What RoundsFor looks for.
const (
	LookedForEffect = 0.05
	MaxRoundsFor    = 10_000
)

// PrimaryMetric is the metric that an A/B experiment is about, in words such as
// "throughput", "p95" or "POINT_LOOKUP p99". An empty text chooses: the maximum where
// both search for the same one; else the throughput, or, where a schedule sets that,
// the p95. The error wraps ErrInvalid.
func PrimaryMetric(text string, a, b Scenario) (string, error) {
	if a.Load.Search != nil || b.Load.Search != nil {
		return foundPrimary(text, a.Load.Mode, b.Load.Mode)
	}
	if text == "" {
		if a.Load.OpenLoop() || b.Load.OpenLoop() {
			return "p95", nil
		}
		return metricThroughput, nil
	}
	metrics := []string{metricThroughput, "p50", "p95", "p99", metricErrorRate}
	words := strings.Fields(text)
	kind, name := "", words
	if len(words) == 2 {
		kind, name = words[0], words[1:]
	}
	has := func(s Scenario) bool {
		return slices.ContainsFunc(s.Operations, func(o Operation) bool { return o.Kind == kind })
	}
	switch {
	case len(name) != 1 || !slices.Contains(metrics, name[0]) || kind != "" && name[0] == metricThroughput:
		return "", fmt.Errorf("%w: the metric is %q; allowed: %s, with a kind of operation before any but %s", ErrInvalid, text, strings.Join(metrics, ", "), metricThroughput)
	case kind != "" && (!has(a) || !has(b)):
		return "", fmt.Errorf("%w: the metric is %q, and not both A and B have operations of the kind %s", ErrInvalid, text, kind)
	case kind != "" && len(a.Operations) == 1 && len(b.Operations) == 1:
		return name[0], nil // one kind is all kinds
	}
	return strings.Join(words, " "), nil
}

// AB is what the runs of an A/B experiment say. The error wraps ErrInvalid.
func (e Experiment) AB() (ABResult, error) {
	if e.Design != ABDesign {
		return ABResult{}, fmt.Errorf("%w: the group %q is %s, no A/B experiment", ErrInvalid, e.Group, e.Design)
	}
	r := ABResult{Experiment: e}
	rounds := r.pair()
	r.Counted = len(rounds)
	var sides []*side
	for _, p := range rounds {
		sides = append(sides, p.a, p.b)
	}
	bounds := detection{}
	for _, m := range experimentMetrics(sides, r.Primary) {
		r.Metrics = append(r.Metrics, effect(m, rounds, bounds))
	}
	r.judge()
	r.alike()
	r.reserve(rounds)
	return r, nil
}

// pair is one round that counts.
type pair struct {
	a, b   *side
	turned bool // B was first
}

// pair finds the rounds of which both runs count, and says why others do not.
func (r *ABResult) pair() (rounds []pair) {
	for round := 1; round <= r.Planned; round++ {
		var p pair
		why := ""
		made := 0
		for i := range r.Members {
			m := &r.Members[i]
			if m.Slot.Round != round {
				continue
			}
			made++
			if m.Why != "" && why == "" {
				why = fmt.Sprintf("run %s of %s: %s", m.Result.RunID, m.Slot.Side, m.Why)
			}
			s := newSide(&Compared{Result: m.Result})
			switch m.Slot.Side {
			case SideA:
				p.a, p.turned = s, p.b != nil
			case SideB:
				p.b = s
			}
		}
		switch {
		case made == 0:
		case why == "" && (p.a == nil || p.b == nil):
			why = "only one of its runs was made"
			fallthrough
		case why != "":
			r.Excluded = append(r.Excluded, ExcludedRound{round, why})
		default:
			rounds = append(rounds, p)
		}
	}
	return rounds
}

// effect is one metric over the rounds.
func effect(m kindMetric, rounds []pair, bounds detection) Effect {
	d := Effect{Kind: m.kind, Metric: m.name, Outcome: UnknownOutcome}
	var a, b []*side
	var turned []bool
	for _, p := range rounds {
		a, b, turned = append(a, p.a), append(b, p.b), append(turned, p.turned)
	}
	ofA, problem := m.ofRuns(a)
	ofB, other := m.ofRuns(b)
	if problem = cmp.Or(problem, other); problem != "" {
		d.Why = problem
		return d
	}
	absolute := m.name == metricErrorRate
	if !absolute {
		for i := range ofA {
			ofA[i], ofB[i] = math.Log(ofA[i]), math.Log(ofB[i])
		}
	}
	floor := math.Sqrt2 * m.resolution()
	if absolute {
		floor = math.Hypot(1/ended(m.kind, a), 1/ended(m.kind, b))
	}
	d.estimate(ofA, ofB, turned, floor, bounds)
	if !absolute {
		for _, v := range []*float64{&d.Change, &d.Low, &d.High, &d.Smallest} {
			*v = math.Expm1(*v)
		}
		d.A, d.B = math.Exp(d.A), math.Exp(d.B)
	} else {
		d.RoundsFor = 0 // of what would it be a share?
	}
	return d
}

// estimate fills in what pairs of values say of their difference; in those that are turned
// b was measured first. floor is what is not known of it however steady the pairs are.
func (d *Effect) estimate(a, b []float64, turned []bool, floor float64, bounds detection) {
	differences := make([]float64, len(a))
	for i := range a {
		differences[i] = b[i] - a[i]
	}
	d.Rounds = len(a)
	d.A, _ = spreadOf(a)
	d.B, _ = spreadOf(b)
	centre, deviation := spreadOf(differences)
	d.Change = centre
	if len(a) < leastCounted {
		d.Why = tooFew(len(a), "round")
		return
	}
	n := float64(len(a))
	freedom := n - 1
	se := math.Hypot(deviation/math.Sqrt(n), floor)
	if chanceOf(centre/se, freedom) < abLevel {
		if order := drawnChance(differences, turned); order >= abLevel {
			se = math.Abs(centre) / studentQuantile(1-min(order, 0.99)/2, freedom) // with which t gives that chance
		}
	}
	beyond, within := bounds.of(len(a))
	d.Low, d.High, d.Smallest, d.Known = centre-beyond*se, centre+beyond*se, (beyond+within)*se, true
	d.Size = centre / (se * math.Sqrt(n)) * (1 - 3/(4*freedom-1))
	d.Chance = chanceOf(centre/se, freedom)
	d.RoundsFor = bounds.roundsFor(deviation, floor)
}

// judge says of each metric whether a difference was seen: of the primary one by
// itself, of all others together by Holm's procedure (1979), so that one or more of
// them shows a difference where there is none in at most one experiment of twenty. An
// error rate of experiments without an error is not tested.
func (r *ABResult) judge() {
	var family []*Effect
	for i := range r.Metrics {
		d := &r.Metrics[i]
		d.Primary = strings.TrimSpace(d.Kind+" "+d.Metric) == r.Primary
		d.Adjusted = d.Chance
		if d.Known && !d.Primary && !(d.Metric == metricErrorRate && d.A == 0 && d.B == 0) {
			family = append(family, d)
		}
	}
	r.Family = len(family)
	slices.SortStableFunc(family, func(x, y *Effect) int { return cmp.Compare(x.Chance, y.Chance) })
	least := 0.0
	for i, d := range family {
		least = max(least, min(1, float64(len(family)-i)*d.Chance))
		d.Adjusted = least
	}
	for i := range r.Metrics {
		r.Metrics[i].decide()
	}
}

func (d *Effect) decide() {
	switch {
	case !d.Known:
		return
	case d.Adjusted >= abLevel:
		d.Outcome, d.Hint = NoDifference, d.Chance < abLevel
	case d.Change > 0:
		d.Outcome = Higher
	default:
		d.Outcome = Lower
	}
	d.Better = better(d.Outcome, d.Metric)
}

// alike looks in what the sides differ, by the first run of each.
func (r *ABResult) alike() {
	var a, b *Rollup
	for i := range r.Members {
		m := &r.Members[i]
		switch {
		case m.Slot.Side == SideA && a == nil:
			a = &m.Result
		case m.Slot.Side == SideB && b == nil:
			b = &m.Result
		}
	}
	if a != nil && b != nil {
		r.Unlike = slices.DeleteFunc(unlike(a, b), func(u Unlikeness) bool { return r.moves(u.What) })
		r.Same = sameScenario(*a.Scenario, *b.Scenario)
	}
}

// moves reports whether a fact of the environment changes from one run of a side to
// another, as the size of a table does: then it is no difference of the sides.
func (r *ABResult) moves(fact string) bool {
	seen := map[string]string{} // by side
	for i := range r.Members {
		m := &r.Members[i]
		for _, f := range m.Result.Environment {
			if f.Name != fact {
				continue
			}
			if before, ok := seen[m.Slot.Side]; ok && before != f.Value {
				return true
			}
			seen[m.Slot.Side] = f.Value
		}
	}
	return false
}

// sameScenario reports whether two scenarios ask for the same, whatever they are
// called.
func sameScenario(a, b Scenario) bool {
	for _, s := range []*Scenario{&a, &b} {
		s.Name, s.TemplateID, s.InsertBase, s.Tags = "", "", 0, nil
	}
	x, err := a.Hash()
	y, other := b.Hash()
	return err == nil && other == nil && x == y
}

// reserve says what to keep in mind.
func (r *ABResult) reserve(rounds []pair) {
	add := func(format string, args ...any) {
		r.Reservations = append(r.Reservations, fmt.Sprintf(format, args...))
	}
	for _, x := range r.Excluded {
		add("round %d is left out: %s", x.Round, x.Why)
	}
	r.Reservations = append(append(r.Reservations, r.doubts()...), r.searches()...)
	if made := r.Counted + len(r.Excluded); made < r.Planned {
		add("%d of %d rounds were made", made, r.Planned)
	}
	if r.Counted >= leastCounted && r.Counted < leastDrawn {
		add("how often so few rounds show a difference where there is none rests on rounds that vary normally; from %d on it does not", leastDrawn)
	}
	if !slices.ContainsFunc(r.Metrics, func(d Effect) bool { return d.Primary }) {
		add("not every run that counts has the primary metric, %s", r.Primary)
	}
	for _, u := range r.Unlike {
		if strings.HasPrefix(u.What, "share of ") || strings.HasPrefix(u.What, "statements of ") {
			add("A and B have other mixes of operations: numbers of all kinds together are of different work")
			break
		}
	}
	r.reserveOrder(rounds, add)
}

// reserveOrder says that it matters which run of a round is the first.
func (r *ABResult) reserveOrder(rounds []pair, add func(string, ...any)) {
	m := kindMetric{metric: metric{name: metricThroughput}}
	var values []float64
	turned := 0
	for _, p := range rounds {
		first, second := p.a, p.b
		if p.turned {
			first, second = second, first
			turned++
		}
		x, problem := m.ofRun(first)
		y, other := m.ofRun(second)
		if problem != "" || other != "" {
			return
		}
		values = append(values, math.Log(y/x))
	}
	n := float64(len(values))
	if len(values) < leastTrend {
		return
	}
	mean, deviation := spreadOf(values)
	se := math.Hypot(deviation/math.Sqrt(n), math.Sqrt2*m.resolution())
	if chanceOf(mean/se, n-1) < abLevel {
		add("the second run of a round has a throughput of %+.1f %% beside the first, whichever side it is of; in %d of %d rounds B was first, so that it falls on both about alike",
			100*math.Expm1(mean), turned, len(values))
	}
}
