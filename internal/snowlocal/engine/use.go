package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// path reads IDENTIFIER(…) in a path.
func (s *Session) path(ctx context.Context, p sqltext.Path, q Query) ([]string, error) {
	p, err := pgtext.Path(s.context(ctx, q), p)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(p.Parts))
	for i, part := range p.Parts {
		parts[i] = part.Text
	}
	return parts, nil
}

// object reads a path to something that is in no schema.
func (s *Session) object(ctx context.Context, p sqltext.Path, q Query) (string, error) {
	parts, err := s.path(ctx, p, q)
	if err != nil {
		return "", err
	}
	if len(parts) != 1 {
		return "", failure(1003, "42000", "SQL compilation error:\nsyntax error: a name of one part is needed, not '%s'.", strings.Join(parts, "."))
	}
	return parts[0], nil
}

// schemaPath reads a path to a schema.
func (s *Session) schemaPath(ctx context.Context, p sqltext.Path, q Query) (database, schema string, err error) {
	parts, err := s.path(ctx, p, q)
	if err != nil {
		return "", "", err
	}
	switch len(parts) {
	case 1:
		if database = s.Info().Database; database == "" {
			return "", "", failure(90105, "22000", "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.")
		}
		return database, parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	}
	return "", "", failure(1003, "42000", "SQL compilation error:\nsyntax error: a schema has two parts at most, not '%s'.", strings.Join(parts, "."))
}

// tablePath reads a path to a table in full.
func (s *Session) tablePath(ctx context.Context, p sqltext.Path, q Query) (full, sql string, err error) {
	return pgtext.Name(s.context(ctx, q), p)
}

func (s *Session) useStatement(ctx context.Context, n *sqltext.Use, q Query) (*Result, error) {
	if n.Kind == "SECONDARY ROLES" {
		if n.Word == "ALL" {
			return nil, unsupported("USE SECONDARY ROLES ALL")
		}
		return useResult(), nil
	}
	parts, err := s.path(ctx, n.Name, q)
	if err != nil {
		return nil, err
	}
	last := parts[len(parts)-1]
	switch {
	case n.Kind == "ROLE" && len(parts) == 1:
		err = s.useRole(ctx, last)
	case n.Kind == "WAREHOUSE" && len(parts) == 1:
		err = s.useWarehouse(ctx, last)
	case (n.Kind == "DATABASE" || n.Kind == "") && len(parts) == 1:
		err = s.useDatabase(ctx, last)
	case n.Kind == "SCHEMA" && len(parts) == 1:
		err = s.useSchema(ctx, last)
	case (n.Kind == "SCHEMA" || n.Kind == "") && len(parts) == 2:
		err = s.useBoth(ctx, parts[0], parts[1])
	default:
		err = failure(1003, "42000", "SQL compilation error:\nsyntax error: USE %s '%s'.", n.Kind, strings.Join(parts, "."))
	}
	if err != nil {
		return nil, err
	}
	return useResult(), nil
}

func useResult() *Result {
	r := executed()
	r.TypeID = TypeUse
	return r
}

func (s *Session) useRole(ctx context.Context, role string) error {
	roles, err := s.roles(ctx)
	if err != nil {
		return err
	}
	if !roles[role] {
		return failure(3013, "42501", "SQL access control error:\nRequested role '%s' is not assigned to the executing user. Specify another role to activate.", role)
	}
	s.use(func(i *SessionInfo) { i.Role = role })
	return nil
}

func (s *Session) useWarehouse(ctx context.Context, name string) error {
	s.engine.mu.Lock()
	_, ok := s.engine.warehouses[name]
	s.engine.mu.Unlock()
	if ok {
		for _, privilege := range []string{"USAGE", "OPERATE"} {
			may, err := s.engine.allowed(ctx, s.info.Role, "WAREHOUSE", name, privilege)
			if err != nil {
				return err
			}
			if may {
				s.use(func(i *SessionInfo) { i.Warehouse = name })
				return nil
			}
		}
	}
	return failure(2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
}

// visibleSchema reports whether the session's role may use a schema.
func (s *Session) visibleSchema(ctx context.Context, database, schema string) (bool, error) {
	var visible bool
	err := s.engine.admin.QueryRow(ctx, "SELECT has_schema_privilege($1, oid, 'USAGE') FROM pg_namespace WHERE nspname = $2",
		s.engine.pgRole(s.info.Role), database+"."+schema).Scan(&visible)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return visible, err
}

func (s *Session) useDatabase(ctx context.Context, name string) error {
	visible, err := s.visibleSchema(ctx, name, "INFORMATION_SCHEMA")
	if err != nil {
		return err
	}
	if !visible {
		return failure(2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
	}
	schema := ""
	if visible, err = s.visibleSchema(ctx, name, public); err != nil {
		return err
	} else if visible {
		schema = public
	}
	s.use(func(i *SessionInfo) { i.Database, i.Schema = name, schema })
	return nil
}

func (s *Session) useSchema(ctx context.Context, name string) error {
	database := s.Info().Database
	if database == "" {
		return failure(90105, "22000", "Cannot perform USE SCHEMA. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.")
	}
	return s.useBoth(ctx, database, name)
}

func (s *Session) useBoth(ctx context.Context, database, schema string) error {
	visible, err := s.visibleSchema(ctx, database, schema)
	if err != nil {
		return err
	}
	if !visible {
		return failure(2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
	}
	s.use(func(i *SessionInfo) { i.Database, i.Schema = database, schema })
	return nil
}

// explained turns a missing privilege into a missing object where the role has no
// privilege at all on it.
func (s *Session) explained(ctx context.Context, err error) error {
	table, schema := deniedTable(err)
	if table == "" {
		return err
	}
	for _, full := range s.lastTables {
		database, rest, _ := strings.Cut(full, ".")
		sch, name, _ := strings.Cut(rest, ".")
		if !schema && name != table || schema && database+"."+sch != table {
			continue
		}
		var visible bool
		found := s.engine.admin.QueryRow(ctx, `SELECT has_schema_privilege($1, n.oid, 'USAGE') AND has_table_privilege($1, c.oid, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES')
			FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $2 AND c.relname = $3`,
			s.engine.pgRole(s.info.Role), database+"."+sch, name).Scan(&visible)
		if found != nil && !errors.Is(found, pgx.ErrNoRows) {
			return found
		}
		if !visible {
			return missing("Object", full)
		}
		return failure(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on table '%s'", name)
	}
	return err
}
