package controller

import (
	"context"
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
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
	record, err := s.store.Templates().PutIf(ctx, t, core.TemplateCondition{New: true})
	if err != nil {
		return client.Template{}, err
	}
	return templateOf(record), nil
}

// PutTemplate replaces a template, or stores a new one. version, unless it is 0, is
// the one that must be replaced. Errors: Conflict when it is another; Refused for one
// that was used: its runs would not be what it says any more.
func (s *Service) PutTemplate(ctx context.Context, name string, t core.Template, version int) (client.Template, error) {
	if err := t.Validate(); err != nil {
		return client.Template{}, err
	}
	if t.Name != name {
		return client.Template{}, fmt.Errorf("%w: name is %q in the template and %.100q in the address", core.ErrInvalid, t.Name, name)
	}
	stored, err := s.store.Templates().Get(ctx, name)
	switch code := core.CodeOf(err); {
	case code == core.NotFound: // PutIf says what that means
	case err != nil:
		return client.Template{}, err
	case stored.Template.Name != name:
		return client.Template{}, fmt.Errorf("%w: %.100q is the id of the template %s: use its name", core.ErrInvalid, name, stored.Template.Name)
	}
	record, err := s.store.Templates().PutIf(ctx, t, core.TemplateCondition{Version: version, Unused: true})
	if err != nil {
		return client.Template{}, err
	}
	return templateOf(record), nil
}

// CopyTemplate stores a copy under another name.
func (s *Service) CopyTemplate(ctx context.Context, nameOrID, name string) (client.Template, error) {
	record, err := s.store.Templates().Get(ctx, nameOrID)
	if err != nil {
		return client.Template{}, err
	}
	record.Template.Name = name
	return s.CreateTemplate(ctx, record.Template)
}

// DeleteTemplate removes a template; runs keep their scenario.
func (s *Service) DeleteTemplate(ctx context.Context, nameOrID, by string) error {
	if err := s.store.Templates().Delete(ctx, nameOrID); err != nil {
		return err
	}
	s.Logger.Info("template deleted", "template", nameOrID, "by", by)
	return nil
}

// ValidateTemplate says what is wrong with a template's text.
func ValidateTemplate(text []byte) client.Validation {
	t, err := ParseTemplate(text)
	v := client.Validation{Valid: err == nil, Name: t.Name, Problems: []client.ProblemField{}}
	if err != nil {
		p := problemOf(err)
		if v.Problems = append(v.Problems, p.Errors...); len(v.Problems) == 0 {
			v.Problems = append(v.Problems, client.ProblemField{Message: p.Detail})
		}
	}
	return v
}

// TemplateText is a stored template as YAML, ready to be edited. The store keeps no
// comments.
func (s *Service) TemplateText(ctx context.Context, nameOrID string) ([]byte, error) {
	record, err := s.store.Templates().Get(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	return templatefile.Format(record.Template)
}

// BuiltIn are the names of the templates that come with benchfleet.
func BuiltIn() []string { return library.Names() }

// BuiltInText is a template that comes with benchfleet, with its comments. Errors:
// NotFound.
func BuiltInText(name string) ([]byte, error) { return library.Source(name) }

// Template reads a template by name or id.
func (s *Service) Template(ctx context.Context, nameOrID string) (client.Template, error) {
	record, err := s.store.Templates().Get(ctx, nameOrID)
	if err != nil {
		return client.Template{}, err
	}
	return templateOf(record), nil
}

// Templates lists templates by name: those with a text in name or description, in
// whatever case.
func (s *Service) Templates(ctx context.Context, search string) ([]client.Template, error) {
	records, err := s.store.Templates().List(ctx)
	if err != nil {
		return nil, err
	}
	list := []client.Template{}
	search = strings.ToLower(search)
	for _, r := range records {
		if strings.Contains(strings.ToLower(r.Template.Name+"\n"+r.Template.Description), search) {
			list = append(list, templateOf(r))
		}
	}
	return list, nil
}

func templateOf(r ports.TemplateRecord) client.Template {
	return client.Template{
		ID: r.ID, Name: r.Template.Name, Version: r.Version, Used: r.Used, Locked: r.Used > 0, LastUsed: utc(r.LastUsed),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Config: r.Template,
	}
}
