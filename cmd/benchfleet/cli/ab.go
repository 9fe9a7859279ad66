package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/spf13/cobra"
)

// The settings of ab unless they are given.
const (
	defaultRounds = 10
	settlePause   = time.Second
)

// abFlags are the flags of ab beside those that change both templates.
type abFlags struct {
	both       overrides
	setA, setB []string
	rounds     int
	metric     string
	of         string
	pacing
}

func (a *app) abCommand() *cobra.Command {
	var f abFlags
	cmd := &cobra.Command{
		Use:   "ab TEMPLATE_A TEMPLATE_B",
		Short: "Run two templates by turns, and say whether one is better and how sure that is",
		Long: `Runs two templates in rounds, each of them once in each round, one right after the other.
In half of the rounds A is first and in half of them B, in an order that is drawn. Then it
says of each metric how B stands beside A, with a 95% interval, and the smallest change
that would have been seen. Both may be the same template, with --set-b saying what is to
differ, or nothing at all: then there is nothing to be found, and it should find nothing.

All flags that change a template change both; --set-a and --set-b change one.

--metric names the primary metric, before anything is measured: it shows a difference
where there is none in at most 5 of 100 experiments, with 8 rounds or more however runs
vary. All others are tested together, and one or more of them does so in at most 5 of 100.

Both templates are checked before the first run. Ctrl-C stops the present run and ends
the experiment, with what there is; a round counts when both of its runs do.

` + abExitHelp,
		Example: `  benchfleet ab oltp oltp --set-b load.connections=16 --rounds 10
  benchfleet ab oltp oltp-new --metric "POINT_LOOKUP p99" --duration 30s
  benchfleet ab oltp oltp --rounds 6                # an A/A: there is nothing to find
  benchfleet ab --of GROUP --output md              # read it again`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.of != "" {
				return noArguments(cmd, args)
			}
			return exactly("TEMPLATE_A", "TEMPLATE_B")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.of != "" {
				return a.abOf(cmd.Context(), cmd, f)
			}
			return a.ab(cmd.Context(), args, f)
		},
	}
	cmd.Annotations = map[string]string{moreOutputs: "md"}
	f.both.add(cmd)
	a.addHealth(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.rounds, "rounds", defaultRounds, fmt.Sprintf("make `N` rounds, %d to %d; less than 3 give no interval", core.MinRounds, core.MaxRounds))
	flags.StringArrayVar(&f.setA, "set-a", nil, "`KEY=VALUE` changes one field of A only, after all else; repeatable")
	flags.StringArrayVar(&f.setB, "set-b", nil, "`KEY=VALUE` changes one field of B only, after all else; repeatable")
	flags.StringVar(&f.metric, "metric", "", "the primary `METRIC`: throughput, p50, p95, p99 or error_rate, also of a kind, like \"UPDATE p99\"; of searches also max_connections or max_qps (default what searches look for; else throughput, or p95 where a rate is given)")
	flags.StringVar(&f.of, "of", "", "run nothing, and read the experiment of this `GROUP` again")
	f.pacing.add(cmd, settlePause, "")
	return cmd
}

// abExitHelp is shown by --help.
const abExitHelp = `Exit codes: 0 whatever the difference is; 3 when it was interrupted or a run was cancelled,
4 when preflight refused a run, 5 when a run failed, 7 when a verdict is INVALID, 6 when a run
missed an SLO; 1 and 2 as everywhere.`

// abOf reads an experiment again. What is for an experiment to be made is refused.
func (a *app) abOf(ctx context.Context, cmd *cobra.Command, f abFlags) error {
	names := []string{"rounds", "set", "set-a", "set-b", "metric", "pause", "keep-going", findMaxFlag, "launcher", "health"}
	for _, o := range overrideFlags {
		names = append(names, o.name)
	}
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return usage("--%s is for an experiment that is to be made, and --of reads one that was: give one of them", name)
		}
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	e, err := experiment(ctx, fromStore{store}, f.of)
	if err != nil {
		return err
	}
	if e.Design != core.ABDesign {
		return usage("--of is %q, which is no experiment of ab; see: benchfleet compare --group %s", f.of, f.of)
	}
	return a.showExperiment(e)
}

// ab makes an A/B experiment.
func (a *app) ab(ctx context.Context, names []string, f abFlags) error {
	if f.rounds < core.MinRounds || f.rounds > core.MaxRounds {
		return usage("--rounds is %d; allowed: %d to %d", f.rounds, core.MinRounds, core.MaxRounds)
	}
	if err := f.pacing.check(); err != nil {
		return err
	}
	sides := map[string]*admitted{}
	for i, side := range []string{core.SideA, core.SideB} {
		found, err := a.admitSide(ctx, names[i], side, f)
		if err != nil {
			return err
		}
		defer found.store.Close()
		sides[side] = found
	}
	if err := a.onlyEndpoint(sides[core.SideA].scenario.Target.Endpoint, sides[core.SideB].scenario.Target.Endpoint); err != nil {
		return err
	}
	primary, err := core.PrimaryMetric(f.metric, sides[core.SideA].scenario, sides[core.SideB].scenario)
	if err != nil {
		return usage("--metric: %w", err)
	}
	for _, side := range []string{core.SideA, core.SideB} {
		findings, err := a.preflight(ctx, sides[side])
		if err != nil {
			return cannotOpen(sides[side].findings, err, a.refusedSide(side))
		}
		if core.Refusal(findings) != "" {
			return a.refusedSide(side)(findings)
		}
	}
	group := NewRunID()
	plan, err := core.PlanAB(f.rounds, core.HashString(0, group))
	if err != nil {
		return err
	}
	var entries []entry
	for _, slot := range plan {
		m := core.Membership{Group: group, Design: core.ABDesign, Slot: slot, Rounds: f.rounds, Primary: primary}
		entries = append(entries, entry{m, sides[slot.Side].scenario})
	}
	return a.series(ctx, sides[core.SideA], entries, f.pacing)
}

// admitSide admits the template of one side.
func (a *app) admitSide(ctx context.Context, name, side string, f abFlags) (*admitted, error) {
	o := f.both
	o.several = true
	own := f.setA
	if side == core.SideB {
		own = f.setB
	}
	o.set = append(slices.Clip(o.set), own...)
	found, err := a.admit(ctx, name, &o, a.refusedSide(side))
	if err != nil && err.Error() != "" { // else it was said
		err = exitWith(exitCode(err), fmt.Errorf("%s: %w", side, err))
	}
	return found, err
}

// refusedSide shows findings that refuse one side.
func (a *app) refusedSide(side string) refuse {
	return func(findings []core.Finding) error {
		fmt.Fprintf(a.err, "benchfleet: %s is refused, and no run was made\n", side)
		return a.refused(findings)
	}
}
