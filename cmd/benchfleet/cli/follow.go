package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// received is one frame of a stream, or why there is none.
type received struct {
	frame client.Frame
	err   error
}

// follow shows a run as its controller tells of it, a line for each interval, until
// it ends. Requests to stop it are handed on.
func (a *app) follow(ctx context.Context, c *client.Client, id string, stops <-chan core.StopRequested) (client.Frame, error) {
	ctx, cancel := context.WithCancel(ctx)
	frames := make(chan received)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for f, err := range c.Watch(ctx, id, "") {
			select {
			case frames <- received{f, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		<-ended
	}()
	var before client.Frame
	for {
		select {
		case <-ctx.Done():
			return before, ctx.Err()
		case stop := <-stops:
			request := client.StopRun{Reason: "interrupted: " + stop.By, Kill: stop.Rung >= core.Kill}
			if _, err := c.StopRun(ctx, id, request); err != nil {
				fmt.Fprintln(a.err, "benchfleet: the run could not be stopped:", err)
			}
		case r := <-frames:
			if r.err != nil {
				return before, r.err
			}
			a.showFrame(before, r.frame)
			if before = r.frame; r.frame.End {
				return before, nil
			}
		case <-ended:
			return before, fmt.Errorf("%w: the stream of run %s ended before the run did", core.ErrUnavailable, id)
		}
	}
}

// showFrame says what is new.
func (a *app) showFrame(before, f client.Frame) {
	if f.Run.Status != before.Run.Status {
		fmt.Fprintf(a.err, "the run is %s\n", f.Run.Status)
	}
	if before.Run.OwnerAlive && !f.Run.OwnerAlive && !f.Run.Status.Terminal() {
		fmt.Fprintln(a.err, "nobody drives the run: an orchestrator has to take it over")
	}
	for _, w := range f.Workers {
		if w.Health == core.Lost {
			fmt.Fprintf(a.err, "%s is LOST: its newest word is %.0f s old\n", report.Clean(w.ID), w.Age)
		}
	}
	for _, i := range f.Intervals {
		fmt.Fprintf(a.err, "%-11s  %9s  %9s op/s  p50 %.3g ms  p95 %.3g ms  p99 %.3g ms  %d errors  %d workers healthy\n",
			report.Clean(string(i.Phase)), report.Span(time.Duration(i.Elapsed*float64(time.Second)).Round(100*time.Millisecond)),
			report.Rate(i.Throughput), i.Latency.P50, i.Latency.P95, i.Latency.P99, i.Errors, i.Healthy)
	}
}

// indented writes JSON as every other command does.
func (a *app) indented(document []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, document, "", "  "); err != nil {
		return fmt.Errorf("%w: the controller's answer is no JSON: %w", core.ErrInternal, err)
	}
	_, err := a.out.Write(append(bytes.TrimRight(out.Bytes(), "\n"), '\n'))
	return err
}

// summariesOf are the runs of a list as a store has them.
func summariesOf(list []client.RunSummary) []ports.RunSummary {
	runs := make([]ports.RunSummary, len(list))
	for i, r := range list {
		runs[i] = ports.RunSummary{
			ID: r.ID, Name: r.Name, Status: r.Status, Phase: r.Phase, Reason: r.Reason, Detail: r.Detail, Launcher: r.Launcher,
			Workers: r.Workers, Owner: r.Owner, OwnerAlive: r.OwnerAlive, CreatedAt: r.CreatedAt, StartedAt: moment(r.StartedAt), EndedAt: moment(r.EndedAt),
			TotalOps: r.Operations, Errors: r.Errors, QPS: r.Throughput,
		}
	}
	return runs
}
