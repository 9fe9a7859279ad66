package controller

import (
	"context"

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
