package sqlstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// Check compares the tables and columns of the store with those of sql/schema.
func (s *Store) Check(ctx context.Context) (findings []core.Finding, err error) {
	want, err := schema.Tables(s.d.DDL)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", core.ErrInternal, s.d.Name, err)
	}
	err = s.wrap(ctx, "reading the schema", func() error {
		have, err := Tables(ctx, s.read, s.d.ColumnsQuery)
		absent := ""
		if err != nil && s.d.Remote != nil {
			absent = s.d.Remote.Absent(err)
		}
		if absent != "" {
			findings = append(findings, s.missing(absent))
		} else if err != nil {
			return err
		}
		findings = append(findings, s.compare(want, have)...)
		return nil
	})
	return findings, err
}

// Tables reads what tables and columns there are, with a Dialect.ColumnsQuery.
func Tables(ctx context.Context, q sqlx.QueryerContext, columnsQuery string) ([]schema.Table, error) {
	var rows []struct {
		Table  string `db:"TABLE_NAME"`
		Column string `db:"COLUMN_NAME"`
	}
	if err := sqlx.SelectContext(ctx, q, &rows, columnsQuery); err != nil {
		return nil, err
	}
	var tables []schema.Table
	for _, r := range rows {
		at := slices.IndexFunc(tables, func(t schema.Table) bool { return t.Name == r.Table })
		if at < 0 {
			tables = append(tables, schema.Table{Name: r.Table})
			at = len(tables) - 1
		}
		tables[at].Columns = append(tables[at].Columns, schema.Column{Name: r.Column})
	}
	return tables, nil
}

// compare makes one finding for each missing table and column.
func (s *Store) compare(want, have []schema.Table) []core.Finding {
	var findings []core.Finding
	missing := func(what string) { findings = append(findings, s.missing("the store has no "+what)) }
	for _, table := range want {
		at := slices.IndexFunc(have, func(t schema.Table) bool { return strings.EqualFold(t.Name, table.Name) })
		if at < 0 {
			missing("table " + table.Name)
			continue
		}
		for _, column := range table.Columns {
			if !have[at].Has(column.Name) {
				missing("column " + table.Name + "." + column.Name)
			}
		}
	}
	if findings == nil {
		findings = []core.Finding{{
			ID: "store.schema", Severity: core.SeverityOK, Message: fmt.Sprintf("all %d tables are there with their columns", len(want)),
		}}
	}
	return findings
}

func (s *Store) missing(message string) core.Finding {
	return core.Finding{ID: "store.schema", Severity: core.SeverityError, Message: message, Mend: s.d.Mend}
}

// Probe writes and removes a log line of no run, one after the other, and
// returns the store's clock.
func (s *Store) Probe(ctx context.Context) (now time.Time, err error) {
	var r row
	r.set("RUN_ID", "")
	r.set("WORKER_ID", "probe-"+rand.Text())
	r.set("SEQ", 0)
	r.set("LEVEL", "PROBE")
	err = s.unit(ctx, "trying to write", func(q sqlx.ExtContext) error {
		if err := s.probeControl(ctx, q); err != nil {
			return err
		}
		return s.insertRows(ctx, q, table{name: "TEST_LOGS"}, []row{r})
	})
	if err != nil {
		return now, err
	}
	err = s.unit(ctx, "trying to write", func(q sqlx.ExtContext) error {
		_, err := q.ExecContext(ctx, s.write.Rebind("DELETE FROM "+s.d.Table("TEST_LOGS")+" WHERE RUN_ID = '' AND LEVEL = 'PROBE'"))
		if err != nil {
			return err
		}
		now, err = s.now(ctx, q)
		return err
	})
	return now, err
}

// probeControl finds out, in a remote database, whether the control tables may be
// written: privileges are granted by table. It changes no row.
func (s *Store) probeControl(ctx context.Context, q sqlx.ExtContext) error {
	if s.d.Remote == nil {
		return nil
	}
	_, err := q.ExecContext(ctx, "UPDATE "+s.d.Table("RUN_STATUS")+" SET UPDATED_AT = UPDATED_AT WHERE RUN_ID = ''")
	return err
}
