//go:build unix

package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// open is the table of the open loop.
func (w *writer) open(c comparison) {
	rounds := wholeRounds(w.samples, c.id, c.names())
	w.line("%d connections, %d rounds; again: %s\n", openConnections, len(rounds), w.command(c))
	w.enough(len(rounds))
	w.line("| benchfleet | due by the pacer's own schedule | started, the round that is worst | difference | promised | | more than 1 ms late, median and worst |")
	w.line("|---|---|---|---|---|---|---|")
	for _, side := range c.names()[:2] {
		worst, due, started := -1.0, 0.0, 0.0
		for _, round := range rounds {
			v := round[side].Values
			if off := math.Abs(v["started"]-v["due"]) / v["due"]; off > worst {
				worst, due, started = off, v["due"], v["started"]
			}
		}
		late := column(rounds, side, func(s sample) float64 { return s.Values["late"] / s.Values["started"] })
		w.line("| %s | %.0f | %.0f | %.4f %% | ≤ 0.1 %% | %s | %.2f %%, %.2f %% |", side, due, started, 100*worst, verdict(worst <= 0.001), 100*median(late), 100*slices.Max(late))
	}
	w.line("")
	w.verdicts(rounds, c.names()[:2]...)
	w.latencies(c, rounds)
	first, second := column(rounds, sidePgbenchPaced, valueOf("p50_ms")), column(rounds, sidePgbenchPaced+again, valueOf("p50_ms"))
	ours := ratioOf(column(rounds, sideOurs, valueOf("p50_ms")), means(first, second))
	self := ratioOf(second, first)
	w.line("The p50 of benchfleet (Poisson arrivals, as pgbench has them) is %.3f of that of pgbench -R, 95 %% interval %s; that of pgbench -R is %.3f of itself, %s.\n",
		ours.mean, interval(ours), self.mean, interval(self))
}

// latencies is the table of the quantiles of each side, medians over the rounds.
func (w *writer) latencies(c comparison, rounds []map[string]sample) {
	w.line("| side | operations per second | p50 | p90 | p95 | p99 | p99.9 |")
	w.line("|---|---|---|---|---|---|---|")
	for _, side := range c.names() {
		w.quantiles(rounds, side, "", side, median(column(rounds, side, rateOf)))
	}
	w.line("")
}

// quantiles is one row of quantiles, of values whose names begin with a prefix.
func (w *writer) quantiles(rounds []map[string]sample, side, prefix, name string, rate float64) {
	at := func(q string) float64 { return median(column(rounds, side, valueOf(prefix+q))) }
	w.line("| %s | %.0f | %.3f ms | %.3f ms | %.3f ms | %.3f ms | %.3f ms |", name, rate, at("p50_ms"), at("p90_ms"), at("p95_ms"), at("p99_ms"), at("p999_ms"))
}

// stall is the table of the target that stalls.
func (w *writer) stall(c comparison) {
	rounds := wholeRounds(w.samples, c.id, c.names())
	w.line("A proxy before the server passes nothing on in the last second of every ten. Open loops at %g operations per second over %d connections, closed ones with 2 connections; %d rounds of %d periods; again: %s\n",
		stallRate, stallConnections, len(rounds), stallPeriods, w.command(c))
	w.line("| side | operations per second | p50 | p90 | p95 | p99 | p99.9 |")
	w.line("|---|---|---|---|---|---|---|")
	w.quantiles(rounds, sideOurs, "model_", "the exact model", stallRate)
	for _, side := range c.names() {
		w.quantiles(rounds, side, "", side, median(column(rounds, side, rateOf)))
	}
	w.line("")
	worst := 0.0
	for _, q := range []string{"p95_ms", "p99_ms", "p999_ms"} {
		got, model := column(rounds, sideOurs, valueOf(q)), column(rounds, sideOurs, valueOf("model_"+q))
		for i := range got {
			worst = max(worst, math.Abs(got[i]/model[i]-1))
		}
	}
	w.line("Of p95, p99 and p99.9 in every round, the one farthest from the model is %.1f %% away from it. The model answers at once in its own time; the server has a burst of what has waited behind it after each stall.\n", 100*worst)
}

// simulated is the table of the simulations.
func (w *writer) simulated(c comparison) {
	rounds := wholeRounds(w.samples, c.id, c.names())
	w.line("Again: %s\n", w.command(c))
	w.line("| figure | measured |")
	w.line("|---|---|")
	last := rounds[len(rounds)-1]
	for _, side := range c.names() {
		values := last[side].Values
		for _, name := range slices.Sorted(maps.Keys(values)) {
			w.line("| %s: %s | %s |", side, name, short(values[name]))
		}
	}
	w.line("")
	w.line("| promise | |")
	w.line("|---|---|")
	for _, p := range simulationPromises(last) {
		w.line("| %s | %s |", p.text, verdict(p.holds))
	}
	w.line("")
}

// short is a figure with as many digits as say something.
func short(v float64) string {
	if v == math.Trunc(v) || v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// held is a promise of the simulations, and whether it holds.
type held struct {
	text  string
	holds bool
}

// What the simulations must keep.
const (
	maxHeapGrowth = 256  // KiB, of an hour
	maxTick       = 1000 // ms, of 1,000 workers
	maxBeatGrowth = 1.25 // counts have more digits, and histograms more buckets in use
)

// simulationPromises judges the simulations. A figure that is missing keeps nothing.
func simulationPromises(round map[string]sample) []held {
	hour, fleet := round[sideHour].Values, round[sideFleet].Values
	beat, later := hour["KiB-beat-of-5-min"], hour["KiB-beat-of-1-h"]
	list := []held{
		{fmt.Sprintf("an hour at 50,000 operations per second: memory at its end at most %d KiB above that after 5 minutes", maxHeapGrowth),
			hour["KiB-after-5-min"] > 0 && hour["KiB-after-1-h"] <= hour["KiB-after-5-min"]+maxHeapGrowth},
		{"no beat of the rest of that hour more than a quarter larger than the largest of the first 5 minutes", beat > 0 && later > 0 && later <= maxBeatGrowth*beat},
	}
	for _, store := range []string{"memory", "sqlite", "gateway"} {
		tick := fleet[store+":1000 max-tick-ms"]
		few, many := fleet[store+":10 max-statements/tick"], fleet[store+":1000 max-statements/tick"]
		list = append(list,
			held{fmt.Sprintf("1,000 workers on one processor, store %s: no tick longer than %d ms", store, maxTick), tick > 0 && tick <= maxTick},
			held{fmt.Sprintf("the same: no more statements in a tick than with 10 workers (%.0f and %.0f)", many, few), few > 0 && many > 0 && many <= few})
	}
	return list
}
