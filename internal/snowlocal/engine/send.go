package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// maxResult bounds the bytes of one result.
const maxResult = 512 << 20

// arrayChunk is the number of rows of a bound array that are sent at once.
const arrayChunk = 2000

// prepareAt is the use at which a statement is prepared.
const prepareAt = 2

// counts are what a statement has changed.
type counts struct{ affected, inserted, updated, deleted int64 }

// send executes a written statement: in a transaction under a savepoint, and all
// that belongs to it in one round trip.
func (s *Session) send(ctx context.Context, r *record, p *plan, params [][]byte) (*Result, counts, error) {
	if err := s.prepare(ctx, p); err != nil {
		return nil, counts{}, err
	}
	if r.cancelled.Load() {
		return nil, counts{}, canceled()
	}
	if s.tx == nil && p.before == nil && p.after == nil {
		return s.sendAlone(ctx, p, params)
	}
	batch := &pgconn.Batch{}
	s.open(batch)
	for _, sql := range p.before {
		batch.ExecParams(sql, nil, nil, nil, nil)
	}
	queue(batch, p, params)
	for _, sql := range p.after {
		batch.ExecParams(sql, nil, nil, nil, nil)
	}
	s.shut(batch)
	return s.readBatch(ctx, p, batch)
}

func (s *Session) sendAlone(ctx context.Context, p *plan, params [][]byte) (*Result, counts, error) {
	var reader *pgconn.ResultReader
	if p.prepared != "" {
		reader = s.conn.ExecPrepared(ctx, p.prepared, params, nil, nil)
	} else {
		reader = s.conn.ExecParams(ctx, p.text.SQL, params, nil, nil, nil)
	}
	result, err := s.read(reader, p)
	tag, closeErr := reader.Close()
	if closeErr != nil {
		err = closeErr
	}
	return result, counts{affected: tag.RowsAffected()}, err
}

func queue(batch *pgconn.Batch, p *plan, params [][]byte) {
	if p.prepared != "" {
		batch.ExecPrepared(p.prepared, params, nil, nil)
		return
	}
	batch.ExecParams(p.text.SQL, params, nil, nil, nil)
}

// open and shut put the statements of a batch under a savepoint, or in a
// transaction of their own.
func (s *Session) open(batch *pgconn.Batch) {
	if s.tx != nil {
		batch.ExecParams("SAVEPOINT sf", nil, nil, nil, nil)
		return
	}
	batch.ExecParams("BEGIN", nil, nil, nil, nil)
}

func (s *Session) shut(batch *pgconn.Batch) {
	if s.tx != nil {
		batch.ExecParams("RELEASE SAVEPOINT sf", nil, nil, nil, nil)
		return
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
}

// readBatch reads the results of open, before, the statement, after and shut.
func (s *Session) readBatch(ctx context.Context, p *plan, batch *pgconn.Batch) (*Result, counts, error) {
	results := s.conn.ExecBatch(ctx, batch)
	var result *Result
	var c counts
	var statistics [][3]int64
	var err error
	for i := 0; results.NextResult(); i++ {
		reader := results.ResultReader()
		if i == 1+len(p.before) {
			if result, err = s.read(reader, p); err != nil {
				break
			}
			tag, closeErr := reader.Close()
			if c.affected, err = tag.RowsAffected(), closeErr; err != nil {
				break
			}
			continue
		}
		for reader.NextRow() {
			if values := reader.Values(); len(values) == 3 {
				statistics = append(statistics, [3]int64{number(values[0]), number(values[1]), number(values[2])})
			}
		}
		if _, err = reader.Close(); err != nil {
			break
		}
	}
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if len(statistics) == 2 {
		c.inserted, c.updated, c.deleted = statistics[1][0]-statistics[0][0], statistics[1][1]-statistics[0][1], statistics[1][2]-statistics[0][2]
	}
	return result, c, err
}

func number(text []byte) int64 {
	n, _ := strconv.ParseInt(string(text), 10, 64) // PostgreSQL wrote it
	return n
}

// read reads rows as they are on the wire.
func (s *Session) read(reader *pgconn.ResultReader, p *plan) (*Result, error) {
	result := &Result{Rows: [][]*string{}}
	size := 0
	var problem error
	for first := true; reader.NextRow(); first = false {
		if first && p.columns == nil {
			if p.columns, problem = s.describeFields(reader.FieldDescriptions(), p.text); problem != nil {
				break
			}
		}
		values := reader.Values()
		row := make([]*string, len(values))
		for i, value := range values {
			if value == nil {
				continue
			}
			text, err := wireText(p.columns[i].Type, value)
			if err != nil {
				problem = err
				break
			}
			row[i] = &text
			size += len(text)
		}
		if size += 16 * len(row); size > maxResult {
			problem = unsupported("a result of more than %d bytes", maxResult)
			break
		}
		result.Rows = append(result.Rows, row)
	}
	if problem != nil {
		_, _ = reader.Close() // it reads the rest; the problem is ours
		return nil, problem
	}
	if p.columns == nil {
		var err error
		if p.columns, err = s.describeFields(reader.FieldDescriptions(), p.text); err != nil {
			return nil, err
		}
	}
	result.Columns = append([]Column{}, p.columns...)
	scales(result)
	return result, nil
}

// scales finds the digits of numbers whose type has none.
func scales(r *Result) {
	for i := range r.Columns {
		if r.Columns[i].Scale != unknownScale {
			continue
		}
		r.Columns[i].Scale = 0
		for _, row := range r.Rows {
			if row[i] != nil {
				_, fraction, _ := strings.Cut(*row[i], ".")
				r.Columns[i].Scale = max(r.Columns[i].Scale, int64(len(fraction)))
			}
		}
		r.Columns[i].Precision = max(r.Columns[i].Precision, r.Columns[i].Scale)
	}
}

// prepare prepares a statement that is used again, and lets PostgreSQL forget
// those that are not.
func (s *Session) prepare(ctx context.Context, p *plan) error {
	if p.prepared != "" || p.uses < prepareAt || p.text.Volatile {
		return nil
	}
	for len(s.plans.drop) > 0 {
		name := s.plans.drop[len(s.plans.drop)-1]
		s.plans.drop = s.plans.drop[:len(s.plans.drop)-1]
		if err := s.conn.Deallocate(ctx, name); err != nil {
			return err
		}
	}
	s.plans.names++
	name := "sf" + strconv.FormatInt(s.plans.names, 10)
	if err := s.save(ctx); err != nil { // an error must not abort the transaction
		return err
	}
	description, err := s.conn.Prepare(ctx, name, p.text.SQL, nil)
	if err != nil {
		return err
	}
	if err := s.release(ctx); err != nil {
		return err
	}
	p.prepared = name
	if len(description.Fields) > 0 {
		p.columns, err = s.describeFields(description.Fields, p.text)
	}
	return err
}

// sendArray executes a statement once for each value of its arrays, all or none.
func (s *Session) sendArray(ctx context.Context, r *record, st *sqltext.Statement, p *plan, q Query, n int) (*Result, error) {
	insert, ok := st.Node.(*sqltext.Insert)
	if !ok {
		return nil, unsupported("arrays bound to %s", typeName(st.Node))
	}
	for i := st.FirstParam; i < st.Params; i++ {
		if !q.Binds[i].IsArray || len(q.Binds[i].Values) != n {
			return nil, failure(1008, "22023", "Bound arrays must all have the same number of values")
		}
	}
	p.uses = max(p.uses, prepareAt)
	if err := s.prepare(ctx, p); err != nil {
		return nil, err
	}
	if err := s.save(ctx); err != nil {
		return nil, err
	}
	var affected int64
	for from := 0; from < n; from += arrayChunk {
		batch := &pgconn.Batch{}
		for at := from; at < min(n, from+arrayChunk); at++ {
			params, err := s.params(p.text, q.Binds, at)
			if err != nil {
				return nil, err
			}
			queue(batch, p, params)
		}
		if r.cancelled.Load() {
			return nil, canceled()
		}
		results, err := s.conn.ExecBatch(ctx, batch).ReadAll()
		if err != nil {
			return nil, s.explained(ctx, err)
		}
		for _, result := range results {
			affected += result.CommandTag.RowsAffected()
		}
	}
	if err := s.release(ctx); err != nil {
		return nil, err
	}
	return dmlResult(insert, counts{affected: affected}), nil
}

// describePlan describes a statement without executing it.
func (s *Session) describePlan(ctx context.Context, st *sqltext.Statement, p *plan) (*Result, error) {
	if err := s.save(ctx); err != nil {
		return nil, err
	}
	description, err := s.conn.Prepare(ctx, "", p.text.SQL, nil)
	if err != nil {
		return nil, err
	}
	if err := s.release(ctx); err != nil {
		return nil, err
	}
	if isDML(st.Node) {
		r := dmlResult(st.Node, counts{})
		r.Rows = nil
		return r, nil
	}
	columns, err := s.describeFields(description.Fields, p.text)
	if err != nil {
		return nil, err
	}
	r := &Result{TypeID: TypeSelect, Columns: columns, Rows: [][]*string{}}
	scales(r)
	return r, nil
}
