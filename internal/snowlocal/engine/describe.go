package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// describe executes DESCRIBE. It needs no warehouse.
func (s *Session) describe(ctx context.Context, n *sqltext.Describe, q Query) (*Result, error) {
	var result *Result
	var err error
	switch n.Kind {
	case "TABLE", "VIEW":
		result, err = s.describeTable(ctx, n, q)
	case "USER":
		result, err = s.describeUser(ctx, n, q)
	case "WAREHOUSE":
		name, nameErr := s.object(ctx, n.Name, q)
		if nameErr != nil {
			return nil, nameErr
		}
		result = s.showWarehouses()
		result.Rows = slices.DeleteFunc(result.Rows, func(row []*string) bool { return *row[0] != name })
		if len(result.Rows) == 0 {
			return nil, missing("Warehouse", name)
		}
	default:
		return nil, unsupported("DESCRIBE %s", n.Kind)
	}
	if err != nil {
		return nil, err
	}
	result.TypeID = TypeDescribe
	return result, nil
}

func (s *Session) describeTable(ctx context.Context, n *sqltext.Describe, q Query) (*Result, error) {
	full, _, err := s.tablePath(ctx, n.Name, q)
	if err != nil {
		return nil, err
	}
	database, schema, _ := strings.Cut(schemaOf(full), ".")
	result, err := s.list(ctx, listing{columns: "name, type, kind, null?, default, primary key, unique key, check, expression, comment, policy name, privacy domain",
		query: `SELECT name, sf.type_text(typ, m), 'COLUMN', CASE WHEN nullable THEN 'Y' ELSE 'N' END, CASE WHEN identity THEN 'IDENTITY START 1 INCREMENT 1 NOORDER' ELSE default_text END,
			CASE WHEN primary_key THEN 'Y' ELSE 'N' END, CASE WHEN unique_key THEN 'Y' ELSE 'N' END, NULL::text, NULL::text, comment, NULL::text, NULL::text
			FROM sf.columns WHERE database = $1 AND schema = $2 AND table_name = $3 AND visible ORDER BY number`}, database, schema, nameIn(full))
	if err == nil && len(result.Rows) == 0 {
		err = missing(title(n.Kind), full)
	}
	return result, err
}

func (s *Session) describeUser(ctx context.Context, n *sqltext.Describe, q Query) (*Result, error) {
	name, err := s.object(ctx, n.Name, q)
	if err != nil {
		return nil, err
	}
	u, ok, err := s.engine.User(ctx, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing("User", name)
	}
	r := &Result{Columns: columnsOf("property, value, default, description"), Rows: [][]*string{}}
	for _, p := range [][2]string{
		{"NAME", u.Name}, {"LOGIN_NAME", u.Name}, {"DISABLED", strconv.FormatBool(u.Disabled)}, {"DEFAULT_WAREHOUSE", u.DefaultWarehouse},
		{"DEFAULT_NAMESPACE", u.DefaultNamespace}, {"DEFAULT_ROLE", u.DefaultRole},
	} {
		r.Rows = append(r.Rows, values(p[0], p[1], "null", ""))
	}
	return r, nil
}
