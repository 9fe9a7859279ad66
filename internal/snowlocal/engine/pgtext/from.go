package pgtext

import (
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// valuesSelect writes VALUES as a query with Snowflake's names of the columns.
func (w *writer) valuesSelect(v *sqltext.Values) {
	w.put("SELECT * FROM (")
	w.values(v)
	w.put(`) AS "VALUES" (`, valuesColumns(v), ")")
}

func valuesColumns(v *sqltext.Values) string {
	names := make([]string, len(v.Rows[0]))
	for i := range names {
		names[i] = Quote("COLUMN" + strconv.Itoa(i+1))
	}
	return strings.Join(names, ", ")
}

func (w *writer) values(v *sqltext.Values) {
	w.put("VALUES ")
	for i, row := range v.Rows {
		if len(row) != len(v.Rows[0]) {
			w.fail(1003, "42000", "SQL compilation error:\nThe rows of VALUES have different numbers of columns.")
		}
		if i > 0 {
			w.put(", ")
		}
		w.put("(")
		w.list(row)
		w.put(")")
	}
}

func (w *writer) froms(list []sqltext.From) {
	for i, f := range list {
		if i > 0 {
			w.put(", ")
		}
		w.from(f)
	}
}

func (w *writer) from(f sqltext.From) {
	switch f := f.(type) {
	case *sqltext.Table:
		w.fromTable(f)
	case *sqltext.Derived:
		w.derived(f)
	case *sqltext.TableCall:
		w.tableCall(f)
	case *sqltext.Join:
		w.join(f)
	}
}

func (w *writer) join(j *sqltext.Join) {
	w.put("(")
	w.from(j.L)
	w.put(" ", j.Kind, " JOIN ")
	w.from(j.R)
	switch {
	case j.On != nil:
		w.put(" ON ")
		w.expr(j.On)
	case j.Using != nil:
		w.put(" USING")
		w.columns(j.Using)
	case j.Kind == "LEFT" || j.Kind == "RIGHT" || j.Kind == "FULL":
		w.put(" ON TRUE")
	}
	w.put(")")
}

func (w *writer) aliased(alias sqltext.Name, columns []sqltext.Name) {
	if alias.Text != "" {
		w.put(" AS ", Quote(alias.Text))
		w.columns(columns)
	}
}

func (w *writer) fromTable(t *sqltext.Table) {
	if len(t.Name.Parts) == 1 && w.isCTE(t.Name.Parts[0].Text) {
		w.put(Quote(t.Name.Parts[0].Text))
	} else {
		w.put(w.table(t.Name))
	}
	w.aliased(t.Alias, t.Columns)
}

func (w *writer) isCTE(name string) bool {
	for _, scope := range w.scopes {
		if scope[name] {
			return true
		}
	}
	return false
}

func (w *writer) derived(d *sqltext.Derived) {
	if d.Lateral {
		w.put("LATERAL ")
	}
	alias := d.Alias
	if alias.Text == "" { // PostgreSQL wants one; nobody can use this
		alias.Text = "sf.q" + strconv.Itoa(w.b.Len())
	}
	if v, ok := d.Query.Body.(*sqltext.Values); ok && bare(d.Query) {
		w.put("(")
		w.values(v)
		w.put(") AS ", Quote(alias.Text))
		if d.Columns == nil {
			w.put(" (", valuesColumns(v), ")")
		}
		w.columns(d.Columns)
		return
	}
	w.put("(")
	w.query(d.Query)
	w.put(")")
	w.aliased(alias, d.Columns)
}

func bare(q *sqltext.Query) bool {
	return q.With == nil && q.Order == nil && q.Limit == nil && q.Offset == nil && q.Lock == nil
}
