package pgtext

import (
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// function says how a function is written. In its text %1 is the first argument,
// and %* are all of them with commas.
type function struct {
	least, most int // arguments; most of -1 is any number
	text        string
	typ         string // of the result, where PostgreSQL's type does not tell
	kind        string // of arguments without a type: "text" unless given; "-" leaves them
}

// call writes a function call.
func (w *writer) call(c *sqltext.Call) {
	if len(c.Name.Parts) > 1 {
		w.unknown(c)
	}
	name := c.Name.Last()
	for _, a := range c.Args {
		if a.Query != nil || a.Name != "" && !strings.HasPrefix(a.Name, "FROM:") {
			w.fail(1003, "42000", "SQL compilation error:\nsyntax error: argument %s => of function %s.", a.Name, name)
		}
	}
	if special, ok := specials()[name]; ok {
		special(w, c)
		return
	}
	if f, ok := functions[name]; ok {
		w.template(c, f)
		return
	}
	if w.sessionValue(c) {
		return
	}
	w.unknown(c)
}

func (w *writer) unknown(c *sqltext.Call) {
	var parts []string
	for _, p := range c.Name.Parts {
		parts = append(parts, p.Text)
	}
	w.fail(2140, "42601", "SQL compilation error:\nUnknown function %s", strings.Join(parts, "."))
}

// sessionValue writes what the session or the engine knows.
func (w *writer) sessionValue(c *sqltext.Call) bool {
	if w.c.Value == nil {
		return false
	}
	args := make([]string, 0, len(c.Args))
	for _, a := range c.Args {
		switch x := a.Value.(type) {
		case *sqltext.Literal:
			args = append(args, x.Text)
		case *sqltext.Unary:
			if l, ok := x.X.(*sqltext.Literal); ok {
				args = append(args, x.Op+l.Text)
			}
		case *sqltext.Param:
			if value := w.c.Bind(x.Index); value != nil {
				args = append(args, *value)
				w.out.Volatile = true
			}
		}
	}
	if len(args) != len(c.Args) {
		args = nil
	}
	value, volatile, ok := w.c.Value(c.Name.Last(), args)
	if !ok {
		return false
	}
	w.out.Volatile = w.out.Volatile || volatile
	if value == nil {
		w.put("NULL::text")
		return true
	}
	w.put(String(*value), "::text")
	return true
}

func (w *writer) count(c *sqltext.Call, least, most int) {
	n := len(c.Args)
	if n < least {
		w.fail(938, "22023", "SQL compilation error:\nnot enough arguments for function [%s], expected %d, got %d", c.Name.Last(), least, n)
	}
	if most >= 0 && n > most {
		w.fail(939, "22023", "SQL compilation error:\ntoo many arguments for function [%s] expected %d, got %d", c.Name.Last(), most, n)
	}
}

// template writes a function by its text.
func (w *writer) template(c *sqltext.Call, f function) {
	w.count(c, f.least, f.most)
	if c.Star {
		w.unknown(c)
	}
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = w.argument(a.Value, f)
	}
	if c.Distinct && len(args) > 0 {
		args[0] = "DISTINCT " + args[0]
	}
	for i := 0; i < len(f.text); i++ {
		switch {
		case f.text[i] == '%' && f.text[i+1] == '*':
			w.put(strings.Join(args, ", "))
			i++
		case f.text[i] == '%' && f.text[i+1] >= '1' && f.text[i+1] <= '9':
			if n := int(f.text[i+1] - '1'); n < len(args) {
				w.put(args[n])
			}
			i++
		default:
			w.put(f.text[i : i+1])
		}
	}
	if c.Over != nil {
		w.over(c)
	}
}

func (w *writer) argument(x sqltext.Expr, f function) string {
	switch f.kind {
	case "-":
		return w.text(x)
	case "variant":
		return w.variant(x)
	case "time":
		return w.typed(x, "timestamp")
	case "number":
		return w.arithmetic(x)
	case "sub", "zone", "stamp": // a text first, and numbers or times behind it
		if w.untyped(x) {
			return w.typed(x, "text")
		}
		return w.text(x)
	}
	if semi(w.typeOf(x)) && f.kind == "" {
		return "sf.to_text(" + w.text(x) + ")"
	}
	return w.typed(x, "text")
}

func (w *writer) over(c *sqltext.Call) {
	if c.Nulls == "IGNORE NULLS" {
		w.unsupported("IGNORE NULLS")
	}
	w.put(" OVER (")
	if len(c.Over.Partition) > 0 {
		w.put("PARTITION BY ")
		w.list(c.Over.Partition)
	}
	w.orderBy(c.Over.Order)
	frame := c.Over.Frame
	if name := c.Name.Last(); frame == "" && len(c.Over.Order) > 0 && (name == "LAST_VALUE" || name == "FIRST_VALUE") {
		frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
	}
	w.put(" ", frame, ")")
}

// specials are the functions that no text does for. It is a function, since its
// entries call what calls it.
func specials() map[string]func(*writer, *sqltext.Call) {
	return map[string]func(*writer, *sqltext.Call){
		"COUNT": (*writer).countCall, "AVG": (*writer).average, "DATEADD": (*writer).dateAdd, "TIMEADD": (*writer).dateAdd, "TIMESTAMPADD": (*writer).dateAdd,
		"DATEDIFF": (*writer).dateDiff, "TIMEDIFF": (*writer).dateDiff, "TIMESTAMPDIFF": (*writer).dateDiff,
		"DATE_TRUNC": (*writer).dateTrunc, "TRUNC": (*writer).trunc, "DATE_PART": (*writer).datePart, "EXTRACT": (*writer).extract,
		"LISTAGG": (*writer).listAgg, "PERCENTILE_CONT": (*writer).percentile, "PERCENTILE_DISC": (*writer).percentile,
		"ARRAY_AGG": (*writer).arrayAgg, "OBJECT_CONSTRUCT": (*writer).objectConstruct, "OBJECT_CONSTRUCT_KEEP_NULL": (*writer).objectConstruct,
		"ARRAY_CONSTRUCT": (*writer).arrayConstruct, "GREATEST": (*writer).greatest, "LEAST": (*writer).greatest,
		"DECODE": (*writer).decode, "CONCAT": (*writer).concat, "TO_CHAR": (*writer).toChar, "TO_VARCHAR": (*writer).toChar,
		"TO_NUMBER": (*writer).toNumber, "TO_DECIMAL": (*writer).toNumber, "TO_NUMERIC": (*writer).toNumber,
		"RANDOM": (*writer).random, "SEQ1": (*writer).sequence, "SEQ2": (*writer).sequence, "SEQ4": (*writer).sequence, "SEQ8": (*writer).sequence,
		"GET": (*writer).getCall, "GET_PATH": (*writer).getPath,
	}
}

func (w *writer) args(c *sqltext.Call) {
	for i, a := range c.Args {
		if i > 0 {
			w.put(", ")
		}
		w.expr(a.Value)
	}
}

func (w *writer) decode(c *sqltext.Call) {
	w.count(c, 3, -1)
	x := w.text(c.Args[0].Value)
	w.put("(CASE")
	rest := c.Args[1:]
	for ; len(rest) > 1; rest = rest[2:] {
		w.put(" WHEN ", x, " IS NOT DISTINCT FROM ")
		w.expr(rest[0].Value)
		w.put(" THEN ")
		w.expr(rest[1].Value)
	}
	if len(rest) == 1 {
		w.put(" ELSE ")
		w.expr(rest[0].Value)
	}
	w.put(" END)")
}

func (w *writer) concat(c *sqltext.Call) {
	w.count(c, 1, -1)
	w.put("(")
	for i, a := range c.Args {
		if i > 0 {
			w.put(" || ")
		}
		w.concatenated(a.Value)
	}
	w.put(")")
}

func (w *writer) toNumber(c *sqltext.Call) {
	w.count(c, 1, 3)
	precision, scale := 38, 0
	for i, a := range c.Args[1:] {
		l, ok := a.Value.(*sqltext.Literal)
		n, err := 0, error(nil)
		if ok {
			n, err = strconv.Atoi(l.Text)
		}
		if !ok || err != nil || l.Kind != sqltext.NumberLiteral {
			w.unsupported("%s with a format", c.Name.Last())
		}
		if i == 0 {
			precision = n
		} else {
			scale = n
		}
	}
	w.cast(&sqltext.Cast{X: c.Args[0].Value, To: sqltext.Type{Name: "NUMBER", Precision: precision, Scale: scale, Given: true}})
}

// random ignores a seed's sequence: with one it is the same in every row.
func (w *writer) random(c *sqltext.Call) {
	w.count(c, 0, 1)
	if len(c.Args) == 1 {
		w.put("hashtextextended(", String("seed"), ", (", w.text(c.Args[0].Value), ")::bigint)")
		return
	}
	w.put("sf.random()")
}

func (w *writer) sequence(c *sqltext.Call) {
	w.count(c, 0, 1)
	w.put("(row_number() OVER () - 1)")
}

func (w *writer) getCall(c *sqltext.Call) {
	w.count(c, 2, 2)
	w.put("sf.get(", w.typed(c.Args[0].Value, "jsonb"), ", ", w.typed(c.Args[1].Value, "text"), ")")
}

// getPath takes a constant path.
func (w *writer) getPath(c *sqltext.Call) {
	w.count(c, 2, 2)
	l, ok := c.Args[1].Value.(*sqltext.Literal)
	if !ok || l.Kind != sqltext.StringLiteral {
		w.unsupported("GET_PATH with a path that is no constant")
	}
	x, err := sqltext.ParseExpression("x:" + l.Text)
	if err != nil {
		w.fail(1003, "42000", "SQL compilation error:\n%s", err)
	}
	get, ok := x.(*sqltext.Get)
	if !ok {
		w.unsupported("path %s", l.Text)
	}
	w.get(&sqltext.Get{X: c.Args[0].Value, Steps: get.Steps})
}
