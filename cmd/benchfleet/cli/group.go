package cli

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// groups is where the runs of a group are read from: the store, or a controller.
type groups interface {
	// search lists runs whose id or name contains the text, at most maxRuns.
	search(ctx context.Context, text string) ([]ports.RunSummary, error)
	// result is the result of a run; of one that has none, its scenario and where it
	// stands.
	result(ctx context.Context, r ports.RunSummary) (core.Rollup, error)
}

type fromStore struct{ store ports.Store }

func (s fromStore) search(ctx context.Context, text string) ([]ports.RunSummary, error) {
	return s.store.List(ctx, ports.RunFilter{Search: text, Limit: maxRuns})
}

func (s fromStore) result(ctx context.Context, r ports.RunSummary) (core.Rollup, error) {
	parent, _, err := s.store.Rollup(ctx, r.ID)
	if core.CodeOf(err) != core.NotFound && (err != nil || parent.Scenario != nil) {
		return parent, err
	}
	record, err := s.store.Load(ctx, r.ID)
	return withoutResult(r, record.Scenario), err
}

type fromController struct{ client *client.Client }

func (c fromController) search(ctx context.Context, text string) ([]ports.RunSummary, error) {
	list, err := c.client.Runs(ctx, client.RunFilter{Search: text, Limit: maxRuns})
	return summariesOf(list.Items), err
}

func (c fromController) result(ctx context.Context, r ports.RunSummary) (core.Rollup, error) {
	rollup, err := c.client.Rollup(ctx, r.ID)
	if core.CodeOf(err) != core.NotFound && (err != nil || rollup.Run.Scenario != nil) {
		return rollup.Run, err
	}
	scenario, err := c.client.Scenario(ctx, r.ID)
	return withoutResult(r, scenario), err
}

// withoutResult is what is known of a run without a result.
func withoutResult(r ports.RunSummary, scenario core.Scenario) core.Rollup {
	return core.Rollup{RunID: r.ID, Name: r.Name, Status: r.Status, Reason: r.Reason, Detail: r.Detail, Scenario: &scenario}
}

// experiment reads the runs of a group. Their ids begin with its name.
func experiment(ctx context.Context, from groups, group string) (core.Experiment, error) {
	runs, err := from.search(ctx, group+"-")
	if err != nil {
		return core.Experiment{}, err
	}
	var results []core.Rollup
	for _, r := range runs {
		result, err := from.result(ctx, r)
		if core.CodeOf(err) == core.NotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return core.Experiment{}, err
		}
		results = append(results, result)
	}
	e, err := core.GatherExperiment(group, results)
	if core.CodeOf(err) == core.NotFound {
		err = fmt.Errorf("%w; see: benchfleet runs", err)
	}
	return e, err
}

// showGroup shows what the runs of a group say together.
func (a *app) showGroup(ctx context.Context, from groups, group string) error {
	e, err := experiment(ctx, from, group)
	if err != nil {
		return err
	}
	return a.showExperiment(e)
}

func (a *app) showExperiment(e core.Experiment) error {
	if a.output == "html" {
		return usage("--output is %q; allowed for a group: text, json, md", a.output)
	}
	if e.Design == core.ABDesign {
		r, err := e.AB()
		switch {
		case err != nil:
			return err
		case a.json():
			return report.ABJSON(a.out, r)
		case a.output == "md":
			return report.ABMarkdown(a.out, r)
		}
		return report.ABText(a.out, r, a.layout()...)
	}
	r, err := e.Repetition()
	switch {
	case err != nil:
		return err
	case a.json():
		return report.RepetitionJSON(a.out, r)
	case a.output == "md":
		return report.RepetitionMarkdown(a.out, r)
	}
	return report.RepetitionText(a.out, r, a.layout()...)
}
