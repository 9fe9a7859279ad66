package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// received is one frame of a stream, or why there is none.
type received struct {
	frame client.Frame
	err   error
}

// follow shows a run as its controller tells of it, until it ends, and takes away what
// shows it. Requests to stop it are handed on.
func (a *app) follow(ctx context.Context, c *client.Client, id string, display *Display, stops <-chan core.StopRequested) (client.Frame, error) {
	defer display.Close()
	scenario, err := c.Scenario(ctx, id)
	if err != nil {
		return client.Frame{}, err
	}
	far := &farRun{scenario: scenario}
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
				fmt.Fprintln(display, "benchfleet: the run could not be stopped:", err)
			}
		case r := <-frames:
			if r.err != nil {
				return before, r.err
			}
			showFrame(display, far, r.frame)
			if before = r.frame; r.frame.End {
				return before, nil
			}
		case <-ended:
			return before, fmt.Errorf("%w: the stream of run %s ended before the run did", core.ErrUnavailable, id)
		}
	}
}

// showFrame shows what is new, as the live view of a run that is driven here.
func showFrame(display *Display, far *farRun, f client.Frame) {
	for _, o := range far.observe(f) {
		display.Observe(o)
	}
	if f.Run.Owner != "" && !f.Run.OwnerAlive && !f.Run.Status.Terminal() {
		display.Note("nobody drives the run: an orchestrator has to take it over")
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
