package engine

import (
	"context"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

func (s *Session) alterTable(ctx context.Context, n *sqltext.AlterTable, q Query) (*Result, error) {
	full, sql, err := s.tablePath(ctx, n.Name, q)
	if err != nil {
		return nil, err
	}
	kind, err := s.engine.kindOf(ctx, full)
	if err != nil {
		return nil, err
	}
	if kind == "" && !s.temporary[full] {
		if n.IfExists {
			return executed(), nil
		}
		return nil, missing("Table", full)
	}
	statements, err := s.alterStatements(ctx, n.Action, full, sql, kind, q)
	if err != nil {
		return nil, err
	}
	s.lastTables = []string{full}
	if err := s.alone(ctx, statements...); err != nil {
		return nil, s.explained(ctx, err)
	}
	s.engine.mu.Lock()
	clear(s.engine.columns) // a type may be another
	s.engine.mu.Unlock()
	return executed(), nil
}

// alterStatements writes one action of ALTER TABLE.
func (s *Session) alterStatements(ctx context.Context, a sqltext.TableAction, full, sql, kind string, q Query) ([]string, error) {
	alter := "ALTER TABLE " + sql + " "
	switch a.Do {
	case "ADD COLUMN":
		return s.addColumns(ctx, a, full, sql, kind, q)
	case "DROP COLUMN":
		var list []string
		for _, c := range a.Names {
			word := "DROP COLUMN "
			if a.IfExists {
				word += "IF EXISTS "
			}
			list = append(list, alter+word+pgtext.Quote(c.Text))
		}
		return list, nil
	case "RENAME COLUMN":
		return []string{alter + "RENAME COLUMN " + pgtext.Quote(a.Names[0].Text) + " TO " + pgtext.Quote(a.Names[1].Text)}, nil
	case "RENAME TO":
		to, _, err := s.tablePath(ctx, a.To, q)
		if err != nil {
			return nil, err
		}
		if schemaOf(to) != schemaOf(full) {
			return nil, unsupported("RENAME to another schema")
		}
		return []string{alter + "RENAME TO " + pgtext.Quote(nameIn(to))}, nil
	case "ADD CONSTRAINT":
		return s.addConstraint(ctx, a.Constraint, full, sql, kind, q)
	case "ADD INDEX":
		if kind != "HYBRID" {
			return nil, unsupported("INDEX on table %s, which is not a hybrid table", full)
		}
		return []string{indexStatement(a.Index, nameIn(full), sql)}, nil
	case "DROP CONSTRAINT":
		return s.dropConstraint(ctx, a.Names[0].Text, full, sql, kind)
	case "SET", "UNSET":
		return s.setTable(ctx, a, full, sql)
	case "ALTER COLUMN":
		return alterColumn(a, sql)
	}
	return nil, unsupported("ALTER TABLE … %s", a.Do)
}

func (s *Session) addColumns(ctx context.Context, a sqltext.TableAction, full, sql, kind string, q Query) ([]string, error) {
	var list []string
	for _, c := range a.Columns {
		text, err := columnText(s, ctx, q, c, false)
		if err != nil {
			return nil, err
		}
		word := "ADD COLUMN "
		if a.IfNotExists {
			if c.Default != nil || c.Identity != nil || len(c.Constraints) > 0 {
				return nil, failure(1003, "42000", "SQL compilation error:\nsyntax error: ADD COLUMN IF NOT EXISTS with DEFAULT, AUTOINCREMENT or a constraint.")
			}
			word += "IF NOT EXISTS "
		}
		list = append(list, "ALTER TABLE "+sql+" "+word+text)
		for _, constraint := range c.Constraints {
			more, err := s.addConstraint(ctx, constraint, full, sql, kind, q)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
		if c.Comment != "" {
			list = append(list, "COMMENT ON COLUMN "+sql+"."+pgtext.Quote(c.Name.Text)+" IS "+pgtext.String(c.Comment))
		}
	}
	return list, nil
}

func (s *Session) addConstraint(ctx context.Context, c sqltext.Constraint, full, sql, kind string, q Query) ([]string, error) {
	if kind != "HYBRID" { // not enforced
		if c.Kind != "PRIMARY KEY" {
			return nil, nil
		}
		a, err := s.aboutOf(ctx, full)
		if err != nil {
			return nil, err
		}
		a.PrimaryKey = nil
		for _, column := range c.Columns {
			a.PrimaryKey = append(a.PrimaryKey, column.Text)
		}
		statement, err := a.on("TABLE", sql)
		return []string{statement}, err
	}
	if c.Kind == "PRIMARY KEY" {
		return nil, unsupported("a new primary key of a hybrid table")
	}
	text, err := s.constraintText(ctx, c, nameIn(full), q)
	return []string{"ALTER TABLE " + sql + " ADD " + text}, err
}

func (s *Session) dropConstraint(ctx context.Context, name, full, sql, kind string) ([]string, error) {
	if kind != "HYBRID" {
		return nil, nil
	}
	names := []string{name, indexName(nameIn(full), name)}
	var found *string
	if err := s.engine.admin.QueryRow(ctx, `SELECT (SELECT k.conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND k.conname = ANY ($3) AND k.contype IN ('u', 'f') LIMIT 1)`, schemaOf(full), nameIn(full), names).Scan(&found); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, failure(2003, "02000", "SQL compilation error:\nConstraint '%s' does not exist or not authorized.", name)
	}
	return []string{"ALTER TABLE " + sql + " DROP CONSTRAINT " + pgtext.Quote(*found)}, nil
}

func (s *Session) setTable(ctx context.Context, action sqltext.TableAction, full, sql string) ([]string, error) {
	a, err := s.aboutOf(ctx, full)
	if err != nil {
		return nil, err
	}
	for _, o := range action.Options {
		switch o.Key {
		case "COMMENT":
			a.Comment = o.Value
		case "DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "CHANGE_TRACKING", "ENABLE_SCHEMA_EVOLUTION":
		default:
			return nil, failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for 'TABLE'", o.Key)
		}
	}
	for _, name := range action.Names {
		if name.Text == "COMMENT" {
			a.Comment = ""
		}
	}
	statement, err := a.on("TABLE", sql)
	return []string{statement}, err
}

func alterColumn(a sqltext.TableAction, sql string) ([]string, error) {
	column := pgtext.Quote(a.Names[0].Text)
	alter := "ALTER TABLE " + sql + " ALTER COLUMN " + column + " "
	switch a.Alter {
	case "SET NOT NULL", "DROP NOT NULL", "DROP DEFAULT":
		return []string{alter + a.Alter}, nil
	case "SET DATA TYPE":
		return []string{alter + "TYPE " + pgtext.TypeName(a.Columns[0].Type)}, nil
	case "COMMENT":
		return []string{"COMMENT ON COLUMN " + sql + "." + column + " IS " + pgtext.String(a.Columns[0].Comment)}, nil
	}
	return nil, unsupported("ALTER COLUMN … %s", a.Alter)
}

// drop drops anything.
func (s *Session) drop(ctx context.Context, n *sqltext.Drop, q Query) (*Result, error) {
	switch n.Kind {
	case "TABLE", "VIEW":
		return s.dropTable(ctx, n, q)
	case "INDEX":
		return s.dropIndex(ctx, n, q)
	case "SEQUENCE":
		return nil, unsupported("sequences")
	}
	return s.dropObject(ctx, n, q)
}

func dropped(name string) *Result { return status(name + " successfully dropped.") }

func alreadyDropped(name string) *Result {
	return status("Drop statement executed successfully (" + name + " already dropped).")
}

func (s *Session) dropTable(ctx context.Context, n *sqltext.Drop, q Query) (*Result, error) {
	full, sql, err := s.tablePath(ctx, n.Name, q)
	if err != nil {
		return nil, err
	}
	kind, err := s.engine.kindOf(ctx, full)
	if err != nil {
		return nil, err
	}
	isView := kind == "VIEW"
	switch {
	case kind == "" && !s.temporary[full] && n.IfExists:
		return alreadyDropped(nameIn(full)), nil
	case kind == "" && !s.temporary[full], kind != "" && isView != (n.Kind == "VIEW"):
		return nil, missing(title(n.Kind), full)
	}
	s.lastTables = []string{full}
	if err := s.alone(ctx, "DROP "+n.Kind+" "+sql); err != nil {
		if strings.Contains(err.Error(), "2BP01") {
			return nil, failure(2029, "2BP01", "SQL compilation error:\nCannot drop the table because of dependencies: %s", oneLine(err.Error()))
		}
		return nil, s.explained(ctx, err)
	}
	delete(s.temporary, full)
	return dropped(nameIn(full)), nil
}

// dropIndex is DROP INDEX t.ix: the name ends with the index's.
func (s *Session) dropIndex(ctx context.Context, n *sqltext.Drop, q Query) (*Result, error) {
	parts := n.Name.Parts
	if len(parts) < 2 {
		return nil, failure(1003, "42000", "SQL compilation error:\nsyntax error: the index is named behind its table: table.index.")
	}
	full, _, err := s.tablePath(ctx, sqltext.Path{Parts: parts[:len(parts)-1]}, q)
	if err != nil {
		return nil, err
	}
	name := parts[len(parts)-1].Text
	index := indexName(nameIn(full), name)
	var there bool
	if err := s.engine.admin.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'i')",
		schemaOf(full), index).Scan(&there); err != nil {
		return nil, err
	}
	if !there {
		if n.IfExists {
			return alreadyDropped(name), nil
		}
		return nil, missing("Index", name)
	}
	if err := s.alone(ctx, "DROP INDEX "+s.quoteFull(schemaOf(full)+"."+index)); err != nil {
		return nil, err
	}
	return dropped(name), nil
}
