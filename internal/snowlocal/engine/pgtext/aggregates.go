package pgtext

import (
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

func (w *writer) countCall(c *sqltext.Call) {
	switch {
	case c.Star:
		w.put("count(*)")
	case c.Distinct && len(c.Args) > 1:
		w.put("count(DISTINCT (")
		w.args(c)
		w.put("))")
	default:
		w.count(c, 1, 1)
		w.put("count(")
		if c.Distinct {
			w.put("DISTINCT ")
		}
		w.put(w.typed(c.Args[0].Value, "text"), ")")
	}
	if c.Over != nil {
		w.over(c)
	}
}

// average has six digits more than its numbers, as far as they are decimals.
func (w *writer) average(c *sqltext.Call) {
	w.count(c, 1, 1)
	w.put("sf.averaged(avg(")
	if c.Distinct {
		w.put("DISTINCT ")
	}
	w.put(w.arithmetic(c.Args[0].Value), ")")
	if c.Over != nil {
		w.over(c)
	}
	w.put(")")
}

func (w *writer) listAgg(c *sqltext.Call) {
	w.count(c, 1, 2)
	w.put("coalesce(string_agg(")
	if c.Distinct {
		w.put("DISTINCT ")
	}
	w.put("sf.to_text(", w.typed(c.Args[0].Value, "text"), "), ")
	if len(c.Args) > 1 {
		w.put(w.typed(c.Args[1].Value, "text"))
	} else {
		w.put("''")
	}
	w.orderBy(c.Within)
	w.put(")")
	if c.Over != nil {
		w.over(c)
	}
	w.put(", '')")
}

func (w *writer) percentile(c *sqltext.Call) {
	w.count(c, 1, 1)
	if len(c.Within) != 1 {
		w.fail(1003, "42000", "SQL compilation error:\nsyntax error: %s needs WITHIN GROUP (ORDER BY …).", c.Name.Last())
	}
	w.put(strings.ToLower(c.Name.Last()), "((")
	w.expr(c.Args[0].Value)
	w.put(")::float8) WITHIN GROUP (ORDER BY ")
	if c.Name.Last() == "PERCENTILE_CONT" {
		w.put("(")
		w.expr(c.Within[0].X)
		w.put(")::float8")
		if c.Within[0].Desc {
			w.put(" DESC")
		}
	} else {
		w.orders(c.Within)
	}
	w.put(")")
	if c.Over != nil {
		w.unsupported("%s as a window function", c.Name.Last())
	}
}

func (w *writer) arrayAgg(c *sqltext.Call) {
	w.count(c, 1, 1)
	x := w.variant(c.Args[0].Value)
	w.put("coalesce(jsonb_agg(")
	if c.Distinct {
		w.put("DISTINCT ")
	}
	w.put(x)
	w.orderBy(c.Within)
	w.put(") FILTER (WHERE ", x, " IS NOT NULL), '[]'::jsonb)")
}

func (w *writer) objectConstruct(c *sqltext.Call) {
	if c.Star {
		w.unsupported("OBJECT_CONSTRUCT(*)")
	}
	if len(c.Args)%2 != 0 {
		w.fail(2141, "42601", "SQL compilation error:\nInvalid number of arguments for OBJECT_CONSTRUCT: keys and values come in pairs")
	}
	fn := "sf.object("
	if c.Name.Last() == "OBJECT_CONSTRUCT_KEEP_NULL" {
		fn = "("
	}
	w.put(fn, "jsonb_build_object(")
	for i, a := range c.Args {
		if i > 0 {
			w.put(", ")
		}
		if i%2 == 0 {
			w.put("sf.to_text(", w.typed(a.Value, "text"), ")")
		} else {
			w.put(w.variant(a.Value))
		}
	}
	w.put("))")
}

func (w *writer) arrayConstruct(c *sqltext.Call) {
	list := make([]sqltext.Expr, len(c.Args))
	for i, a := range c.Args {
		list[i] = a.Value
	}
	w.arrayOf(list)
}

// greatest is NULL when an argument is. The call comes first, so that parameters
// take their type from it.
func (w *writer) greatest(c *sqltext.Call) {
	w.count(c, 1, -1)
	call := w.capture(func() {
		w.put(strings.ToLower(c.Name.Last()), "(")
		w.args(c)
		w.put(")")
	})
	w.put("(CASE WHEN ", call, " IS NOT NULL AND num_nulls(")
	w.args(c)
	w.put(") = 0 THEN ", call, " END)")
}
