package pgtext

import (
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// TypeName is PostgreSQL's type for one of Snowflake's, as a column has it.
func TypeName(t sqltext.Type) string {
	switch t.Name {
	case "NUMBER":
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case "FLOAT":
		return "double precision"
	case "VARCHAR":
		if t.Given && t.Precision <= 10485760 { // PostgreSQL's bound
			return fmt.Sprintf("varchar(%d)", t.Precision)
		}
		return "text"
	case "BINARY":
		return "bytea"
	case "TIME":
		return "time" + digits(t)
	case "TIMESTAMP", "TIMESTAMP_NTZ":
		return "timestamp" + digits(t)
	case "TIMESTAMP_LTZ":
		return "timestamptz" + digits(t)
	case "TIMESTAMP_TZ":
		return "sf.timestamp_tz"
	case "VARIANT", "OBJECT", "ARRAY":
		return "sf." + strings.ToLower(t.Name)
	default: // BOOLEAN, DATE
		return strings.ToLower(t.Name)
	}
}

// microseconds are the digits after a second's point that PostgreSQL has at most.
const microseconds = 6

// digits keeps a precision that PostgreSQL has.
func digits(t sqltext.Type) string {
	if t.Given && t.Precision < microseconds {
		return fmt.Sprintf("(%d)", t.Precision)
	}
	return ""
}

func named(name string) sqltext.Type { return sqltext.Type{Name: name} }

// typeOf is the type of an expression as far as its text tells it; its name is
// empty otherwise. A Scale of -1 is unknown.
func (w *writer) typeOf(x sqltext.Expr) sqltext.Type {
	switch x := x.(type) {
	case *sqltext.Literal:
		return literalType(x)
	case *sqltext.Param:
		if x.Index < len(w.c.Binds) {
			return wireType(w.c.Binds[x.Index])
		}
	case *sqltext.Var:
		if value, ok := w.c.Variable(x.Name); ok {
			return w.typeOf(value)
		}
	case *sqltext.Cast:
		return x.To
	case *sqltext.Get:
		return named("VARIANT")
	case *sqltext.ArrayOf:
		return named("ARRAY")
	case *sqltext.ObjectOf:
		return named("OBJECT")
	case *sqltext.In, *sqltext.Between, *sqltext.Like, *sqltext.Is, *sqltext.Exists:
		return named("BOOLEAN")
	case *sqltext.Unary:
		if x.Op == "NOT" {
			return named("BOOLEAN")
		}
		return w.typeOf(x.X)
	case *sqltext.Binary:
		switch x.Op {
		case "+", "-", "*", "/", "%":
			return sqltext.Type{}
		case "||":
			return named("VARCHAR")
		}
		return named("BOOLEAN")
	case *sqltext.Call:
		return w.callType(x)
	}
	return sqltext.Type{}
}

func (w *writer) callType(x *sqltext.Call) sqltext.Type {
	name := x.Name.Last()
	if typ, ok := functionTypes[name]; ok {
		return named(typ)
	}
	if first, ok := typeOfArgument[name]; ok && len(x.Args) > first {
		return w.typeOf(x.Args[first].Value)
	}
	return sqltext.Type{}
}

// typeOfArgument are functions that have the type of one of their arguments.
var typeOfArgument = map[string]int{
	"NVL": 0, "COALESCE": 0, "IFNULL": 0, "NULLIF": 0, "IFF": 1, "MAX": 0, "MIN": 0, "ANY_VALUE": 0, "FIRST_VALUE": 0, "LAST_VALUE": 0,
	"LAG": 0, "LEAD": 0, "GREATEST": 0, "LEAST": 0,
}

func literalType(x *sqltext.Literal) sqltext.Type {
	switch x.Kind {
	case sqltext.NumberLiteral:
		if strings.ContainsAny(x.Text, "eE") {
			return named("FLOAT")
		}
		whole, fraction, _ := strings.Cut(x.Text, ".")
		whole = strings.TrimLeft(whole, "0")
		return sqltext.Type{Name: "NUMBER", Precision: max(1, len(whole)+len(fraction)), Scale: len(fraction), Given: true}
	case sqltext.StringLiteral:
		return sqltext.Type{Name: "VARCHAR", Precision: len([]rune(x.Text)), Given: true}
	case sqltext.TrueLiteral, sqltext.FalseLiteral:
		return named("BOOLEAN")
	case sqltext.DateLiteral:
		return named("DATE")
	case sqltext.TimeLiteral:
		return named("TIME")
	case sqltext.BinaryLiteral:
		return named("BINARY")
	case sqltext.TimestampLiteral:
		return named("TIMESTAMP_NTZ")
	}
	return sqltext.Type{}
}

func wireType(bind string) sqltext.Type {
	switch bind {
	case "TEXT":
		return named("VARCHAR")
	case "FIXED":
		return sqltext.Type{Name: "NUMBER", Precision: 38, Scale: -1}
	case "REAL":
		return named("FLOAT")
	}
	return named(bind)
}

func semi(t sqltext.Type) bool { return t.Name == "VARIANT" || t.Name == "OBJECT" || t.Name == "ARRAY" }

// untyped reports whether PostgreSQL sees the expression as one of unknown type.
func (w *writer) untyped(x sqltext.Expr) bool {
	switch x := x.(type) {
	case *sqltext.Literal:
		return x.Kind == sqltext.StringLiteral || x.Kind == sqltext.NullLiteral
	case *sqltext.Param:
		return x.Index >= len(w.c.Binds) || bindTypes[w.c.Binds[x.Index]] == ""
	case *sqltext.Var:
		value, ok := w.c.Variable(x.Name)
		return ok && w.untyped(value)
	}
	return false
}

// typed writes an expression with the type as which an untyped one is taken.
func (w *writer) typed(x sqltext.Expr, typ string) string {
	text := w.text(x)
	if w.untyped(x) {
		return text + "::" + typ
	}
	return text
}

// variant writes an expression as a VARIANT.
func (w *writer) variant(x sqltext.Expr) string {
	if semi(w.typeOf(x)) {
		return w.text(x)
	}
	return "sf.to_variant(" + w.typed(x, "text") + ")"
}

// cast writes x::type.
func (w *writer) cast(x *sqltext.Cast) {
	from, untyped := w.typeOf(x.X), w.untyped(x.X)
	if x.Try {
		w.tryCast(x, from)
		return
	}
	target := TypeName(x.To)
	switch {
	case semi(x.To):
		w.put(w.variant(x.X), "::jsonb")
	case x.To.Name == "BINARY" && (untyped || from.Name == "VARCHAR"):
		w.put("sf.to_binary(", w.typed(x.X, "text"), ")")
	case (untyped || from.Name == "VARCHAR") && strings.HasPrefix(x.To.Name, "TIME"):
		w.timeOfText(x.X, x.To)
	case x.To.Name == "TIMESTAMP_TZ":
		w.put("sf.to_tz(", w.text(x.X), ")")
	case x.To.Name == "VARCHAR" && (strings.HasPrefix(from.Name, "TIME") || from.Name == "DATE"):
		w.put("sf.to_text(", w.text(x.X), ")::", target)
	case untyped, from.Name != "" && !semi(from) && from.Name != "TIMESTAMP_TZ" && from.Name != "BOOLEAN" && from.Name != "BINARY":
		w.put("CAST(", w.text(x.X), " AS ", target, ")")
	default:
		w.put("sf.", castFunctions[x.To.Name], "(", w.text(x.X), ")::", target)
	}
}

// timeOfText casts a text to a time. What it has of digits after those of the type
// is cut off; PostgreSQL would round.
func (w *writer) timeOfText(x sqltext.Expr, to sqltext.Type) {
	n := microseconds
	if to.Given {
		n = min(to.Precision, n)
	}
	cut := fmt.Sprintf("sf.cut(%s, %d)", w.typed(x, "text"), n)
	if to.Name == "TIMESTAMP_TZ" {
		w.put("sf.to_tz(", cut, ")")
		return
	}
	w.put("CAST(", cut, " AS ", TypeName(to), ")")
}

// castFunctions are the functions that cast from every type, by what they cast to.
var castFunctions = map[string]string{
	"NUMBER": "to_number", "FLOAT": "to_float", "VARCHAR": "to_text", "BOOLEAN": "to_boolean", "DATE": "to_date", "TIME": "to_time",
	"TIMESTAMP": "to_ntz", "TIMESTAMP_NTZ": "to_ntz", "TIMESTAMP_LTZ": "to_ltz", "BINARY": "to_binary",
}

// tryCast writes TRY_CAST of a text.
func (w *writer) tryCast(x *sqltext.Cast, from sqltext.Type) {
	switch x.To.Name {
	case "NUMBER", "FLOAT", "BOOLEAN", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP":
	case "VARCHAR":
		w.cast(&sqltext.Cast{X: x.X, To: x.To})
		return
	default:
		w.unsupported("TRY_CAST to %s", x.To.Name)
	}
	text := w.typed(x.X, "text")
	if semi(from) {
		text = "sf.to_text(" + text + ")"
	}
	w.put("sf.try_cast(", text, ", ", String(TypeName(x.To)), ")::", TypeName(x.To))
}
