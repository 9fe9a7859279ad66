package controller

import (
	"context"
	"slices"
	"sync"

	"github.com/benchfleet/benchfleet/report"
)

// seriesKept are the series of runs that were compared last. Making one reads every
// histogram of its run, and a comparison is looked at, and then saved.
type seriesKept struct {
	mu   sync.Mutex
	list []keptSeries // the one that was asked for last is the last
}

type keptSeries struct {
	id     string
	series *report.Series // not to be changed
}

// seriesOf is the series of a run that has a result, which changes no more.
func (s *Service) seriesOf(ctx context.Context, id string) (*report.Series, error) {
	series := s.compared.find(id)
	if series == nil {
		var err error
		if series, err = report.ReadSeries(ctx, s.store, id); err != nil {
			return nil, err
		}
	}
	s.compared.keep(id, series)
	return series, nil
}

func (k *seriesKept) find(id string) *report.Series {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := k.index(id); i >= 0 {
		return k.list[i].series
	}
	return nil
}

// keep keeps as many as one comparison is of.
func (k *seriesKept) keep(id string, series *report.Series) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := k.index(id); i >= 0 {
		k.list = slices.Delete(k.list, i, i+1)
	}
	k.list = append(k.list, keptSeries{id, series})
	if n := len(k.list) - MaxCompared; n > 0 {
		k.list = slices.Delete(k.list, 0, n)
	}
}

func (k *seriesKept) index(id string) int {
	return slices.IndexFunc(k.list, func(s keptSeries) bool { return s.id == id })
}
