package cli

import (
	"context"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/spf13/cobra"
)

func (a *app) remoteEvents(ctx context.Context, c *client.Client, _ *cobra.Command, args []string) error {
	var all []core.ControlEvent
	for after := int64(0); ; after = all[len(all)-1].Sequence {
		page, err := c.Events(ctx, args[0], after)
		if err != nil {
			return err
		}
		if all = append(all, page.Items...); page.Next == "" || len(page.Items) == 0 {
			break
		}
	}
	if a.json() {
		return report.EventsJSON(a.out, all)
	}
	return report.EventsText(a.out, all, a.layout()...)
}

func (a *app) remoteCompare(ctx context.Context, c *client.Client, _ *cobra.Command, args []string) error {
	document, err := c.Compare(ctx, args, a.output)
	if err != nil {
		return err
	}
	if a.json() {
		return a.indented(document)
	}
	_, err = a.out.Write(document)
	return err
}

func (a *app) remoteStatus(ctx context.Context, c *client.Client, _ *cobra.Command, args []string) error {
	far, err := newFarRun(ctx, c, args[0])
	if err != nil {
		return err
	}
	shown, err := far.status(ctx, c)
	if err != nil {
		return err
	}
	if a.json() {
		return report.StatusJSON(a.out, shown)
	}
	return report.StatusText(a.out, shown, a.layout()...)
}

// remoteLogs shows lines as they are stored, those of living workers too. Followed,
// they are read again with some overlap: lines of several writers are not stored in
// the order of their times.
func (a *app) remoteLogs(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) error {
	worker, err := cmd.Flags().GetString("worker")
	if err != nil {
		return err
	}
	follow, err := cmd.Flags().GetBool("follow")
	if err != nil {
		return err
	}
	shown, newest := map[lineID]bool{}, time.Time{}
	tick := time.NewTicker(watchGap)
	defer tick.Stop()
	for {
		run, err := c.Run(ctx, args[0]) // before its lines: what is read of an ended run is all
		if err != nil {
			return err
		}
		lines, err := readRemote(ctx, c, args[0], worker, newest)
		if err != nil {
			return err
		}
		if a.json() && !follow {
			return writeJSON(a.out, append([]ports.LogLine{}, lines...))
		}
		for _, l := range lines {
			if id := (lineID{l.WorkerID, l.Sequence}); !shown[id] {
				shown[id] = true
				if err := a.showLine(l); err != nil {
					return err
				}
			}
		}
		if n := len(lines); n > 0 {
			newest = lines[n-1].Time
		}
		if !follow || run.Status.Terminal() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type lineID struct {
	worker   string
	sequence int64
}

// logOverlap is how much of the log is read again when it is followed.
const logOverlap = 5 * time.Second

// readRemote reads the stored lines of a run from a little before a time, at most
// maxLogLines.
func readRemote(ctx context.Context, c *client.Client, id, worker string, newest time.Time) (lines []ports.LogLine, err error) {
	after := ""
	if !newest.IsZero() {
		after = newest.Add(-logOverlap).Format(time.RFC3339Nano)
	}
	for len(lines) < maxLogLines {
		page, err := c.Logs(ctx, id, worker, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, l := range page.Items {
			lines = append(lines, ports.LogLine{RunID: id, WorkerID: l.WorkerID, Sequence: l.Sequence, Time: l.Time, Level: l.Level, Message: l.Message})
		}
		if after = page.Next; after == "" {
			break
		}
	}
	slices.SortStableFunc(lines, func(x, y ports.LogLine) int { return x.Time.Compare(y.Time) })
	return lines, nil
}

// farRun is a run that a controller tells of, with what never changes of it.
type farRun struct {
	id       string
	scenario core.Scenario
}

func newFarRun(ctx context.Context, c *client.Client, id string) (farRun, error) {
	scenario, err := c.Scenario(ctx, id)
	return farRun{id, scenario}, err
}

// status is where the run stands.
func (f farRun) status(ctx context.Context, c *client.Client) (report.Status, error) {
	run, err := c.Run(ctx, f.id)
	if err != nil {
		return report.Status{}, err
	}
	workers, err := c.Workers(ctx, f.id)
	if err != nil {
		return report.Status{}, err
	}
	s := report.Status{Scenario: f.scenario, Now: run.Now}
	s.Run, s.Workers = f.run(run), healthsOf(workers.Items)
	for i, w := range s.Workers {
		if i < len(s.Run.Workers) {
			s.Run.Workers[i].Life, s.Run.Workers[i].State, s.Run.Workers[i].Message = w.Life, w.State, w.LastError
		}
	}
	return s, nil
}

// run is what a controller tells of a run as the machine has it.
func (f farRun) run(r client.Run) core.Run {
	run := core.NewRun(r.ID, f.scenario.Plan())
	run.Status, run.Phase, run.PhaseAt, run.Reason, run.Detail = r.Status, r.Phase, moment(r.PhaseAt), r.Reason, r.Detail
	run.StartedAt, run.Origin, run.Until, run.Deadline, run.EndedAt = moment(r.StartedAt), moment(r.LoadFrom), moment(r.LoadUntil), moment(r.Deadline), moment(r.EndedAt)
	run.StopBy, run.StopAt, run.Sequence, run.Findings = r.StopBy, moment(r.StopAt), r.Sequence, r.Findings
	run.Owner, run.OwnerEpoch, run.OwnerLeaseUntil = r.Owner, r.OwnerEpoch, moment(r.OwnerUntil)
	_ = run.Rung.UnmarshalText([]byte(r.Rung)) // one that is not known is not shown
	return run
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func healthsOf(workers []client.Worker) []core.WorkerHealth {
	list := make([]core.WorkerHealth, len(workers))
	for i, w := range workers {
		life := core.Life(w.Life)
		switch w.Life {
		case "": // a frame leaves out what is as usual
			life = core.Ready
		case "PLANNED":
			life = core.Planned
		}
		target := w.Target
		if target == 0 {
			target = w.Connections
		}
		list[i] = core.WorkerHealth{
			ID: w.ID, Life: life, State: w.State, Health: w.Health, Age: time.Duration(w.Age * float64(time.Second)),
			Connections: w.Connections, Target: target, Throughput: w.Throughput, CPU: w.CPU, Memory: w.Memory,
			Errors: w.Errors, LastError: w.LastError, Ending: w.Ending,
		}
	}
	return list
}
