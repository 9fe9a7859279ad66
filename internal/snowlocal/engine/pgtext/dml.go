package pgtext

import (
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// Insert writes an INSERT.
func Insert(c *Context, i *sqltext.Insert) (*Text, error) {
	return write(c, func(w *writer) {
		if v, ok := i.Source.Body.(*sqltext.Values); ok {
			w.checkValues(v)
		}
		w.put("INSERT INTO ", w.table(i.Table))
		w.columns(i.Columns)
		w.put(" ")
		if v, ok := i.Source.Body.(*sqltext.Values); ok && bare(i.Source) {
			w.values(v)
			return
		}
		w.query(i.Source)
	})
}

// checkValues refuses what VALUES of an INSERT must not hold.
func (w *writer) checkValues(v *sqltext.Values) {
	for _, row := range v.Rows {
		for _, x := range row {
			walk(x, func(x sqltext.Expr) {
				switch x := x.(type) {
				case *sqltext.Call:
					if name := x.Name.Last(); semiFunctions[name] || functionTypes[name] == "VARIANT" {
						w.fail(2014, "22000", "SQL compilation error:\nInvalid expression [%s(...)] in VALUES clause", name)
					}
				case *sqltext.ArrayOf:
					w.fail(2014, "22000", "SQL compilation error:\nInvalid expression [ARRAY_CONSTRUCT(...)] in VALUES clause")
				case *sqltext.ObjectOf:
					w.fail(2014, "22000", "SQL compilation error:\nInvalid expression [OBJECT_CONSTRUCT(...)] in VALUES clause")
				}
			})
		}
	}
}

// semiFunctions make semi-structured data.
var semiFunctions = map[string]bool{
	"PARSE_JSON": true, "TRY_PARSE_JSON": true, "OBJECT_CONSTRUCT": true, "OBJECT_CONSTRUCT_KEEP_NULL": true, "ARRAY_CONSTRUCT": true,
	"TO_VARIANT": true, "TO_OBJECT": true, "TO_ARRAY": true, "OBJECT_INSERT": true, "ARRAY_APPEND": true, "ARRAY_CAT": true, "SPLIT": true,
}

// Update writes an UPDATE.
func Update(c *Context, u *sqltext.Update) (*Text, error) {
	return write(c, func(w *writer) {
		w.put("UPDATE ", w.table(u.Table))
		w.aliased(u.Alias, nil)
		w.put(" SET ")
		w.sets(u.Sets)
		if len(u.From) > 0 {
			w.put(" FROM ")
			w.froms(u.From)
		}
		w.where(u.Where)
	})
}

func (w *writer) sets(sets []sqltext.Set) {
	for i, s := range sets {
		if i > 0 {
			w.put(", ")
		}
		w.put(Quote(s.Column.Text), " = ")
		w.expr(s.Value)
	}
}

func (w *writer) where(x sqltext.Expr) {
	if x != nil {
		w.put(" WHERE ")
		w.expr(x)
	}
}

// Delete writes a DELETE.
func Delete(c *Context, d *sqltext.Delete) (*Text, error) {
	return write(c, func(w *writer) {
		w.put("DELETE FROM ", w.table(d.Table))
		w.aliased(d.Alias, nil)
		if len(d.Using) > 0 {
			w.put(" USING ")
			w.froms(d.Using)
		}
		w.where(d.Where)
	})
}

// Merge writes a MERGE.
func Merge(c *Context, m *sqltext.Merge) (*Text, error) {
	return write(c, func(w *writer) {
		w.put("MERGE INTO ", w.table(m.Table))
		w.aliased(m.Alias, nil)
		w.put(" USING ")
		w.from(m.Source)
		w.put(" ON ")
		w.expr(m.On)
		for _, when := range m.Whens {
			w.put(" WHEN")
			if !when.Matched {
				w.put(" NOT")
			}
			w.put(" MATCHED")
			if when.And != nil {
				w.put(" AND ")
				w.expr(when.And)
			}
			w.put(" THEN ")
			w.mergeAction(when)
		}
	})
}

func (w *writer) mergeAction(when sqltext.MergeWhen) {
	switch when.Action {
	case "UPDATE":
		w.put("UPDATE SET ")
		w.sets(when.Sets)
	case "DELETE":
		w.put("DELETE")
	default:
		w.put("INSERT")
		w.columns(when.Columns)
		w.put(" VALUES (")
		w.list(when.Values)
		w.put(")")
	}
}

// walk visits an expression and what is in it, but not queries.
func walk(x sqltext.Expr, visit func(sqltext.Expr)) {
	if x == nil {
		return
	}
	visit(x)
	for _, child := range children(x) {
		walk(child, visit)
	}
}

func children(x sqltext.Expr) []sqltext.Expr {
	switch x := x.(type) {
	case *sqltext.Call:
		var list []sqltext.Expr
		for _, a := range x.Args {
			if a.Value != nil {
				list = append(list, a.Value)
			}
		}
		return list
	case *sqltext.Cast:
		return []sqltext.Expr{x.X}
	case *sqltext.Unary:
		return []sqltext.Expr{x.X}
	case *sqltext.Binary:
		return []sqltext.Expr{x.L, x.R}
	case *sqltext.In:
		return append([]sqltext.Expr{x.X}, x.List...)
	case *sqltext.Between:
		return []sqltext.Expr{x.X, x.Low, x.High}
	case *sqltext.Like:
		return append([]sqltext.Expr{x.X}, x.Any...)
	case *sqltext.Is:
		return []sqltext.Expr{x.X}
	case *sqltext.Get:
		return []sqltext.Expr{x.X}
	case *sqltext.Row:
		return x.List
	case *sqltext.ArrayOf:
		return x.List
	case *sqltext.Case:
		var list []sqltext.Expr
		if x.Of != nil {
			list = append(list, x.Of)
		}
		for _, when := range x.Whens {
			list = append(list, when.If, when.Then)
		}
		if x.Else != nil {
			list = append(list, x.Else)
		}
		return list
	}
	return nil
}

func hasAggregate(x sqltext.Expr) bool {
	found := false
	walk(x, func(x sqltext.Expr) {
		if c, ok := x.(*sqltext.Call); ok && c.Over == nil && aggregates[c.Name.Last()] {
			found = true
		}
	})
	return found
}
