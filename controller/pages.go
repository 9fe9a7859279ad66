package controller

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// Course is how a run went: its intervals, all workers together, and its errors by
// class, most first.
type Course struct {
	Points  []report.Point
	Classes []client.ErrorClass
}

// Course reads the course of a run, as far as it is known.
func (s *Service) Course(ctx context.Context, id string) (Course, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return Course{}, err
	}
	totals, err := s.totalsOf(ctx, record)
	c := Course{Points: report.PointsOf(totals), Classes: slices.Collect(maps.Values(classesOf(totals)))}
	slices.SortFunc(c.Classes, func(a, b client.ErrorClass) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
	return c, err
}

func classesOf(totals []ports.IntervalTotal) map[string]client.ErrorClass {
	classes := map[string]client.ErrorClass{}
	for i := range totals {
		for _, f := range totals[i].Failures {
			known := classes[f.Class]
			known.Class, known.Count = f.Class, known.Count+f.Count
			if f.Example != "" {
				known.Example = f.Example
			}
			classes[f.Class] = known
		}
	}
	return classes
}

// ProblemOf is an error as the API and the pages tell it.
func ProblemOf(err error) *client.Problem { return problemOf(err) }

// Whole is the result of a run with its course: what documents show.
func (s *Service) Whole(ctx context.Context, id string) (report.Result, error) {
	var totals []ports.IntervalTotal
	var totalsErr error
	var beside sync.WaitGroup
	beside.Go(func() { totals, totalsErr = report.ReadTotals(ctx, s.store, id) })
	result, err := s.Result(ctx, id)
	beside.Wait()
	if err = cmp.Or(err, totalsErr); err != nil {
		return report.Result{}, err
	}
	result.Points = report.PointsOf(totals)
	for after := int64(0); ; {
		page, err := s.store.Events(ctx, id, after)
		if err != nil {
			return report.Result{}, err
		}
		result.Events = append(result.Events, page...)
		if len(page) < maxEvents {
			break
		}
		after = page[len(page)-1].Sequence
	}
	result.Made = s.made()
	return result, nil
}

func (s *Service) made() string {
	return "made " + time.Now().UTC().Format("2006-01-02 15:04:05Z") + " by benchfleet " + s.Build.ID
}

// The number of runs that are compared at once.
const (
	MinCompared = 2
	MaxCompared = 5
)

// Compare compares runs, the others with the first. Errors: Refused for a run that
// has no result.
func (s *Service) Compare(ctx context.Context, ids []string) (report.Comparison, error) {
	if len(ids) < MinCompared || len(ids) > MaxCompared {
		return report.Comparison{}, fmt.Errorf("%w: %d runs are to be compared; allowed: %d to %d", core.ErrInvalid, len(ids), MinCompared, MaxCompared)
	}
	var results []core.Rollup
	var series []*report.Series
	for _, id := range ids {
		result, err := s.Result(ctx, id)
		if err != nil {
			return report.Comparison{}, err
		}
		if result.Parent == nil {
			return report.Comparison{}, fmt.Errorf("%w: run %s has no result to compare: it is %s", core.ErrRefused, id, result.Run.Status)
		}
		one, err := s.seriesOf(ctx, id)
		if err != nil {
			return report.Comparison{}, err
		}
		results, series = append(results, *result.Parent), append(series, one)
	}
	comparison, err := report.Compare(results, series)
	comparison.Made = s.made()
	return comparison, err
}
