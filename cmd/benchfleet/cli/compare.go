package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/spf13/cobra"
)

func (a *app) compareCommand() *cobra.Command {
	var group string
	which := func(cmd *cobra.Command, args []string) error {
		if group == "" {
			return severalRuns(cmd, args)
		}
		return noArguments(cmd, args)
	}
	cmd := a.reading("compare RUN RUN…", "Compare two to five runs with the first of them, or those of a group", which, func(ctx context.Context, store ports.Store, args []string) error {
		if group != "" {
			return a.showGroup(ctx, fromStore{store}, group)
		}
		comparison, err := a.loadComparison(ctx, store, args)
		if err != nil {
			return err
		}
		switch a.output {
		case "json":
			return report.CompareJSON(a.out, comparison)
		case "html":
			return buffered(a.out, func(w io.Writer) error { return report.CompareHTML(w, comparison) })
		case "md":
			return report.CompareMarkdown(a.out, comparison)
		default:
			return report.CompareText(a.out, comparison, a.layout()...)
		}
	})
	cmd.Long = `Holds runs against the first one named: throughput, latency and errors, of all kinds of
operations together and of each. Every difference has a 95% interval, from how much
the numbers of both runs moved about from one stretch of time to the next, and takes
into account that a second depends on the one before. Where the interval holds zero no
difference is seen, and it says how large one would have had to be.

With --group GROUP it says what the runs of run --repeat or of ab say together, as those
commands did at their end, however they ended.`
	cmd.Example = `  benchfleet compare RUN RUN
  benchfleet compare RUN RUN RUN --output html > comparison.html
  benchfleet compare --group GROUP --output md`
	cmd.Annotations = map[string]string{moreOutputs: "html md"}
	cmd.Flags().StringVar(&group, "group", "", "the runs of this `GROUP`, of run --repeat or ab")
	return cmd
}

// severalRuns takes two to five ids of runs.
func severalRuns(cmd *cobra.Command, args []string) error {
	if len(args) < core.MinCompared || len(args) > core.MaxCompared {
		return usage("%s takes %d to %d runs, got %d\nSee: %s --help", cmd.CommandPath(), core.MinCompared, core.MaxCompared, len(args), cmd.CommandPath())
	}
	names := strings.Split(strings.Repeat("RUN ", len(args)), " ")[:len(args)]
	return exactly(names...)(cmd, args)
}

// loadComparison reads the runs and compares them.
func (a *app) loadComparison(ctx context.Context, store ports.Store, ids []string) (report.Comparison, error) {
	var results []core.Rollup
	var series []*report.Series
	made := ""
	for _, id := range ids {
		record, err := loadRun(ctx, store, id)
		if err != nil {
			return report.Comparison{}, err
		}
		result, err := a.loadResult(ctx, store, record.Run)
		if err != nil {
			return report.Comparison{}, err
		}
		if result.Parent == nil {
			return report.Comparison{}, fmt.Errorf("%w: run %s has no result to compare: it is %s", core.ErrRefused, id, record.Run.Status)
		}
		s, err := report.ReadSeries(ctx, store, id)
		if err != nil {
			return report.Comparison{}, err
		}
		results, series, made = append(results, *result.Parent), append(series, s), a.made(record.Now)
	}
	comparison, err := report.Compare(results, series)
	comparison.Made = made
	return comparison, err
}
