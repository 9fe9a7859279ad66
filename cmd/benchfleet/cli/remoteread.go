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

func (a *app) remoteCompare(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) error {
	group, err := cmd.Flags().GetString("group")
	if err != nil {
		return err
	}
	if group != "" {
		return a.showGroup(ctx, fromController{c}, group)
	}
	document, err := c.Compare(ctx, args, a.output)
	return a.showDocument(document, err)
}

// showDocument shows what a controller has made.
func (a *app) showDocument(document []byte, err error) error {
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
	document, err := c.Status(ctx, args[0], a.output)
	return a.showDocument(document, err)
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

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
