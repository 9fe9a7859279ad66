package pgtext

import (
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

func (w *writer) list(list []sqltext.Expr) {
	for i, x := range list {
		if i > 0 {
			w.put(", ")
		}
		w.expr(x)
	}
}

func (w *writer) expr(x sqltext.Expr) {
	switch x := x.(type) {
	case *sqltext.Literal:
		w.put(literal(x))
	case *sqltext.Param:
		w.put(w.param(x.Index))
	case *sqltext.Var:
		w.variable(x)
	case *sqltext.Ref:
		w.ref(x)
	case *sqltext.Star:
		w.star(x)
	case *sqltext.Call:
		w.call(x)
	case *sqltext.Cast:
		w.cast(x)
	case *sqltext.Unary:
		w.put("(", x.Op, " ")
		w.expr(x.X)
		w.put(")")
	case *sqltext.Binary:
		w.binary(x)
	case *sqltext.Get:
		w.get(x)
	case *sqltext.Interval:
		w.put("interval ", String(x.Text))
	case *sqltext.ArrayOf:
		w.arrayOf(x.List)
	case *sqltext.ObjectOf:
		w.objectOf(x.Pairs)
	case *sqltext.Default:
		w.put("DEFAULT")
	case *sqltext.Row:
		w.put("(")
		w.list(x.List)
		w.put(")")
	case *sqltext.Exists:
		w.put("EXISTS (")
		w.query(x.Query)
		w.put(")")
	case *sqltext.Sub:
		w.put("(")
		w.query(x.Query)
		w.put(")")
	default:
		w.predicate(x)
	}
}

func (w *writer) predicate(x sqltext.Expr) {
	switch x := x.(type) {
	case *sqltext.In:
		w.in(x)
	case *sqltext.Between:
		w.put("(")
		w.operand(x.X, x.Low)
		w.put(not(x.Not), " BETWEEN ")
		w.operand(x.Low, x.X)
		w.put(" AND ")
		w.operand(x.High, x.X)
		w.put(")")
	case *sqltext.Like:
		w.like(x)
	case *sqltext.Is:
		w.is(x)
	case *sqltext.Case:
		w.caseExpr(x)
	default:
		w.unsupported("%T", x)
	}
}

func not(not bool) string {
	if not {
		return " NOT"
	}
	return ""
}

func literal(x *sqltext.Literal) string {
	switch x.Kind {
	case sqltext.NullLiteral:
		return "NULL"
	case sqltext.TrueLiteral:
		return "TRUE"
	case sqltext.FalseLiteral:
		return "FALSE"
	case sqltext.NumberLiteral:
		if strings.ContainsAny(x.Text, "eE") {
			return x.Text + "::float8"
		}
		return x.Text
	case sqltext.DateLiteral:
		return "date " + String(x.Text)
	case sqltext.TimeLiteral:
		return "time " + String(x.Text)
	case sqltext.BinaryLiteral:
		return "decode(" + String(x.Text) + ", 'hex')"
	case sqltext.TimestampLiteral:
		return "timestamp " + String(x.Text)
	default:
		return String(x.Text)
	}
}

func (w *writer) variable(x *sqltext.Var) {
	value, ok := w.c.Variable(x.Name)
	if !ok {
		w.fail(2211, "02000", "SQL compilation error: error line 1\nSession variable '$%s' does not exist", x.Name)
	}
	w.out.Volatile = true
	w.expr(value)
}

// ref writes a column. Of its table the last part is enough, since the tables of
// a statement are known by it.
func (w *writer) ref(x *sqltext.Ref) {
	parts := x.Parts
	if len(parts) == 1 && !parts[0].Quoted {
		switch parts[0].Text {
		case "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_USER", "CURRENT_ROLE":
			w.call(&sqltext.Call{Name: sqltext.Path{Parts: parts}})
			return
		}
	}
	if len(parts) > 2 {
		parts = parts[len(parts)-2:]
	}
	for i, part := range parts {
		if i > 0 {
			w.put(".")
		}
		w.put(Quote(part.Text))
	}
}

func (w *writer) star(x *sqltext.Star) {
	if len(x.Exclude) > 0 {
		w.unsupported("EXCLUDE")
	}
	if len(x.Of) > 0 {
		w.put(Quote(x.Of[len(x.Of)-1].Text), ".")
	}
	w.put("*")
}

// operand writes one side of a comparison; a VARIANT takes the type of the other.
func (w *writer) operand(x, other sqltext.Expr) {
	if semi(w.typeOf(x)) && other != nil {
		switch w.typeOf(other).Name {
		case "VARCHAR":
			w.put("sf.to_text(", w.text(x), ")")
			return
		case "NUMBER":
			w.put("sf.to_number(", w.text(x), ")")
			return
		case "FLOAT":
			w.put("sf.to_float(", w.text(x), ")")
			return
		case "BOOLEAN":
			w.put("sf.to_boolean(", w.text(x), ")")
			return
		}
	}
	w.expr(x)
}

func (w *writer) binary(x *sqltext.Binary) {
	switch x.Op {
	case "/":
		w.put("sf.div(", w.number(x.L), ", ", w.number(x.R), ")")
	case "||":
		w.put("(")
		w.concatenated(x.L)
		w.put(" || ")
		w.concatenated(x.R)
		w.put(")")
	case "AND", "OR":
		w.put("(")
		w.expr(x.L)
		w.put(" ", x.Op, " ")
		w.expr(x.R)
		w.put(")")
	case "+", "-", "*", "%":
		w.put("(", w.arithmetic(x.L), " ", x.Op, " ", w.arithmetic(x.R), ")")
	default:
		w.put("(")
		w.operand(x.L, x.R)
		w.put(" ", x.Op, " ")
		w.operand(x.R, x.L)
		w.put(")")
	}
}

// arithmetic writes an operand; a VARIANT is a number there.
func (w *writer) arithmetic(x sqltext.Expr) string {
	if semi(w.typeOf(x)) {
		return "sf.to_number(" + w.text(x) + ")"
	}
	return w.text(x)
}

// number writes an operand of a division, where whole literals are decimals.
func (w *writer) number(x sqltext.Expr) string {
	if l, ok := x.(*sqltext.Literal); ok && l.Kind == sqltext.NumberLiteral || w.untyped(x) {
		return w.text(x) + "::numeric"
	}
	return w.arithmetic(x)
}

func (w *writer) concatenated(x sqltext.Expr) {
	if t := w.typeOf(x); t.Name == "VARCHAR" && !w.untyped(x) {
		w.expr(x)
		return
	}
	w.put("sf.to_text(", w.typed(x, "text"), ")")
}

func (w *writer) in(x *sqltext.In) {
	if x.Query != nil {
		w.put("(")
		w.expr(x.X)
		w.put(not(x.Not), " IN (")
		w.query(x.Query)
		w.put("))")
		return
	}
	w.put("(")
	w.operand(x.X, x.List[0])
	w.put(not(x.Not), " IN (")
	for i, item := range x.List {
		if i > 0 {
			w.put(", ")
		}
		w.operand(item, x.X)
	}
	w.put("))")
}

func (w *writer) is(x *sqltext.Is) {
	w.put("(")
	w.expr(x.X)
	if x.What == "NULL" && w.untyped(x.X) {
		w.put("::text")
	}
	w.put(" IS", not(x.Not), " ", x.What)
	if x.From != nil {
		w.put(" ")
		w.operand(x.From, x.X)
	}
	w.put(")")
}

func (w *writer) like(x *sqltext.Like) {
	if x.Any != nil {
		if x.Op == "RLIKE" || x.Escape != nil {
			w.unsupported("%s ANY", x.Op)
		}
		glue := " OR "
		if x.All {
			glue = " AND "
		}
		w.put("(", strings.TrimPrefix(not(x.Not), " "), " (")
		for i, pattern := range x.Any {
			if i > 0 {
				w.put(glue)
			}
			w.like(&sqltext.Like{Op: x.Op, X: x.X, Pattern: pattern})
		}
		w.put("))")
		return
	}
	left := w.typed(x.X, "text")
	if semi(w.typeOf(x.X)) {
		left = "sf.to_text(" + left + ")"
	}
	if x.Op == "RLIKE" {
		w.put("(", strings.TrimPrefix(not(x.Not), " "), " sf.rlike(", left, ", ", w.typed(x.Pattern, "text"), "))")
		return
	}
	w.put("(", left, not(x.Not), " ", x.Op, " ")
	w.expr(x.Pattern)
	w.put(" ESCAPE ")
	if x.Escape == nil { // a pattern has no escape character without it
		w.put("''")
	} else {
		w.expr(x.Escape)
	}
	w.put(")")
}

func (w *writer) caseExpr(x *sqltext.Case) {
	w.put("(CASE")
	if x.Of != nil {
		w.put(" ")
		w.operand(x.Of, x.Whens[0].If)
	}
	for _, when := range x.Whens {
		w.put(" WHEN ")
		if x.Of != nil {
			w.operand(when.If, x.Of)
		} else {
			w.expr(when.If)
		}
		w.put(" THEN ")
		w.expr(when.Then)
	}
	if x.Else != nil {
		w.put(" ELSE ")
		w.expr(x.Else)
	}
	w.put(" END)")
}

// get writes a path.
func (w *writer) get(x *sqltext.Get) {
	w.put("(", w.typed(x.X, "jsonb"))
	for _, step := range x.Steps {
		switch {
		case step.Index == nil:
			w.put(" -> ", String(step.Key))
		case w.typeOf(step.Index).Name == "VARCHAR":
			w.put(" -> ", w.text(step.Index), "::text")
		default:
			w.put(" -> (", w.text(step.Index), ")::int")
		}
	}
	w.put(")")
}

func (w *writer) arrayOf(list []sqltext.Expr) {
	w.put("jsonb_build_array(")
	for i, x := range list {
		if i > 0 {
			w.put(", ")
		}
		w.put(w.variant(x))
	}
	w.put(")")
}

func (w *writer) objectOf(pairs []sqltext.Arg) {
	w.put("jsonb_strip_nulls(jsonb_build_object(")
	for i, pair := range pairs {
		if i > 0 {
			w.put(", ")
		}
		w.put(String(pair.Name), "::text, ", w.variant(pair.Value))
	}
	w.put("))")
}
