package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// onTables are the privileges of tables that PostgreSQL has too.
var onTables = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"}

// grantable are the privileges of the other kinds.
var grantable = map[string][]string{
	"SCHEMA": {"USAGE", "MODIFY", "MONITOR", "CREATE TABLE", "CREATE HYBRID TABLE", "CREATE VIEW", "CREATE SEQUENCE", "CREATE STAGE", "CREATE FUNCTION", "CREATE PROCEDURE",
		"CREATE SERVICE", "CREATE IMAGE REPOSITORY", "CREATE SECRET", "CREATE NETWORK RULE", "CREATE TEMPORARY TABLE"},
	"DATABASE":  {"USAGE", "MODIFY", "MONITOR", "CREATE SCHEMA"},
	"WAREHOUSE": {"USAGE", "MODIFY", "MONITOR", "OPERATE"},
	"ACCOUNT": {"CREATE DATABASE", "CREATE WAREHOUSE", "CREATE ROLE", "CREATE USER", "CREATE COMPUTE POOL", "CREATE INTEGRATION", "MANAGE GRANTS", "MONITOR USAGE", "MONITOR EXECUTION",
		"BIND SERVICE ENDPOINT", "EXECUTE TASK", "IMPORT SHARE"},
	"USER":             {"MONITOR"},
	"COMPUTE POOL":     {"USAGE", "MODIFY", "MONITOR", "OPERATE"},
	"IMAGE REPOSITORY": {"READ", "WRITE"},
	"SECRET":           {"USAGE", "READ"},
	"SERVICE":          {"USAGE", "MONITOR", "OPERATE"},
	"INTEGRATION":      {"USAGE"},
}

func (s *Session) grant(ctx context.Context, n *sqltext.Grant, q Query) (*Result, error) {
	grantee, err := s.object(ctx, n.Grantee, q)
	if err != nil {
		return nil, err
	}
	if there, err := s.engine.exists(ctx, n.To, grantee); err != nil {
		return nil, err
	} else if !there {
		return nil, missing(title(n.To), grantee)
	}
	switch {
	case n.Kind == "ROLE":
		err = s.grantRole(ctx, n, grantee, q)
	case n.To == "USER":
		err = unsupported("privileges granted to a user")
	case n.Kind == "TABLE" || n.Kind == "VIEW" || n.Kind == "HYBRID TABLE":
		err = s.grantTables(ctx, n, grantee, q)
	case n.All || n.Future:
		err = s.grantScope(ctx, n, grantee, q)
	default:
		err = s.grantObject(ctx, n, grantee, q)
	}
	if err != nil {
		return nil, err
	}
	return executed(), nil
}

func (s *Session) grantRole(ctx context.Context, n *sqltext.Grant, grantee string, q Query) error {
	role, err := s.object(ctx, n.Object, q)
	if err != nil {
		return err
	}
	if there, err := s.engine.exists(ctx, "ROLE", role); err != nil {
		return err
	} else if !there {
		return missing("Role", role)
	}
	if err := s.may(ctx, "ACCOUNT", "", "CREATE ROLE"); err != nil {
		return err
	}
	return s.admin(ctx, func(tx pgx.Tx) error {
		if !n.Revoke {
			return s.engine.grantRole(ctx, tx, role, n.To, grantee, s.info.Role)
		}
		if _, err := tx.Exec(ctx, "DELETE FROM sf.grants WHERE kind = 'ROLE' AND object = $1 AND grantee_kind = $2 AND grantee = $3", role, n.To, grantee); err != nil || n.To == "USER" {
			return err
		}
		_, err := tx.Exec(ctx, "REVOKE "+pgtext.Quote(s.engine.pgRole(role))+" FROM "+pgtext.Quote(s.engine.pgRole(grantee)))
		return err
	})
}

// verb writes GRANT privileges ON object TO role, or REVOKE.
func (s *Session) verb(n *sqltext.Grant, privileges, object, grantee string) string {
	role := pgtext.Quote(s.engine.pgRole(grantee))
	if n.Revoke {
		return "REVOKE " + privileges + " ON " + object + " FROM " + role
	}
	text := "GRANT " + privileges + " ON " + object + " TO " + role
	if n.Option {
		text += " WITH GRANT OPTION"
	}
	return text
}

// tablePrivileges writes privileges of tables as PostgreSQL's.
func tablePrivileges(list []string) (string, error) {
	if slices.Contains(list, "ALL") || slices.Contains(list, "ALL PRIVILEGES") {
		return strings.Join(onTables, ", "), nil
	}
	for _, p := range list {
		if !slices.Contains(onTables, p) && p != "OWNERSHIP" {
			return "", failure(1003, "42000", "SQL compilation error:\nsyntax error: invalid privilege '%s' on a table.", p)
		}
	}
	return strings.Join(list, ", "), nil
}

func (s *Session) grantTables(ctx context.Context, n *sqltext.Grant, grantee string, q Query) error {
	privileges, err := tablePrivileges(n.Privileges)
	if err != nil {
		return err
	}
	if n.All || n.Future {
		return s.grantTableScope(ctx, n, privileges, grantee, q)
	}
	full, sql, err := s.tablePath(ctx, n.Object, q)
	if err != nil {
		return err
	}
	var owner string
	if err := s.engine.admin.QueryRow(ctx, "SELECT coalesce((SELECT owner FROM sf.relations WHERE schema_full = $1 AND name = $2), '')", schemaOf(full), nameIn(full)).Scan(&owner); err != nil {
		return err
	}
	if owner == "" {
		return missing("Table", full)
	}
	if err := s.mayGrant(ctx, owner, "table", nameIn(full)); err != nil {
		return err
	}
	statement := s.verb(n, privileges, sql, grantee)
	if privileges == "OWNERSHIP" && !n.Revoke {
		statement = "ALTER TABLE " + sql + " OWNER TO " + pgtext.Quote(s.engine.pgRole(grantee))
	}
	return s.admin(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
}

// mayGrant wants the owner's role, or MANAGE GRANTS.
func (s *Session) mayGrant(ctx context.Context, owner, kind, name string) error {
	roles, err := s.engine.closure(ctx, s.info.Role)
	if err != nil || roles[owner] {
		return err
	}
	ok, err := s.engine.allowed(ctx, s.info.Role, "ACCOUNT", "", "MANAGE GRANTS")
	if err != nil || ok {
		return err
	}
	return failure(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on %s '%s'", kind, name)
}

// grantTableScope is ON ALL or FUTURE TABLES IN a schema or database.
func (s *Session) grantTableScope(ctx context.Context, n *sqltext.Grant, privileges, grantee string, q Query) error {
	scope, err := s.objectName(ctx, n.In, n.Object, q)
	if err != nil {
		return err
	}
	if there, err := s.engine.exists(ctx, n.In, scope); err != nil {
		return err
	} else if !there {
		return missing(title(n.In), scope)
	}
	if err := s.may(ctx, n.In, scope, "OWNERSHIP"); err != nil {
		if err := s.may(ctx, "ACCOUNT", "", "MANAGE GRANTS"); err != nil {
			return err
		}
	}
	kind := strings.TrimPrefix(n.Kind, "HYBRID ")
	return s.admin(ctx, func(tx pgx.Tx) error {
		if n.Future {
			return future(ctx, tx, n, kind, scope, privileges, grantee)
		}
		rows, err := tx.Query(ctx, "SELECT schema_full, name FROM sf.relations WHERE (schema_full = $1 OR database = $1) AND (kind = 'VIEW') = ($2 = 'VIEW')", scope, kind)
		if err != nil {
			return err
		}
		tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			var schema, name string
			err := row.Scan(&schema, &name)
			return pgtext.Quote(schema) + "." + pgtext.Quote(name), err
		})
		if err != nil {
			return err
		}
		for _, table := range tables {
			if _, err := tx.Exec(ctx, s.verb(n, privileges, table, grantee)); err != nil {
				return err
			}
		}
		return nil
	})
}

func future(ctx context.Context, tx pgx.Tx, n *sqltext.Grant, kind, scope, privileges, grantee string) error {
	for privilege := range strings.SplitSeq(privileges, ", ") {
		statement := "INSERT INTO sf.future_grants (kind, scope, privilege, grantee) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
		if n.Revoke {
			statement = "DELETE FROM sf.future_grants WHERE kind = $1 AND scope = $2 AND privilege = $3 AND grantee = $4"
		}
		if _, err := tx.Exec(ctx, statement, kind, scope, privilege, grantee); err != nil {
			return err
		}
	}
	return nil
}

// grantScope is ON ALL or FUTURE SCHEMAS IN a database.
func (s *Session) grantScope(ctx context.Context, n *sqltext.Grant, grantee string, q Query) error {
	if n.Kind != "SCHEMA" || n.Future {
		return unsupported("privileges on all or future objects of kind %s", n.Kind)
	}
	database, err := s.object(ctx, n.Object, q)
	if err != nil {
		return err
	}
	rows, err := s.engine.admin.Query(ctx, "SELECT name FROM sf.schemas WHERE database = $1", database)
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		one := *n
		one.All, one.Object = false, sqltext.Path{Parts: []sqltext.Name{{Text: database, Quoted: true}, {Text: schema, Quoted: true}}}
		if err := s.grantObject(ctx, &one, grantee, q); err != nil {
			return err
		}
	}
	return nil
}

// grantObject is about a schema, database, warehouse, user or the account.
func (s *Session) grantObject(ctx context.Context, n *sqltext.Grant, grantee string, q Query) error {
	known, ok := grantable[n.Kind]
	if !ok {
		return unsupported("privileges on %s", strings.ToLower(n.Kind))
	}
	name := ""
	if n.Kind != "ACCOUNT" {
		var err error
		if name, err = s.objectName(ctx, n.Kind, n.Object, q); err != nil {
			return err
		}
		if there, err := s.engine.exists(ctx, n.Kind, name); err != nil {
			return err
		} else if !there {
			return missing(title(n.Kind), name)
		}
		if err := s.may(ctx, n.Kind, name, "OWNERSHIP"); err != nil {
			if s.may(ctx, "ACCOUNT", "", "MANAGE GRANTS") != nil {
				return err
			}
		}
	} else if err := s.may(ctx, "ACCOUNT", "", "MANAGE GRANTS"); err != nil {
		return err
	}
	privileges := n.Privileges
	if slices.Contains(privileges, "ALL") || slices.Contains(privileges, "ALL PRIVILEGES") {
		privileges = known
	}
	return s.admin(ctx, func(tx pgx.Tx) error {
		for _, p := range privileges {
			if !slices.Contains(known, p) {
				if p == "OWNERSHIP" {
					return unsupported("GRANT OWNERSHIP ON %s", n.Kind)
				}
				return failure(1003, "42000", "SQL compilation error:\nsyntax error: invalid privilege '%s' on %s.", p, strings.ToLower(n.Kind))
			}
			if err := s.grantOne(ctx, tx, n, name, p, grantee); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Session) grantOne(ctx context.Context, tx pgx.Tx, n *sqltext.Grant, name, privilege, grantee string) error {
	var err error
	if n.Revoke {
		_, err = tx.Exec(ctx, "DELETE FROM sf.grants WHERE kind = $1 AND object = $2 AND privilege = $3 AND grantee_kind = 'ROLE' AND grantee = $4", n.Kind, name, privilege, grantee)
	} else {
		_, err = tx.Exec(ctx, `INSERT INTO sf.grants (kind, object, privilege, grantee_kind, grantee, grant_option, granted_by) VALUES ($1, $2, $3, 'ROLE', $4, $5, $6)
			ON CONFLICT (kind, object, privilege, grantee_kind, grantee) DO UPDATE SET grant_option = excluded.grant_option`, n.Kind, name, privilege, grantee, n.Option, s.info.Role)
	}
	if err != nil {
		return err
	}
	schema, pg := name, ""
	switch {
	case n.Kind == "DATABASE" && privilege == "USAGE":
		schema, pg = name+".INFORMATION_SCHEMA", "USAGE"
	case n.Kind == "SCHEMA" && privilege == "USAGE":
		pg = "USAGE"
	case n.Kind == "SCHEMA" && strings.HasPrefix(privilege, "CREATE "):
		pg = "CREATE"
		if n.Revoke {
			var others bool
			if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM sf.grants WHERE kind = 'SCHEMA' AND object = $1 AND grantee = $2 AND privilege LIKE 'CREATE %')", name, grantee).Scan(&others); err != nil || others {
				return err
			}
		}
	}
	if pg == "" {
		return nil
	}
	_, err = tx.Exec(ctx, s.verb(n, pg, "SCHEMA "+pgtext.Quote(schema), grantee))
	return err
}
