package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// Series reads what charts show of a run: every interval of all its workers
// together.
func (s *Service) Series(ctx context.Context, id string) (*report.Series, error) {
	if _, err := s.store.Load(ctx, id); err != nil {
		return nil, err
	}
	return report.ReadSeries(ctx, s.store, id)
}

// Whole is the result of a run with its course: what documents show.
func (s *Service) Whole(ctx context.Context, id string) (report.Result, error) {
	result, err := s.Result(ctx, id)
	if err != nil {
		return report.Result{}, err
	}
	series, err := report.ReadSeries(ctx, s.store, id)
	if err != nil {
		return report.Result{}, err
	}
	result.Points = series.Points
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
		one, err := report.ReadSeries(ctx, s.store, id)
		if err != nil {
			return report.Comparison{}, err
		}
		results, series = append(results, *result.Parent), append(series, one)
	}
	comparison, err := report.Compare(results, series)
	comparison.Made = s.made()
	return comparison, err
}
