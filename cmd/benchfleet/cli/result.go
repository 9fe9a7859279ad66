package cli

import (
	"bufio"
	"context"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/spf13/cobra"
)

func (a *app) resultCommand() *cobra.Command {
	cmd := a.reading("result RUN", "Show the result of a run: numbers, verdict, stop certificate", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		record, err := loadRun(ctx, store, args[0])
		if err != nil {
			return err
		}
		result, err := a.loadResult(ctx, store, record.Run)
		if err != nil {
			return err
		}
		write, document := documents[a.output]
		if !document {
			return a.showResult(result)
		}
		if err := a.loadSeries(ctx, store, &result); err != nil {
			return err
		}
		result.Made = a.made(record.Now)
		return buffered(a.out, func(w io.Writer) error { return write(w, result) })
	})
	cmd.Long = `Shows what is stored of a run's result; of a run that goes on, what is known so far.

With --output html it is one file with charts of the whole run, which opens without
a network and prints well. csv is one table of everything that was counted: the run,
its kinds, its workers and each of its intervals, told apart by the column "scope".
md is for tickets and wikis.`
	cmd.Example = `  benchfleet result RUN
  benchfleet result RUN --output html > result.html
  benchfleet result RUN --output csv > result.csv`
	cmd.Annotations = map[string]string{moreOutputs: "html csv md"}
	return cmd
}

// documents are the outputs that show the whole time series of a run.
var documents = map[string]func(io.Writer, report.Result) error{
	"html": report.HTML, "csv": report.CSV, "md": report.Markdown,
}

// loadSeries reads the intervals and control events of a run.
func (a *app) loadSeries(ctx context.Context, store ports.Store, result *report.Result) error {
	totals, err := report.ReadTotals(ctx, store, result.Run.ID)
	if err != nil {
		return err
	}
	result.Points = report.PointsOf(totals)
	result.Events, err = readEvents(ctx, store, result.Run.ID)
	return err
}

// made says when, by the store's clock, and by what a document was made.
func (a *app) made(now time.Time) string {
	return "made " + now.UTC().Format("2006-01-02 15:04:05Z") + " by benchfleet " + a.shownBuild()
}

// buffered writes a document of many small parts in a few large ones.
func buffered(w io.Writer, write func(io.Writer) error) error {
	out := bufio.NewWriter(w)
	if err := write(out); err != nil {
		return err
	}
	return out.Flush()
}
