package controller

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/templatefile"
)

// ParseTemplate reads one template from text, YAML or JSON. The error names every
// problem with its line.
func ParseTemplate(text []byte) (core.Template, error) {
	templates, err := templatefile.Parse("template", text)
	if err != nil {
		return core.Template{}, err
	}
	if len(templates) != 1 {
		return core.Template{}, fmt.Errorf("%w: the text holds %d templates; allowed: one", core.ErrInvalid, len(templates))
	}
	return templates[0], nil
}

// CreateTemplate stores a new template. Errors: Conflict when there is one of that
// name.
func (s *Service) CreateTemplate(ctx context.Context, t core.Template) (client.Template, error) {
	if err := t.Validate(); err != nil {
		return client.Template{}, err
	}
	_, err := s.store.Templates().Get(ctx, t.Name)
	switch {
	case err == nil:
		return client.Template{}, fmt.Errorf("%w: there is a template %s already", core.ErrConflict, t.Name)
	case core.CodeOf(err) != core.NotFound:
		return client.Template{}, err
	}
	record, err := s.store.Templates().Put(ctx, t)
	if err != nil {
		return client.Template{}, err
	}
	return templateOf(record), nil
}

// Template reads a template by name or id.
func (s *Service) Template(ctx context.Context, nameOrID string) (client.Template, error) {
	record, err := s.store.Templates().Get(ctx, nameOrID)
	if err != nil {
		return client.Template{}, err
	}
	return templateOf(record), nil
}

// Templates lists all templates by name.
func (s *Service) Templates(ctx context.Context) ([]client.Template, error) {
	records, err := s.store.Templates().List(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]client.Template, len(records))
	for i, r := range records {
		list[i] = templateOf(r)
	}
	return list, nil
}

func templateOf(r ports.TemplateRecord) client.Template {
	return client.Template{
		ID: r.ID, Name: r.Template.Name, Version: r.Version, Used: r.Used, Locked: r.Used > 0, LastUsed: utc(r.LastUsed),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Config: r.Template,
	}
}
