package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

type storedTemplate struct {
	id       string
	name     string
	template frozen[core.Template]
	version  int
	used     int64
	lastUsed time.Time
	created  time.Time
	updated  time.Time
}

type templates struct{ store *Store }

func (t *storedTemplate) record() (ports.TemplateRecord, error) {
	template, err := t.template.thaw()
	return ports.TemplateRecord{
		ID: t.id, Template: template, Version: t.version, Used: t.used, LastUsed: t.lastUsed,
		CreatedAt: t.created, UpdatedAt: t.updated,
	}, err
}

// findTemplate looks for a name first, then for an id.
func (d *data) findTemplate(nameOrID string) (*storedTemplate, error) {
	for _, t := range d.templates {
		if t.name == nameOrID {
			return t, nil
		}
	}
	if t := d.templates[nameOrID]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: memory: template %q", core.ErrNotFound, nameOrID)
}

func (t templates) Put(ctx context.Context, template core.Template) (ports.TemplateRecord, error) {
	return t.PutIf(ctx, template, core.TemplateCondition{})
}

func (t templates) PutIf(ctx context.Context, template core.Template, condition core.TemplateCondition) (record ports.TemplateRecord, err error) {
	err = t.store.do(ctx, func(d *data) error {
		text, err := freeze(template)
		if err != nil {
			return err
		}
		now := d.clock()
		stored := d.templateNamed(template.Name)
		old := cmp.Or(stored, &storedTemplate{})
		equal := bytes.Equal(old.template.text, text.text)
		if err := condition.Check(template.Name, stored != nil, old.version, old.used, equal); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
		switch {
		case stored == nil:
			d.putCount++
			stored = &storedTemplate{
				id: fmt.Sprintf("template-%d", d.putCount), name: template.Name,
				template: text, version: 1, created: now, updated: now,
			}
			d.templates[stored.id] = stored
		case !equal:
			stored.template, stored.updated = text, now
			stored.version++
		}
		record, err = stored.record()
		return err
	})
	return record, err
}

func (d *data) templateNamed(name string) *storedTemplate {
	for _, t := range d.templates {
		if t.name == name {
			return t
		}
	}
	return nil
}

func (t templates) Get(ctx context.Context, nameOrID string) (record ports.TemplateRecord, err error) {
	err = t.store.do(ctx, func(d *data) error {
		stored, err := d.findTemplate(nameOrID)
		if err != nil {
			return err
		}
		record, err = stored.record()
		return err
	})
	return record, err
}

func (t templates) List(ctx context.Context) (list []ports.TemplateRecord, err error) {
	err = t.store.do(ctx, func(d *data) error {
		for _, stored := range d.templates {
			record, err := stored.record()
			if err != nil {
				return err
			}
			list = append(list, record)
		}
		slices.SortFunc(list, func(a, b ports.TemplateRecord) int { return cmp.Compare(a.Template.Name, b.Template.Name) })
		return nil
	})
	return list, err
}

func (t templates) Delete(ctx context.Context, nameOrID string) error {
	return t.store.do(ctx, func(d *data) error {
		stored, err := d.findTemplate(nameOrID)
		if err != nil {
			return err
		}
		delete(d.templates, stored.id)
		return nil
	})
}

func (t templates) Used(ctx context.Context, id string) error {
	return t.store.do(ctx, func(d *data) error {
		stored := d.templates[id]
		if stored == nil {
			return fmt.Errorf("%w: memory: template %q", core.ErrNotFound, id)
		}
		stored.used++
		stored.lastUsed = d.clock()
		return nil
	})
}
