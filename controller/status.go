package controller

import (
	"bytes"
	"context"

	"github.com/benchfleet/benchfleet/report"
)

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
	status, _, err := report.ReadStatus(ctx, s.store, record)
	return status, err
}
