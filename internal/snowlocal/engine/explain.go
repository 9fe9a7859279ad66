package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// planNode is a node of PostgreSQL's plan.
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Schema   string     `json:"Schema"`
	Alias    string     `json:"Alias"`
	Filter   string     `json:"Filter"`
	Index    string     `json:"Index Cond"`
	Output   []string   `json:"Output"`
	Plans    []planNode `json:"Plans"`
}

// operation is a line of EXPLAIN.
type operation struct {
	ID          int      `json:"id"`
	Parent      *int     `json:"parent,omitempty"`
	Operation   string   `json:"operation"`
	Objects     []string `json:"objects,omitempty"`
	Alias       string   `json:"alias,omitempty"`
	Expressions []string `json:"expressions,omitempty"`
}

// explain plans a statement in PostgreSQL, so that a bad one is refused, and
// shows the plan in Snowflake's shape. The plan is PostgreSQL's.
func (s *Session) explain(ctx context.Context, r *record, n *sqltext.Explain, q Query) (*Result, error) {
	switch n.Of.Node.(type) {
	case *sqltext.Query, *sqltext.Insert, *sqltext.Update, *sqltext.Delete, *sqltext.Merge:
	default:
		return nil, unsupported("EXPLAIN of %s", typeName(n.Of.Node))
	}
	text, err := s.write(ctx, n.Of.Node, q)
	if err != nil {
		return nil, err
	}
	params, err := s.params(text, q.Binds, -1)
	if err != nil {
		return nil, err
	}
	s.lastTables = text.Tables
	text.Names, text.Types = nil, nil
	text.SQL = "EXPLAIN (FORMAT JSON, VERBOSE) " + text.SQL
	if err := s.save(ctx); err != nil {
		return nil, err
	}
	result, _, err := s.sendAlone(ctx, &plan{text: text}, params)
	if err != nil {
		return nil, s.explained(ctx, err)
	}
	if err := s.release(ctx); err != nil {
		return nil, err
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(*result.Rows[0][0]), &plans); err != nil {
		return nil, err
	}
	operations := []operation{{Operation: "Result"}}
	for _, p := range plans {
		operations = flatten(operations, p.Plan, 0)
	}
	return explained(n.Format, operations)
}

func flatten(list []operation, p planNode, parent int) []operation {
	o := operation{ID: len(list), Parent: &parent, Operation: operationName(p.Type), Alias: p.Alias, Expressions: p.Output}
	if p.Relation != "" {
		o.Objects = []string{p.Schema + "." + p.Relation}
	}
	for _, condition := range []string{p.Index, p.Filter} {
		if condition != "" {
			o.Expressions = append(o.Expressions, condition)
		}
	}
	list = append(list, o)
	for _, child := range p.Plans {
		list = flatten(list, child, o.ID)
	}
	return list
}

func operationName(pg string) string {
	switch pg {
	case "Seq Scan":
		return "TableScan"
	case "Index Scan", "Index Only Scan", "Bitmap Heap Scan":
		return "IndexScan"
	case "Hash Join", "Nested Loop", "Merge Join":
		return "InnerJoin"
	case "ModifyTable":
		return "DML"
	}
	return strings.ReplaceAll(pg, " ", "")
}

func explained(format string, list []operation) (*Result, error) {
	r := &Result{TypeID: TypeExplain, Rows: [][]*string{}}
	switch format {
	case "JSON":
		text, err := json.Marshal(map[string]any{"GlobalStats": map[string]int{"partitionsTotal": 0, "partitionsAssigned": 0, "bytesAssigned": 0}, "Operations": [][]operation{list}})
		if err != nil {
			return nil, err
		}
		line := string(text)
		r.Columns, r.Rows = []Column{textColumn("content")}, [][]*string{{&line}}
	case "TEXT":
		lines := []string{"GlobalStats:", "    partitionsTotal=0", "    partitionsAssigned=0", "    bytesAssigned=0", "Operations:"}
		for _, o := range list {
			lines = append(lines, fmt.Sprintf("1:%d     ->%s  %s", o.ID, o.Operation, strings.Join(append(append([]string{}, o.Objects...), o.Expressions...), ", ")))
		}
		text := strings.Join(lines, "\n")
		r.Columns, r.Rows = []Column{textColumn("content")}, [][]*string{{&text}}
	default:
		r.Columns = []Column{numberColumn("step"), numberColumn("id"), numberColumn("parent"), textColumn("operation"), textColumn("objects"), textColumn("alias"), textColumn("expressions"),
			numberColumn("partitionsTotal"), numberColumn("partitionsAssigned"), numberColumn("bytesAssigned")}
		for i := range r.Columns {
			r.Columns[i].Nullable = true
		}
		for _, o := range list {
			r.Rows = append(r.Rows, o.row())
		}
	}
	return r, nil
}

func (o operation) row() []*string {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	var parent *string
	if o.Parent != nil {
		parent = text(strconv.Itoa(*o.Parent))
	}
	return []*string{text("1"), text(strconv.Itoa(o.ID)), parent, text(o.Operation), text(strings.Join(o.Objects, ", ")), text(o.Alias), text(strings.Join(o.Expressions, ", ")), nil, nil, nil}
}
