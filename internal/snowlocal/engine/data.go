package engine

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// data executes a query or DML.
func (s *Session) data(ctx context.Context, r *record, st *sqltext.Statement, q Query) (*Result, error) {
	if result, done, err := s.systemCall(ctx, r, st, q); done || err != nil {
		return result, err
	}
	dml := isDML(st.Node)
	if dml && s.tx == nil && s.parameter("AUTOCOMMIT", q.Parameters) == "false" && !q.DescribeOnly {
		if _, err := s.begin(ctx, &sqltext.Begin{}, true); err != nil {
			return nil, err
		}
	}
	for try := 0; ; try++ {
		p, err := s.plan(ctx, st, q)
		if err != nil {
			return nil, err
		}
		s.lastTables = p.text.Tables
		result, err := s.runPlan(ctx, r, st, p, q)
		var pg *pgconn.PgError
		if err != nil && try == 0 && errors.As(err, &pg) && pg.Code == "0A000" && strings.Contains(pg.Message, "cached plan") {
			s.afterError(ctx)
			s.plans.stale() // the table has changed: prepare anew
			continue
		}
		if err != nil {
			return nil, s.explained(ctx, err)
		}
		return result, nil
	}
}

func isDML(n sqltext.Node) bool {
	switch n.(type) {
	case *sqltext.Insert, *sqltext.Update, *sqltext.Delete, *sqltext.Merge:
		return true
	}
	return false
}

func (s *Session) runPlan(ctx context.Context, r *record, st *sqltext.Statement, p *plan, q Query) (*Result, error) {
	if q.DescribeOnly {
		return s.describePlan(ctx, st, p)
	}
	dml := isDML(st.Node)
	if p.text.NeedsWarehouse {
		leave, err := s.enter(typeName(st.Node), dml)
		if err != nil {
			return nil, err
		}
		defer leave()
		s.noteWarehouse(r)
		if err := s.apply(ctx, q.Parameters); err != nil { // the warehouse may have resumed or changed
			return nil, err
		}
	}
	r.update(func(i *QueryInfo) { i.hybrid = p.hybrid && s.tx == nil })
	if p.databases != nil {
		s.mu.Lock()
		s.hybridIn = with(s.hybridIn, p.databases...)
		s.mu.Unlock()
	}
	if p.text.Locks && (s.tx == nil || s.tx.implicit) {
		return nil, lockNeedsTransaction()
	}
	if n := arrayLength(st, q.Binds); n >= 0 {
		return s.sendArray(ctx, r, st, p, q, n)
	}
	params, err := s.params(p.text, q.Binds, -1)
	if err != nil {
		return nil, err
	}
	result, counts, err := s.send(ctx, r, p, params)
	if err != nil {
		return nil, err
	}
	if dml {
		return dmlResult(st.Node, counts), nil
	}
	if call, ok := st.Node.(*sqltext.CallStmt); ok && len(result.Columns) == 1 {
		result.Columns[0].Name = call.Call.Name.Last()
	}
	result.TypeID = TypeSelect
	return result, nil
}

// with is a list with what it does not have yet; the given one stays as it is.
func with(list []string, added ...string) []string {
	for _, a := range added {
		if !slices.Contains(list, a) {
			list = append(slices.Clip(list), a)
		}
	}
	return list
}

// noteWarehouse says in the history where a statement runs.
func (s *Session) noteWarehouse(r *record) {
	name := s.Info().Warehouse
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if w, ok := s.engine.warehouses[name]; ok {
		r.update(func(i *QueryInfo) { i.Warehouse, i.WarehouseSize, i.WarehouseClass = name, w.Size, w.Type })
	}
}

// plan writes a statement, or finds it written.
func (s *Session) plan(ctx context.Context, st *sqltext.Statement, q Query) (*plan, error) {
	key, ddl := planKey(st, q.Binds), s.engine.ddl.Load()
	if p := s.plans.get(key, ddl); p != nil {
		p.uses++
		return p, nil
	}
	text, err := s.write(ctx, st.Node, q)
	if err != nil {
		return nil, err
	}
	p := &plan{key: key, text: text, ddl: ddl, uses: 1}
	if err := s.around(ctx, st.Node, p); err != nil {
		return nil, err
	}
	if !text.Volatile {
		s.plans.put(p)
	}
	return p, nil
}

// write writes a statement for PostgreSQL.
func (s *Session) write(ctx context.Context, n sqltext.Node, q Query) (*pgtext.Text, error) {
	c := s.context(ctx, q)
	switch n := n.(type) {
	case *sqltext.Query:
		return pgtext.Query(c, n)
	case *sqltext.Insert:
		return pgtext.Insert(c, n)
	case *sqltext.Update:
		return pgtext.Update(c, n)
	case *sqltext.Delete:
		return pgtext.Delete(c, n)
	case *sqltext.Merge:
		return pgtext.Merge(c, n)
	case *sqltext.CallStmt:
		name := n.Call.Name.Last()
		if !strings.HasPrefix(name, "SYSTEM$") {
			return nil, missing("Procedure", name)
		}
		return pgtext.Query(c, &sqltext.Query{Body: &sqltext.Select{Items: []sqltext.Item{{X: n.Call, Text: name}}}})
	}
	return nil, unsupported("%T", n)
}

// around adds what must be executed around a statement: the lock of a standard
// table, the bound of a wait, the counts of a MERGE.
func (s *Session) around(ctx context.Context, n sqltext.Node, p *plan) error {
	for i, full := range p.text.Tables {
		kind, err := s.engine.kindOf(ctx, full)
		if err != nil {
			return err
		}
		p.hybrid = kind == "HYBRID" && (p.hybrid || i == 0)
		if database, _, _ := strings.Cut(full, "."); kind == "HYBRID" {
			p.databases = with(p.databases, database)
		}
	}
	if len(p.text.Tables) > 0 {
		p.target = p.text.Tables[0]
		if kind, err := s.engine.kindOf(ctx, p.target); err != nil || kind == Interactive && isDML(n) {
			if i, ok := n.(*sqltext.Insert); err != nil || !ok || !i.Overwrite {
				return orElse(err, notInteractiveTable(typeName(n), p.target))
			}
		}
	}
	switch n := n.(type) {
	case *sqltext.Query:
		if !p.text.Locks {
			return nil
		}
		kind, err := s.engine.kindOf(ctx, p.target)
		if err != nil {
			return err
		}
		if kind != "HYBRID" && kind != "" {
			return lockNeedsHybrid(p.target)
		}
		if p.text.Wait != nil {
			p.before = []string{"SET LOCAL lock_timeout = " + strconv.Itoa(*p.text.Wait*1000)}
			p.after = []string{"SET LOCAL lock_timeout = " + s.applied.lock}
		}
	case *sqltext.Insert:
		if err := s.checkWidth(ctx, n, p.target); err != nil {
			return err
		}
		if n.Overwrite {
			p.before = []string{"DELETE FROM " + s.quoteFull(p.target)}
		}
	case *sqltext.Update, *sqltext.Delete, *sqltext.Merge:
		kind, err := s.engine.kindOf(ctx, p.target)
		if err != nil {
			return err
		}
		if kind == "STANDARD" || kind == "TRANSIENT" {
			p.before = append(p.before, "SET LOCAL lock_timeout = "+s.standardLock(), "SELECT pg_advisory_xact_lock(7367, "+pgtext.String(s.quoteFull(p.target))+"::regclass::oid::int)")
			p.after = append(p.after, "SET LOCAL lock_timeout = "+s.applied.lock)
		}
		if _, ok := n.(*sqltext.Merge); ok {
			counts := "SELECT pg_stat_get_xact_tuples_inserted(o), pg_stat_get_xact_tuples_updated(o), pg_stat_get_xact_tuples_deleted(o) FROM (SELECT " +
				pgtext.String(s.quoteFull(p.target)) + "::regclass::oid AS o) AS t"
			p.before, p.after = append(p.before, counts), append([]string{counts}, p.after...)
		}
	}
	return nil
}

// checkWidth wants a value for every column where none are named; PostgreSQL
// takes fewer.
func (s *Session) checkWidth(ctx context.Context, n *sqltext.Insert, full string) error {
	values, ok := n.Source.Body.(*sqltext.Values)
	if !ok || n.Columns != nil || s.temporary[full] {
		return nil
	}
	var width int
	if err := s.engine.admin.QueryRow(ctx, "SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
		schemaOf(full), nameIn(full)).Scan(&width); err != nil {
		return err
	}
	if width > 0 && len(values.Rows[0]) != width {
		return failure(2020, "21S01", "SQL compilation error:\nInsert value list does not match column list expecting %d but got %d", width, len(values.Rows[0]))
	}
	return nil
}

func orElse(err error, other *Error) error {
	if err != nil {
		return err
	}
	return other
}

// standardLock is how long a lock of a standard table is waited for, in
// milliseconds.
func (s *Session) standardLock() string {
	seconds, _ := strconv.ParseInt(s.parameter("LOCK_TIMEOUT", nil), 10, 64) // it was checked
	return strconv.FormatInt(min(max(seconds*1000, 1), 1<<31-1), 10)
}

// quoteFull is PostgreSQL's name of a table by its full name.
func (s *Session) quoteFull(full string) string {
	database, rest, _ := strings.Cut(full, ".")
	schema, name, _ := strings.Cut(rest, ".")
	if s.temporary[full] {
		return "pg_temp." + pgtext.Quote(name)
	}
	return pgtext.SchemaName(database, schema) + "." + pgtext.Quote(name)
}

// params are the values of a text's parameters; of arrays the values at an index.
func (s *Session) params(text *pgtext.Text, binds []Bind, at int) ([][]byte, error) {
	values := make([][]byte, len(text.Params))
	for i, p := range text.Params {
		if p.Bind < 0 {
			values[i] = []byte(p.Constant)
			continue
		}
		b := binds[p.Bind]
		value := b.Value
		if b.IsArray {
			value = b.Values[max(at, 0)]
		}
		var err error
		if values[i], err = bindText(b.Type, value); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// arrayLength is the number of values of the arrays that are bound, or -1.
func arrayLength(st *sqltext.Statement, binds []Bind) int {
	for i := st.FirstParam; i < st.Params && i < len(binds); i++ {
		if binds[i].IsArray {
			return len(binds[i].Values)
		}
	}
	return -1
}

// dmlResult is the counts of a DML statement, as a row.
func dmlResult(n sqltext.Node, c counts) *Result {
	row := func(id int64, columns ...any) *Result {
		r := &Result{TypeID: id, Rows: [][]*string{nil}}
		for i := 0; i < len(columns); i += 2 {
			text := strconv.FormatInt(columns[i+1].(int64), 10)
			r.Columns = append(r.Columns, numberColumn(columns[i].(string)))
			r.Rows[0] = append(r.Rows[0], &text)
		}
		return r
	}
	switch n := n.(type) {
	case *sqltext.Insert:
		return row(TypeInsert, "number of rows inserted", c.affected)
	case *sqltext.Update:
		return row(TypeUpdate, "number of rows updated", c.affected, "number of multi-joined rows updated", int64(0))
	case *sqltext.Delete:
		return row(TypeDelete, "number of rows deleted", c.affected)
	case *sqltext.Merge:
		var columns []any
		for _, a := range []struct {
			action, name string
			n            int64
		}{{"INSERT", "number of rows inserted", c.inserted}, {"UPDATE", "number of rows updated", c.updated}, {"DELETE", "number of rows deleted", c.deleted}} {
			for _, w := range n.Whens {
				if w.Action == a.action {
					columns = append(columns, a.name, a.n)
					break
				}
			}
		}
		return row(TypeMerge, columns...)
	}
	return executed()
}

func typeName(n sqltext.Node) string {
	switch n.(type) {
	case *sqltext.Query:
		return "SELECT"
	case *sqltext.Insert:
		return "INSERT"
	case *sqltext.Update:
		return "UPDATE"
	case *sqltext.Delete:
		return "DELETE"
	case *sqltext.Merge:
		return "MERGE"
	case *sqltext.CallStmt:
		return "CALL"
	case *sqltext.Show:
		return "SHOW"
	case *sqltext.Describe:
		return "DESCRIBE"
	case *sqltext.Explain:
		return "EXPLAIN"
	case *sqltext.Begin:
		return "BEGIN_TRANSACTION"
	case *sqltext.Commit:
		return "COMMIT"
	case *sqltext.Rollback:
		return "ROLLBACK"
	case *sqltext.Use:
		return "USE"
	case *sqltext.SetVar, *sqltext.UnsetVar:
		return "SET"
	case *sqltext.AlterObject:
		return "ALTER"
	case *sqltext.AlterTable:
		return "ALTER_TABLE"
	case *sqltext.CreateTable:
		return "CREATE_TABLE"
	case *sqltext.CreateIndex, *sqltext.CreateView, *sqltext.CreateObject:
		return "CREATE"
	case *sqltext.Drop:
		return "DROP"
	case *sqltext.Truncate:
		return "TRUNCATE_TABLE"
	case *sqltext.Grant:
		return "GRANT"
	}
	return "UNKNOWN"
}
