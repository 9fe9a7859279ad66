package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
)

// maxPause is the longest time between two runs of a series.
const maxPause = time.Hour

// repeating are the flags of run that make a series of it.
type repeating struct {
	times    int // 0: one run
	varySeed bool
	pacing
}

func (r *repeating) add(cmd *cobra.Command) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[moreOutputs] = "md"
	cmd.Flags().IntVar(&r.times, "repeat", 0, fmt.Sprintf("make `N` runs, one after another, %d to %d, and sum them up", core.MinRepeats, core.MaxRepeats))
	cmd.Flags().BoolVar(&r.varySeed, "vary-seed", false, "with --repeat: each run has a seed of its own, the one before plus 1; else all make the same operations")
	r.pacing.add(cmd, 0, "with --repeat: ")
}

// check refuses what does not go together, before anything happens.
func (r *repeating) check(cmd *cobra.Command, output string, detach bool) error {
	if !cmd.Flags().Changed("repeat") {
		for _, flag := range []string{"vary-seed", "pause", "keep-going"} {
			if cmd.Flags().Changed(flag) {
				return usage("--%s is for --repeat, which is not given", flag)
			}
		}
		if output == "md" {
			return usage("--output is %q; allowed without --repeat: text, json", output)
		}
		return nil
	}
	if r.times < core.MinRepeats || r.times > core.MaxRepeats {
		return usage("--repeat is %d; allowed: %d to %d", r.times, core.MinRepeats, core.MaxRepeats)
	}
	if detach {
		return usage("--repeat and --detach do not go together: a detached run is driven by itself, and nobody would begin the next; give one of them")
	}
	return r.pacing.check()
}

// pacing is how the runs of a series follow each other.
type pacing struct {
	pause     time.Duration
	keepGoing bool
}

func (p *pacing) add(cmd *cobra.Command, pause time.Duration, when string) {
	cmd.Flags().DurationVar(&p.pause, "pause", pause, when+"wait for a `TIME` like 2s between two runs")
	cmd.Flags().BoolVar(&p.keepGoing, "keep-going", false, when+"go on after a run that FAILED")
}

func (p *pacing) check() error {
	if p.pause < 0 || p.pause > maxPause {
		return usage("--pause is %s; allowed: 0s to %s", p.pause, maxPause)
	}
	return nil
}

// entry is one run of a series: what to run, and what it is of the series.
type entry struct {
	core.Membership
	scenario core.Scenario
}

// repeat makes the runs of run --repeat.
func (a *app) repeat(ctx context.Context, found *admitted, r repeating) error {
	plan, err := core.PlanRepeat(r.times)
	if err != nil {
		return err
	}
	if last := int64(len(plan) - 1); r.varySeed && found.scenario.Load.Seed > math.MaxInt64-last {
		return usage("--vary-seed adds up to %d to load.seed, which is %d; allowed: up to %d", last, found.scenario.Load.Seed, math.MaxInt64-last)
	}
	group := NewRunID()
	var entries []entry
	for i, slot := range plan {
		e := entry{core.Membership{Group: group, Design: core.RepeatDesign, Slot: slot, Rounds: len(plan)}, found.scenario}
		if r.varySeed {
			e.scenario.Load.Seed += int64(i)
		}
		entries = append(entries, e)
	}
	return a.series(ctx, found, entries, r.pacing)
}

// series makes runs one after another, and shows what they say together, however it
// ends. An interrupt stops the present run and ends the series. What preflight and
// the flags refuse must have been refused before.
func (a *app) series(ctx context.Context, found *admitted, entries []entry, p pacing) error {
	if hangup := heard(syscall.SIGHUP); len(hangup) > 0 { // between two runs too
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, hangup...)
		defer stop()
	}
	a.drives = true
	group, ends := entries[0].Group, ending{}
	fmt.Fprintf(a.err, "group %s: %s\n", group, outlook(entries, p))
	for i, e := range entries {
		if i > 0 && !waited(ctx, p.pause) {
			ends.interrupted = true
			break
		}
		run := *found
		run.scenario = e.scenario
		run.scenario.Tags = e.Tagged(e.scenario.Tags)
		a.member(ctx, &run, e.Membership, &ends)
		if ends.over(p.keepGoing) || ctx.Err() != nil {
			break
		}
	}
	ends.interrupted = ends.interrupted || ctx.Err() != nil
	return a.seriesEnded(found.store, group, ends)
}

// waited waits between two runs; false: an interrupt came.
func waited(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// outlook says what a series will do.
func outlook(entries []entry, p pacing) string {
	text := fmt.Sprintf("%d runs", len(entries))
	if e := entries[0]; e.Design == core.ABDesign {
		text = fmt.Sprintf("%d rounds of A and B, by turns; the primary metric is %s", e.Rounds, e.Primary)
	}
	total := time.Duration(len(entries)-1) * p.pause
	for _, e := range entries {
		load := e.scenario.Load
		if load.Search != nil || load.Operations > 0 {
			return text // it ends when it is done, and nobody knows how long that takes
		}
		total += load.Warmup.Std() + load.Duration.Std() + load.Cooldown.Std()
	}
	return text + "; at least " + report.Span(total) + " in all"
}

// ending is how a series ends.
type ending struct {
	made        int
	codes       []int // of each run that has a code other than 0
	err         error // that ended it, and is to be said
	interrupted bool
}

// over reports whether the series ends after this run.
func (e *ending) over(keepGoing bool) bool {
	if e.err != nil || slices.Contains(e.codes, ExitCancelled) || slices.Contains(e.codes, ExitInternal) {
		return true
	}
	return !keepGoing && (slices.Contains(e.codes, ExitFailed) || slices.Contains(e.codes, ExitRefused))
}

// code is the exit code of the series: that of what is worst.
func (e *ending) code() int {
	codes := e.codes
	if e.interrupted {
		codes = append(slices.Clip(codes), ExitCancelled)
	}
	for _, code := range []int{ExitInternal, ExitCancelled, ExitRefused, ExitFailed, ExitInvalid, ExitSLO} {
		if slices.Contains(codes, code) {
			return code
		}
	}
	return ExitCompleted
}

// member makes one run of a series, and says in one line how it ended.
func (a *app) member(ctx context.Context, found *admitted, m core.Membership, ends *ending) {
	err := a.driveHere(ctx, found, here{
		id:  m.RunID(),
		say: m.String(),
		refuse: func(_ context.Context, err error) error {
			return cannotOpen(found.findings, err, a.sayRefusal)
		},
		ended: func(run core.Run, err error) error {
			ends.made++
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(context.Background(), showWait)
			defer cancel()
			return a.memberEnded(ctx, found.store, m, run)
		},
	})
	var exit *exitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.err == nil:
		ends.codes = append(ends.codes, exit.code)
	default:
		ends.err = err
	}
}

// sayRefusal says on stderr alone why something is refused: stdout is for the series.
func (a *app) sayRefusal(findings []core.Finding) error {
	a.sayRefused(findings)
	return exitWith(ExitRefused, nil)
}

// memberEnded says how one run of a series ended. The error carries its exit code.
func (a *app) memberEnded(ctx context.Context, store ports.Store, m core.Membership, run core.Run) error {
	result, err := a.loadResult(ctx, store, run)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s: %s %s", m, run.ID, run.Status)
	switch {
	case run.Reason == core.PreflightRefused:
		a.sayRefused(result.Run.Findings)
	case result.Parent != nil:
		total := core.Total(result.Parent.Kinds)
		text += fmt.Sprintf(" %s, %s op/s, p95 %s, %d errors", result.Parent.Verdict.Level, report.Rate(result.Parent.Throughput),
			report.Latency(total.Latency().Quantile(0.95)), total.Errors)
	}
	if run.Status != core.Completed {
		text += fmt.Sprintf(" (%s) %s", run.Reason, run.Detail)
	}
	fmt.Fprintln(a.err, report.Clean(text))
	if code := runExit(run, result.Parent); code != ExitCompleted {
		return exitWith(code, nil)
	}
	return nil
}

// seriesEnded shows what the runs say together, even to a user who has given up, and
// returns the error that carries the exit code.
func (a *app) seriesEnded(store ports.Store, group string, ends ending) error {
	var lost *runner.StoreLostError
	if ends.made == 0 || errors.As(ends.err, &lost) {
		if ends.err != nil {
			return ends.err
		}
		if ends.interrupted {
			return exitWith(ExitCancelled, errors.New("interrupted: no run was made"))
		}
		return exitWith(ends.code(), nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), showWait)
	defer cancel()
	err := a.showGroup(ctx, fromStore{store}, group)
	fmt.Fprintf(a.err, "read this again: benchfleet compare --group %s\n", group)
	if ends.err != nil {
		return errors.Join(ends.err, err)
	}
	if err != nil {
		return err
	}
	if code := ends.code(); code != ExitCompleted {
		return exitWith(code, nil)
	}
	return nil
}
