package pgtext

import (
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// engineTable reports whether a table function is the engine's, not written as
// SQL here.
func engineTable(c *sqltext.Call) bool {
	name := c.Name.Last()
	return name != "GENERATOR" && name != "FLATTEN" && name != "SPLIT_TO_TABLE"
}

// tableCall writes TABLE(f(…)).
func (w *writer) tableCall(t *sqltext.TableCall) {
	w.out.NeedsWarehouse = true
	alias := t.Alias
	switch t.Call.Name.Last() {
	case "GENERATOR":
		if alias.Text == "" {
			alias.Text = "GENERATOR"
		}
		w.generator(t.Call)
		w.put(" AS ", Quote(alias.Text))
	case "FLATTEN":
		if alias.Text == "" {
			alias.Text = "FLATTEN"
		}
		w.put("LATERAL ")
		w.flatten(t.Call)
		w.put(" AS ", Quote(alias.Text), ` ("SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS")`)
	case "SPLIT_TO_TABLE":
		w.count(t.Call, 2, 2)
		if alias.Text == "" {
			alias.Text = "SPLIT"
		}
		w.put("LATERAL (SELECT 1, i, v FROM unnest(string_to_array(", w.typed(t.Call.Args[0].Value, "text"), ", ", w.typed(t.Call.Args[1].Value, "text"),
			")) WITH ORDINALITY AS u (v, i)) AS ", Quote(alias.Text), ` ("SEQ", "INDEX", "VALUE")`)
	default:
		w.source(t, alias)
	}
}

// source writes a table of the engine's as JSON that PostgreSQL unfolds.
func (w *writer) source(t *sqltext.TableCall, alias sqltext.Name) {
	if w.c.Source == nil {
		w.unknown(t.Call)
	}
	source, err := w.c.Source(t.Call)
	if err != nil {
		panic(bailout{err})
	}
	if alias.Text == "" {
		alias.Text = t.Call.Name.Last()
	}
	columns := make([]string, len(source.Columns))
	for i := range source.Columns {
		columns[i] = Quote("c"+strconv.Itoa(i)) + " " + source.Types[i] // a name may be longer than PostgreSQL's or there twice
	}
	if len(columns) == 0 {
		w.unsupported("a result without columns")
	}
	names := t.Columns
	if names == nil {
		for _, c := range source.Columns {
			names = append(names, sqltext.Name{Text: c})
		}
	}
	w.put("(SELECT * FROM jsonb_to_recordset(", w.constant(source.JSON), "::jsonb) AS r (", strings.Join(columns, ", "), ")) AS ", Quote(alias.Text))
	w.columns(names)
}

// argument finds an argument by name, or by position where names are left out.
func argument(c *sqltext.Call, name string, position int) sqltext.Expr {
	for i, a := range c.Args {
		if a.Name == name || a.Name == "" && i == position {
			return a.Value
		}
	}
	return nil
}

func (w *writer) known(c *sqltext.Call, names ...string) {
	for _, a := range c.Args {
		ok := a.Name == "" && a.Query == nil
		for _, n := range names {
			ok = ok || a.Name == n
		}
		if !ok {
			w.fail(1003, "42000", "SQL compilation error:\nsyntax error: unknown argument %s of %s.", a.Name, c.Name.Last())
		}
	}
}

// generator makes rows without columns. TIMELIMIT alone makes them until the
// time is over; then at most as many as PostgreSQL makes in it.
func (w *writer) generator(c *sqltext.Call) {
	w.known(c, "ROWCOUNT", "TIMELIMIT")
	if rows := argument(c, "ROWCOUNT", 0); rows != nil {
		w.put("(SELECT FROM generate_series(1, ((", w.text(rows), ")::bigint)))")
		return
	}
	limit := argument(c, "TIMELIMIT", -1)
	if limit == nil {
		w.fail(1003, "42000", "SQL compilation error:\nGENERATOR needs ROWCOUNT or TIMELIMIT.")
	}
	w.put("(SELECT FROM sf.generate((", w.text(limit), ")::float8))")
}

func (w *writer) flatten(c *sqltext.Call) {
	w.known(c, "INPUT", "PATH", "OUTER", "RECURSIVE", "MODE")
	input := argument(c, "INPUT", 0)
	if input == nil {
		w.fail(1003, "42000", "SQL compilation error:\nFLATTEN needs INPUT.")
	}
	for _, name := range []string{"RECURSIVE", "MODE"} {
		if argument(c, name, -1) != nil {
			w.unsupported("FLATTEN with %s", name)
		}
	}
	if path := argument(c, "PATH", -1); path != nil {
		call := &sqltext.Call{Name: sqltext.Path{Parts: []sqltext.Name{{Text: "GET_PATH"}}}, Args: []sqltext.Arg{{Value: input}, {Value: path}}}
		input = call
	}
	outer := "FALSE"
	if x := argument(c, "OUTER", -1); x != nil {
		outer = w.text(x)
	}
	w.put("sf.flatten(", w.text(input), ", ", outer, ")")
}
