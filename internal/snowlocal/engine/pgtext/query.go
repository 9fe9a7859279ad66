package pgtext

import (
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// query writes a query and what is around it.
func (w *writer) query(q *sqltext.Query) {
	w.scopes = append(w.scopes, map[string]bool{})
	defer func() { w.scopes = w.scopes[:len(w.scopes)-1] }()
	for i, c := range q.With {
		switch {
		case i > 0:
			w.put(", ")
		case q.Recursive:
			w.put("WITH RECURSIVE ")
		default:
			w.put("WITH ")
		}
		if q.Recursive {
			w.scopes[len(w.scopes)-1][c.Name.Text] = true
		}
		w.put(Quote(c.Name.Text))
		w.columns(c.Columns)
		w.put(" AS (")
		w.query(c.Query)
		w.put(")")
		w.scopes[len(w.scopes)-1][c.Name.Text] = true
	}
	if len(q.With) > 0 {
		w.put(" ")
	}
	if q.Lock != nil {
		w.checkLock(q)
	}
	w.body(q.Body, q)
	if s, ok := q.Body.(*sqltext.Select); !ok || s.Qualify == nil { // else they are inside
		w.tail(q)
	}
	if q.Lock != nil {
		w.lock(q.Lock)
	}
}

func (w *writer) columns(names []sqltext.Name) {
	if len(names) == 0 {
		return
	}
	w.put(" (")
	for i, n := range names {
		if i > 0 {
			w.put(", ")
		}
		w.put(Quote(n.Text))
	}
	w.put(")")
}

func (w *writer) tail(q *sqltext.Query) {
	w.orderBy(q.Order)
	if q.Limit != nil {
		w.put(" LIMIT ")
		w.bound(q.Limit)
	}
	if q.Offset != nil {
		w.put(" OFFSET ")
		w.bound(q.Offset)
	}
}

func (w *writer) bound(x sqltext.Expr) {
	w.put("(", w.text(x), ")::bigint")
}

func (w *writer) orderBy(list []sqltext.Order) {
	if len(list) == 0 {
		return
	}
	w.put(" ORDER BY ")
	w.orders(list)
}

func (w *writer) orders(list []sqltext.Order) {
	for i, o := range list {
		if i > 0 {
			w.put(", ")
		}
		w.expr(o.X)
		if o.Desc {
			w.put(" DESC")
		}
		if o.Nulls != "" {
			w.put(" NULLS ", o.Nulls)
		}
	}
}

// checkLock refuses what FOR UPDATE cannot be behind.
func (w *writer) checkLock(q *sqltext.Query) {
	s, ok := q.Body.(*sqltext.Select)
	if !ok || len(q.With) > 0 || s.Distinct || s.Group != nil || s.GroupAll || s.Having != nil || s.Qualify != nil || len(s.From) != 1 {
		w.unsupported("FOR UPDATE with a set operation, CTE, DISTINCT, aggregate or join")
	}
	if _, ok := s.From[0].(*sqltext.Table); !ok {
		w.unsupported("FOR UPDATE with a join or subquery")
	}
}

// lock writes FOR UPDATE: without WAIT it does not wait.
func (w *writer) lock(l *sqltext.Lock) {
	w.out.Locks = true
	w.put(" FOR UPDATE")
	if l.Wait == nil || *l.Wait == 0 {
		w.put(" NOWAIT")
		return
	}
	w.out.Wait = l.Wait
}

func (w *writer) body(b sqltext.Body, q *sqltext.Query) {
	switch b := b.(type) {
	case *sqltext.Select:
		if b.Qualify != nil {
			w.qualify(b, q)
			return
		}
		w.selectBody(b)
	case *sqltext.SetOp:
		w.operandBody(b.L)
		w.put(" ", b.Op, " ")
		w.operandBody(b.R)
	case *sqltext.Values:
		w.valuesSelect(b)
	case *sqltext.Query:
		w.put("(")
		w.query(b)
		w.put(")")
	}
}

// operandBody writes one side of a set operation in parentheses.
func (w *writer) operandBody(b sqltext.Body) {
	q := &sqltext.Query{Body: b}
	if s, ok := b.(*sqltext.Select); ok {
		q.Limit = s.Top
	}
	w.put("(")
	w.body(b, q)
	w.tail(q)
	w.put(")")
}

// qualify selects from the query, where QUALIFY's condition is one more column.
func (w *writer) qualify(s *sqltext.Select, q *sqltext.Query) {
	for _, item := range s.Items {
		if _, star := item.X.(*sqltext.Star); star {
			w.unsupported("QUALIFY with *")
		}
	}
	w.put("SELECT ")
	for i, item := range s.Items {
		if i > 0 {
			w.put(", ")
		}
		w.put(Quote(ItemName(item)))
	}
	inner := *s
	inner.Qualify = nil
	inner.Items = append(append([]sqltext.Item{}, s.Items...), sqltext.Item{X: w.inlineAliases(s.Qualify, s.Items), Alias: sqltext.Name{Text: qualifyColumn}})
	w.put(" FROM (")
	w.selectBody(&inner)
	w.put(`) AS "QUALIFIED" WHERE `, Quote(qualifyColumn))
	w.tail(q)
}

const qualifyColumn = "sf.qualify"

// inlineAliases puts what an alias stands for in its place, when the whole of an
// operand is that alias.
func (w *writer) inlineAliases(x sqltext.Expr, items []sqltext.Item) sqltext.Expr {
	switch e := x.(type) {
	case *sqltext.Ref:
		for _, item := range items {
			if len(e.Parts) == 1 && item.Alias.Text == e.Parts[0].Text {
				return item.X
			}
		}
	case *sqltext.Binary:
		return &sqltext.Binary{Op: e.Op, L: w.inlineAliases(e.L, items), R: w.inlineAliases(e.R, items)}
	}
	return x
}

func (w *writer) selectBody(s *sqltext.Select) {
	w.put("SELECT ")
	if s.Distinct {
		w.put("DISTINCT ")
	}
	for i, item := range s.Items {
		if i > 0 {
			w.put(", ")
		}
		w.item(item)
	}
	if len(s.From) > 0 && !dual(s.From) {
		w.put(" FROM ")
		w.froms(s.From)
	}
	if s.Where != nil {
		w.put(" WHERE ")
		w.expr(s.Where)
	}
	w.groupBy(s)
	if s.Having != nil {
		w.put(" HAVING ")
		w.expr(w.inlineAliases(s.Having, s.Items))
	}
}

// groupBy writes GROUP BY; ALL are the items without an aggregate.
func (w *writer) groupBy(s *sqltext.Select) {
	if s.GroupAll {
		first := true
		for i, item := range s.Items {
			if hasAggregate(item.X) {
				continue
			}
			if first {
				w.put(" GROUP BY ")
			} else {
				w.put(", ")
			}
			first = false
			w.put(strconv.Itoa(i + 1))
		}
		return
	}
	if len(s.Group) > 0 {
		w.put(" GROUP BY ")
		w.list(s.Group)
	}
}

func dual(from []sqltext.From) bool {
	t, ok := from[0].(*sqltext.Table)
	return ok && len(from) == 1 && len(t.Name.Parts) == 1 && t.Name.Parts[0] == sqltext.Name{Text: "DUAL"}
}

// item writes an item of a select list with its name, as far as PostgreSQL would
// find another.
func (w *writer) item(item sqltext.Item) {
	if _, star := item.X.(*sqltext.Star); star {
		w.expr(item.X)
		return
	}
	w.expr(item.X)
	if ref, ok := item.X.(*sqltext.Ref); ok && item.Alias.Text == "" && len(ref.Parts) > 1 {
		return
	}
	w.put(" AS ", Quote(ItemName(item)))
}

// ItemName is the name that a column has in a result.
func ItemName(item sqltext.Item) string {
	if item.Alias.Text != "" {
		return item.Alias.Text
	}
	if ref, ok := item.X.(*sqltext.Ref); ok {
		return ref.Parts[len(ref.Parts)-1].Text
	}
	return strings.ToUpper(item.Text)
}

// describe notes names and types of the result, unless there is a star.
func (w *writer) describe(q *sqltext.Query) {
	alone := true // no query after this one adds rows to its own
	for {
		switch b := q.Body.(type) {
		case *sqltext.Query:
			q = b
			continue
		case *sqltext.SetOp:
			q, alone = &sqltext.Query{Body: b.L}, false
			continue
		case *sqltext.Select:
			for _, item := range b.Items {
				if _, star := item.X.(*sqltext.Star); star {
					w.out.Names, w.out.Types, w.out.Constant = nil, nil, nil
					w.describeSource(b)
					return
				}
				w.out.Names = append(w.out.Names, ItemName(item))
				w.out.Types = append(w.out.Types, w.typeOf(item.X))
				w.out.Constant = append(w.out.Constant, alone && constant(item.X))
			}
		}
		return
	}
}

// constant reports whether an expression is a literal, or a cast of one, and not
// NULL.
func constant(x sqltext.Expr) bool {
	switch x := x.(type) {
	case *sqltext.Literal:
		return x.Kind != sqltext.NullLiteral
	case *sqltext.Cast:
		return !x.Try && constant(x.X)
	case *sqltext.Unary:
		return constant(x.X)
	}
	return false
}

// describeSource notes what SELECT * FROM TABLE(…) returns alone.
func (w *writer) describeSource(s *sqltext.Select) {
	if len(s.From) != 1 || len(s.Items) != 1 {
		return
	}
	call, ok := s.From[0].(*sqltext.TableCall)
	if !ok || !engineTable(call.Call) {
		return
	}
	source, err := w.c.Source(call.Call)
	if err != nil {
		panic(bailout{err})
	}
	w.out.Types = source.Wire
	w.out.Names = source.Columns
}
