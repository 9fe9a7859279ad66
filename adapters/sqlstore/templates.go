package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// templates is the TemplateStore of a Store.
type templates struct{ store *Store }

type templateRow struct {
	ID        string  `db:"TEMPLATE_ID"`
	Version   int     `db:"VERSION"`
	Used      int64   `db:"USAGE_COUNT"`
	LastUsed  instant `db:"LAST_USED_AT"`
	CreatedAt instant `db:"CREATED_AT"`
	UpdatedAt instant `db:"UPDATED_AT"`
	Config    *string `db:"CONFIG"`
}

// selectTemplates reads templateRows.
func (t templates) selectText(rest string) string {
	s := t.store
	return s.read.Rebind("SELECT TEMPLATE_ID, VERSION, USAGE_COUNT, LAST_USED_AT, CREATED_AT, UPDATED_AT, CONFIG FROM " +
		s.d.Table("TEST_TEMPLATES") + " " + rest)
}

func (t templates) record(r *templateRow) (record ports.TemplateRecord, err error) {
	record = ports.TemplateRecord{
		ID: r.ID, Version: r.Version, Used: r.Used, LastUsed: r.LastUsed.Time,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
	return record, t.store.decode("template "+r.ID, r.Config, &record.Template)
}

// Put creates a template or replaces the one of that name, if it is still the one
// that was read.
func (t templates) Put(ctx context.Context, template core.Template) (ports.TemplateRecord, error) {
	return t.PutIf(ctx, template, core.TemplateCondition{})
}

// PutIf does so if the condition holds of that one.
func (t templates) PutIf(ctx context.Context, template core.Template, condition core.TemplateCondition) (record ports.TemplateRecord, err error) {
	s := t.store
	config, err := s.encode("template "+template.Name, template)
	if err != nil {
		return record, err
	}
	tags, err := s.encode("tags", template.Tags)
	if err != nil {
		return record, err
	}
	err = s.durably(ctx, "storing template "+template.Name, func(q sqlx.ExtContext) error {
		for range maxAttempts {
			stored, done, err := t.put(ctx, q, template, condition, config, tags)
			if err != nil {
				return err
			}
			if done {
				record, err = t.record(&stored)
				return err
			}
		}
		return fmt.Errorf("%w: %s: template %q is changed by others all the time", core.ErrConflict, s.d.Name, template.Name)
	})
	return record, err
}

// put is one attempt, and returns what is stored then; done is false when another
// was faster.
func (t templates) put(ctx context.Context, q sqlx.ExtContext, template core.Template, condition core.TemplateCondition, config, tags string) (stored templateRow, done bool, err error) {
	found, err := get(ctx, q, &stored, t.selectText("WHERE TEMPLATE_NAME = ?"), template.Name)
	if err != nil {
		return stored, false, err
	}
	equal, err := t.equal(&stored, found, config)
	if err == nil {
		err = condition.Check(template.Name, found, stored.Version, stored.Used, equal)
	}
	if err != nil || equal {
		return stored, equal, err
	}
	now, err := t.store.now(ctx, q)
	if err != nil {
		return stored, false, err
	}
	var changed int64
	if found {
		changed, err = t.replace(ctx, q, template, condition, stored, config, tags, now)
	} else {
		if stored.ID, err = newTemplateID(); err != nil {
			return stored, false, err
		}
		stored.CreatedAt = instant{now}
		changed, err = t.create(ctx, q, template, stored.ID, config, tags, now)
	}
	stored.Version, stored.UpdatedAt, stored.Config = stored.Version+1, instant{now}, &config
	return stored, changed == 1, err
}

// equal compares templates as we would write them, not as the database does.
func (t templates) equal(stored *templateRow, found bool, config string) (bool, error) {
	if !found {
		return false, nil
	}
	record, err := t.record(stored)
	if err != nil {
		return false, err
	}
	text, err := t.store.encode("template", record.Template)
	return text == config, err
}

func (t templates) create(ctx context.Context, q sqlx.ExtContext, template core.Template, id, config, tags string, now time.Time) (int64, error) {
	s := t.store
	var r row
	r.set("TEMPLATE_ID", id)
	r.set("TEMPLATE_NAME", template.Name)
	r.set("DESCRIPTION", template.Description)
	r.set("VERSION", 1)
	r.set("CREATED_AT", s.stamp(now))
	r.set("UPDATED_AT", s.stamp(now))
	r.set("TAGS", tags)
	r.set("CONFIG", config)
	return s.insertIf(ctx, q, table{name: "TEST_TEMPLATES", key: []string{"TEMPLATE_NAME"}}, []row{r})
}

// newTemplateID is random: the same name, deleted and put again, is another
// template.
func newTemplateID() (string, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	return "template-" + hex.EncodeToString(id[:]), nil
}

func (t templates) replace(ctx context.Context, q sqlx.ExtContext, template core.Template, condition core.TemplateCondition, old templateRow, config, tags string, now time.Time) (int64, error) {
	s := t.store
	unused := ""
	if condition.Unused { // a use raises no version
		unused = " AND USAGE_COUNT = 0"
	}
	result, err := q.ExecContext(ctx, s.write.Rebind("UPDATE "+s.d.Table("TEST_TEMPLATES")+
		" SET DESCRIPTION = ?, VERSION = VERSION + 1, UPDATED_AT = "+s.mark("TEST_TEMPLATES", "UPDATED_AT")+
		", TAGS = "+s.mark("TEST_TEMPLATES", "TAGS")+", CONFIG = "+s.mark("TEST_TEMPLATES", "CONFIG")+" WHERE TEMPLATE_ID = ? AND VERSION = ?"+unused),
		template.Description, s.stamp(now), tags, config, old.ID, old.Version)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Get reads one template: by name first, then by id.
func (t templates) Get(ctx context.Context, nameOrID string) (record ports.TemplateRecord, err error) {
	err = t.store.wrap(ctx, "reading template "+nameOrID, func() error {
		r, err := t.find(ctx, t.store.read, nameOrID)
		if err != nil {
			return err
		}
		record, err = t.record(&r)
		return err
	})
	return record, err
}

func (t templates) find(ctx context.Context, q sqlx.QueryerContext, nameOrID string) (r templateRow, err error) {
	found, err := get(ctx, q, &r, t.selectText("WHERE TEMPLATE_NAME = ? OR TEMPLATE_ID = ? ORDER BY CASE WHEN TEMPLATE_NAME = ? THEN 0 ELSE 1 END LIMIT 1"),
		nameOrID, nameOrID, nameOrID)
	if err == nil && !found {
		err = t.store.notFound("template %q", nameOrID)
	}
	return r, err
}

// List returns all templates, by name.
func (t templates) List(ctx context.Context) (list []ports.TemplateRecord, err error) {
	err = t.store.wrap(ctx, "listing templates", func() error {
		var rows []templateRow
		if err := sqlx.SelectContext(ctx, t.store.read, &rows, t.selectText("ORDER BY TEMPLATE_NAME")); err != nil {
			return err
		}
		for i := range rows {
			record, err := t.record(&rows[i])
			if err != nil {
				return err
			}
			list = append(list, record)
		}
		return nil
	})
	return list, err
}

// Delete removes one template by name or id.
func (t templates) Delete(ctx context.Context, nameOrID string) error {
	s := t.store
	return s.unit(ctx, "deleting template "+nameOrID, func(q sqlx.ExtContext) error {
		r, err := t.find(ctx, q, nameOrID)
		if err != nil {
			return err
		}
		return t.change(ctx, q, nameOrID, "DELETE FROM "+s.d.Table("TEST_TEMPLATES")+" WHERE TEMPLATE_ID = ?", r.ID)
	})
}

// Used counts a use.
func (t templates) Used(ctx context.Context, id string) error {
	s := t.store
	return s.unit(ctx, "counting a use of template "+id, func(q sqlx.ExtContext) error {
		at, args := s.d.Now, []any{id}
		if s.d.Clock != nil {
			now, err := s.now(ctx, q)
			if err != nil {
				return err
			}
			at, args = s.mark("TEST_TEMPLATES", "LAST_USED_AT"), []any{s.stamp(now), id}
		}
		return t.change(ctx, q, id, "UPDATE "+s.d.Table("TEST_TEMPLATES")+
			" SET USAGE_COUNT = USAGE_COUNT + 1, LAST_USED_AT = "+at+" WHERE TEMPLATE_ID = ?", args...)
	})
}

// change executes a statement that changes one template. Errors: NotFound when it
// did not.
func (t templates) change(ctx context.Context, q sqlx.ExtContext, name, statement string, args ...any) error {
	result, err := q.ExecContext(ctx, t.store.write.Rebind(statement), args...)
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	if err == nil && changed == 0 {
		err = t.store.notFound("template %q", name)
	}
	return err
}
