package controller

import (
	"bytes"
	"context"
	"slices"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// statusReach is how far back the newest interval is looked for, in seconds.
const statusReach = 30

// StatusDocument says where a run stands in one of the forms json, text.
func (s *Service) StatusDocument(ctx context.Context, id, form string) (Document, error) {
	status, err := s.status(ctx, id)
	if err != nil {
		return Document{}, err
	}
	var body bytes.Buffer
	d := Document{Media: "application/json", Name: "status-" + fileName(id) + "." + extension(form)}
	switch form {
	case "json":
		err = escapedJSON.Marshal(&body, report.StatusOf(status))
	case "text":
		d.Media, err = "text/plain; charset=utf-8", report.StatusText(&body, status)
	default:
		err = unknownForm(form, []string{"json", "text"})
	}
	d.Body = body.Bytes()
	return d, err
}

// status reads what is shown of a run, from the store alone.
func (s *Service) status(ctx context.Context, id string) (report.Status, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return report.Status{}, err
	}
	beats, now, err := s.store.Beats(ctx, id, nil)
	if err != nil {
		return report.Status{}, err
	}
	interval := record.Scenario.Load.Interval.Std()
	after := 0.0
	if !record.Run.Origin.IsZero() && !record.Run.Status.Terminal() {
		after = max(0, now.Sub(record.Run.Origin).Seconds()-statusReach)
	}
	intervals, err := s.store.Aggregates(ctx, id, after)
	return report.Status{
		Run: record.Run, Scenario: record.Scenario, Now: now, Workers: core.HealthOf(record.Run, beats, now, interval),
		Interval: newestWhole(intervals, interval.Seconds()/2),
	}, err
}

// newestWhole is the last interval that is long enough to show, or the last at all.
func newestWhole(intervals []ports.RunInterval, seconds float64) *ports.RunInterval {
	for i := range slices.Backward(intervals) {
		if intervals[i].Seconds >= seconds {
			return &intervals[i]
		}
	}
	if len(intervals) == 0 {
		return nil
	}
	return &intervals[len(intervals)-1]
}
