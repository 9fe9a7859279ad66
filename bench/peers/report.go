//go:build unix

package main

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// What a measurement must have for its figures to be those that are promised.
const (
	promisedRounds   = 10
	promisedDuration = 30 * time.Second
	maxHalfWidth     = 0.05
	quietLoad        = 0.25 // of the load average before all, by processor
)

// The markers between which the tables stand in a file.
const (
	beginMark = "<!-- peers: begin -->"
	endMark   = "<!-- peers: end -->"
)

// tables are the tables of all cases that have a whole round, and the titles of those that
// have none. gone says of a build whether it cannot be made again.
func tables(all map[string][]taken, b *bed, gone func(revision string) bool) (text string, missing []string) {
	w := &writer{gone: gone}
	for _, n := range readConnections {
		w.each(all, b.reads(n), func(c comparison) { w.throughput(c, readPromises(n)) })
	}
	w.each(all, b.tpcb(), func(c comparison) { w.throughput(c, []promise{{sidePgbench, "median", 0.95}}) })
	w.each(all, b.open(), w.open)
	w.each(all, b.stall(), w.stall)
	w.each(all, b.parts(), w.simulated)
	if len(w.missing) > 0 {
		w.line("**Not measured yet: %s.**", strings.Join(w.missing, "; "))
	}
	return w.text.String(), w.missing
}

// promise is the least that a ratio to a peer must be.
type promise struct {
	peer  string
	of    string // low, the interval's lower end, or median
	least float64
}

// readPromises are those of point reads.
func readPromises(connections int) []promise {
	pgbench := 1.0
	if connections == 8 {
		pgbench = 0.9
	}
	return []promise{{sideBare, "low", 0.95}, {sidePgbench, "median", pgbench}}
}

const maxCPU = 1.2 // client processor time of an operation, by pgbench's

// writer makes the text, case after case.
type writer struct {
	setting setting // of the case at hand
	samples []sample
	missing []string // titles of cases that have no whole round
	gone    func(revision string) bool
	text    strings.Builder
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// each writes a case once for each time that it was measured.
func (w *writer) each(all map[string][]taken, c comparison, write func(comparison)) {
	measured := false
	for _, of := range all[c.id] {
		if len(wholeRounds(of.samples, c.id, c.names())) > 0 {
			w.turnTo(of, c)
			write(c)
			measured = true
		}
	}
	if !measured {
		w.missing = append(w.missing, titles[c.id])
	}
}

// turnTo begins with a case: it says under what it was measured, where that is not what
// the one before says, and what is wrong with it.
func (w *writer) turnTo(of taken, c comparison) {
	known := w.text.Len() > 0 && w.setting.same(of.setting)
	w.setting, w.samples = of.setting, of.samples
	if !known {
		w.about()
	}
	w.line("### %s\n", titles[c.id])
	idle, failed, told := 0.0, 0, false
	for i := range of.samples {
		failed += of.samples[i].Failed
		if at := of.samples[i].Idle; at != nil {
			idle, told = max(idle, *at), true
		}
	}
	if !told {
		w.line("Whether the machine was quiet before is not known: these samples do not tell.\n")
	}
	if idle > quietLoad*math.Max(1, float64(processorsOf(w.setting))) {
		w.line("**The machine was not quiet: measuring began at a load average of %.1f; quiet is up to %g for each processor.**\n", idle, quietLoad)
	}
	if failed > 0 {
		w.line("%d tries failed, and were made again.\n", failed)
	}
}

// about says where figures come from.
func (w *writer) about() {
	s := w.setting
	w.line("Measured from %s on (UTC), benchfleet %s, on: %s; %s; %s; pgx %s; PostgreSQL %s over %s, data on %s, with %s and else its defaults, so commits are synced.",
		s.Began.Format("2006-01-02 15:04"), s.Revision, s.Machine, s.Kernel, s.Go, s.Pgx, s.Postgres, overName(s.Over), s.Data, strings.Join(s.Server, ", "))
	w.line("")
	if w.gone(s.Revision) {
		w.line("**That build is in no commit of this history: it cannot be made again.**")
		w.line("")
	}
	if s.Duration < promisedDuration.Seconds() {
		w.line("**A short run: %g s a side. These are not the figures of the promise, which are of %s.**", s.Duration, promisedDuration)
		w.line("")
	}
}

func overName(over string) string {
	if over == "socket" {
		return "a Unix socket"
	}
	return "TCP on loopback"
}

// processorsOf reads the number of processors back from the machine's line.
func processorsOf(s setting) int {
	n := 1
	for part := range strings.SplitSeq(s.Machine, ", ") {
		if count, found := strings.CutSuffix(part, " processors"); found {
			_, _ = fmt.Sscan(count, &n)
		}
	}
	return n
}

// command repeats one case.
func (w *writer) command(c comparison) string {
	s := w.setting
	rounds := len(wholeRounds(w.samples, c.id, c.names()))
	return fmt.Sprintf("`go run ./bench/peers -only %s -rounds %d -over %s -duration %gs -warmup %gs -rate %g -samples $(mktemp -d)`", c.id, rounds, s.Over, s.Duration, s.Warmup, s.Rate)
}

// column is one figure of one side, round by round.
func column(rounds []map[string]sample, side string, of func(sample) float64) (values []float64) {
	for _, round := range rounds {
		values = append(values, of(round[side]))
	}
	return values
}

func rateOf(s sample) float64   { return s.Rate }
func cpuOf(s sample) float64    { return 1e6 * s.CPU / s.Operations }
func servedOf(s sample) float64 { return 1e6 * s.Served / s.Operations }

func valueOf(name string) func(sample) float64 {
	return func(s sample) float64 { return s.Values[name] }
}

// verdict says whether something holds. What is not known does not.
func verdict(holds bool) string {
	if holds {
		return "met"
	}
	return "**not met**"
}

// verdict is that of a ratio, whose interval may be wider than is promised too.
func (r ratio) verdict(holds bool) string {
	if holds && !(r.halfWidth() <= maxHalfWidth) {
		return "met, interval too wide"
	}
	return verdict(holds)
}

// throughput is the table of a closed loop beside its peers.
func (w *writer) throughput(c comparison, promises []promise) {
	rounds := wholeRounds(w.samples, c.id, c.names())
	w.line("%d rounds; again: %s\n", len(rounds), w.command(c))
	w.enough(len(rounds))
	w.line("| side | operations per second, median | client CPU of an operation, median | server CPU |")
	w.line("|---|---|---|---|")
	for _, side := range c.names() {
		served := "not measured"
		if used := median(column(rounds, side, servedOf)); used > 0 {
			served = fmt.Sprintf("%.1f µs", used)
		}
		w.line("| %s | %.0f | %.1f µs | %s |", side, median(column(rounds, side, rateOf)), median(column(rounds, side, cpuOf)), served)
	}
	w.line("")
	w.verdicts(rounds, sideOurs)
	w.line("| ratio of throughput | median | mean | 95 %% interval | promised | |")
	w.line("|---|---|---|---|---|---|")
	ours := column(rounds, sideOurs, rateOf)
	for _, p := range promises {
		first, second := column(rounds, p.peer, rateOf), column(rounds, p.peer+again, rateOf)
		r := ratioOf(ours, means(first, second))
		got := r.median
		if p.of == "low" {
			got = r.low
		}
		w.beside("benchfleet by "+p.peer, r, fmt.Sprintf("%s ≥ %.2f", promiseWord(p.of), p.least), r.verdict(got >= p.least))
		w.beside(p.peer+" by itself", ratioOf(second, first), "", "")
	}
	wide := slices.Contains(c.names(), sidePgbenchWide)
	if wide {
		w.beside("benchfleet by "+sidePgbenchWide, ratioOf(ours, column(rounds, sidePgbenchWide, rateOf)), "", "")
	}
	cpu := column(rounds, sideOurs, cpuOf)
	r := ratioOf(cpu, means(column(rounds, sidePgbench, cpuOf), column(rounds, sidePgbench+again, cpuOf)))
	promised, word := "", ""
	if c.id != "tpcb" {
		promised, word = fmt.Sprintf("median ≤ %.1f", maxCPU), r.verdict(r.median <= maxCPU)
	}
	w.beside("client CPU of an operation, benchfleet by pgbench", r, promised, word)
	if wide {
		w.beside("client CPU of an operation, benchfleet by "+sidePgbenchWide, ratioOf(cpu, column(rounds, sidePgbenchWide, cpuOf)), "", "")
	}
	w.line("")
}

// enough says so when there are fewer rounds than promised.
func (w *writer) enough(rounds int) {
	if rounds < promisedRounds {
		w.line("**Only %d rounds; promised are %d.**\n", rounds, promisedRounds)
	}
}

// verdicts says what benchfleet itself thinks of its runs.
func (w *writer) verdicts(rounds []map[string]sample, sides ...string) {
	for _, side := range sides {
		levels, reasons := map[string]int{}, []string{}
		for _, round := range rounds {
			s := round[side]
			if s.Values["not_valid"] > 0 { // of samples that tell no more
				s.Verdict = "not VALID"
			}
			if s.Verdict != "" {
				levels[s.Verdict]++
				reasons = append(reasons, s.Reasons...)
			}
		}
		if len(levels) == 0 {
			w.line("The verdict of %s on its own runs: VALID in all rounds.\n", side)
			continue
		}
		var counts []string
		for _, level := range slices.Sorted(maps.Keys(levels)) {
			counts = append(counts, fmt.Sprintf("%s in %d", level, levels[level]))
		}
		text := ""
		if len(reasons) > 0 {
			text = fmt.Sprintf("; the first of the reasons: %q", reasons[0])
		}
		w.line("**The verdict of %s on its own runs is %s of %d rounds**%s.\n", side, strings.Join(counts, " and "), len(rounds), text)
	}
}

// beside is the row of a ratio.
func (w *writer) beside(what string, r ratio, promised, word string) {
	w.line("| %s | %.3f | %.3f | %s | %s | %s |", what, r.median, r.mean, interval(r), promised, word)
}

func promiseWord(of string) string {
	if of == "low" {
		return "lower end"
	}
	return of
}

// interval is an interval in words; one that is wider than promised says so.
func interval(r ratio) string {
	if math.IsNaN(r.low) {
		return "of one pair: none"
	}
	text := fmt.Sprintf("%.3f to %.3f", r.low, r.high)
	if r.halfWidth() > maxHalfWidth {
		text += fmt.Sprintf(", **half-width %.1f %%, above %.0f %%**", 100*r.halfWidth(), 100*maxHalfWidth)
	}
	return text
}

var titles = map[string]string{
	"reads-1": "Point reads, 1 connection", "reads-8": "Point reads, 8 connections", "reads-32": "Point reads, 32 connections",
	"tpcb":      "TPC-B-like transactions, 8 connections, scale 10",
	"open":      "Open loop",
	"stall":     "A target that stalls 1 s in every 10",
	"simulated": "Simulations",
}

// writeBetween puts text between the markers of a file.
func writeBetween(file, text string) error {
	whole, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, begun := strings.Cut(string(whole), beginMark)
	_, tail, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no line %s with a line %s behind it", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(head+beginMark+"\n\n"+text+endMark+tail), 0o644)
}
