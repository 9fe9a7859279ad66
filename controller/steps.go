package controller

import (
	"context"
	"slices"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

// stepReads is how often the steps are read once a control event tells of one: it may
// be stored a little later.
const stepReads = 3

// Steps reads the steps of the run's search.
func (s *Service) Steps(ctx context.Context, id string) ([]client.Step, error) {
	if _, err := s.store.Load(ctx, id); err != nil {
		return nil, err
	}
	return s.steps(ctx, id)
}

func (s *Service) steps(ctx context.Context, id string) ([]client.Step, error) {
	steps, err := s.store.Steps(ctx, id)
	list := make([]client.Step, len(steps))
	for i := range steps {
		list[i] = stepOf(&steps[i])
	}
	return list, err
}

func stepOf(p *core.ControllerStep) client.Step {
	return client.Step{
		Type: p.Type, Number: p.Number, Workers: p.Workers, FromConnections: p.FromConnections, ToConnections: p.ToConnections,
		Direction: p.Direction, Start: utc(p.Start), End: utc(p.End), Operations: p.Operations, Throughput: round(p.QPS), Target: p.TargetQPS,
		P50: milliseconds(p.P50), P95: milliseconds(p.P95), P99: milliseconds(p.P99), Errors: p.Errors,
		VsPrior: p.QPSVsPrior, VsBaseline: p.P95VsBaseline, OffTarget: p.QPSErrorPercent,
		QueueDetected: p.QueueDetected, Outcome: p.Outcome, StopReason: p.StopReason,
	}
}

// stampedStep is one step and the version that has brought it.
type stampedStep struct {
	client.Step
	version int
}

// readSteps reads the steps at first, at the end, and when an event tells of one: runs
// without a search cost nothing.
func (p *publisher) readSteps(ctx context.Context, events []core.ControlEvent, terminal bool) ([]client.Step, error) {
	if slices.ContainsFunc(events, func(e core.ControlEvent) bool { return e.Type == core.EventStep }) {
		p.stepReads = stepReads
	}
	if p.version > 0 && p.stepReads == 0 && !terminal {
		return nil, nil
	}
	p.stepReads = max(0, p.stepReads-1)
	return p.service.steps(ctx, p.id)
}

// addStep adds a step that is not known.
func (p *publisher) addStep(s client.Step) {
	if !slices.ContainsFunc(p.steps, func(old stampedStep) bool { return old.Type == s.Type && old.Number == s.Number }) {
		p.steps = append(p.steps, stampedStep{s, p.version})
	}
}
