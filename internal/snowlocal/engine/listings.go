package engine

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// listing is what a SHOW or DESCRIBE returns: columns as "name type", and a
// query in PostgreSQL that gives them as texts.
type listing struct {
	columns string
	query   string
}

// like matches a pattern with %, _ and \.
func like(s, pattern []rune) bool {
	for len(pattern) > 0 {
		switch c := pattern[0]; {
		case c == '%':
			for i := 0; i <= len(s); i++ {
				if like(s[i:], pattern[1:]) {
					return true
				}
			}
			return false
		case len(s) == 0:
			return false
		case c == '\\' && len(pattern) > 1:
			if s[0] != pattern[1] {
				return false
			}
			pattern = pattern[1:]
		case c != '_' && c != s[0]:
			return false
		}
		s, pattern = s[1:], pattern[1:]
	}
	return len(s) == 0
}

// scopeOf is the database and the schema that IN names; empty is any.
func (s *Session) scopeOf(ctx context.Context, n *sqltext.Show, q Query) (database, schema string, err error) {
	info := s.Info()
	given := len(n.Object.Parts) > 0 || n.Object.Of != nil
	switch {
	case n.In == "":
		return info.Database, info.Schema, nil
	case n.In == "ACCOUNT":
		return "", "", nil
	case n.In == "DATABASE" && !given:
		return info.Database, "", nil
	case n.In == "SCHEMA" && !given:
		return info.Database, info.Schema, nil
	case n.In == "DATABASE":
		database, err = s.object(ctx, n.Object, q)
	case n.In == "SCHEMA":
		database, schema, err = s.schemaPath(ctx, n.Object, q)
	default: // IN name
		parts, pathErr := s.path(ctx, n.Object, q)
		if pathErr != nil {
			return "", "", pathErr
		}
		if database = parts[0]; len(parts) > 1 {
			schema = parts[1]
		} else if visible, visibleErr := s.visibleSchema(ctx, info.Database, parts[0]); visibleErr == nil && visible {
			database, schema = info.Database, parts[0]
		}
	}
	if err != nil {
		return "", "", err
	}
	check := schema
	if check == "" {
		check = "INFORMATION_SCHEMA"
	}
	visible, err := s.visibleSchema(ctx, database, check)
	if err == nil && !visible {
		err = failure(2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
	}
	return database, schema, err
}

// epoch writes a time as the wire has it.
const epoch = "to_char(extract(epoch from %s), 'FM999999999990.000000000')"

func epochOf(column string) string { return fmt.Sprintf(epoch, column) }

// listings are what is read of the catalogue. $1 is the database, $2 the schema;
// empty is any.
func (s *Session) listings() map[string]listing {
	info := s.Info()
	in := "($1 = '' OR database = $1) AND ($2 = '' OR schema = $2)"
	current := func(column, value string) string {
		return "CASE WHEN " + column + " = " + pgtext.String(value) + " THEN 'Y' ELSE 'N' END"
	}
	return map[string]listing{
		"TABLES": {columns: "created_on:t, name, database_name, schema_name, kind, comment, cluster_by, rows:n, bytes:n, owner, retention_time, automatic_clustering, change_tracking, is_external, owner_role_type, is_hybrid, is_dynamic, is_interactive",
			query: "SELECT " + epochOf("created") + ", name, database, schema, CASE kind WHEN 'TRANSIENT' THEN 'TRANSIENT' ELSE 'TABLE' END, comment, '', sf.row_count(schema_full, name)::text, pg_relation_size(oid)::text, owner, '1', 'OFF', 'OFF', 'N', 'ROLE', CASE kind WHEN 'HYBRID' THEN 'Y' ELSE 'N' END, 'N', CASE kind WHEN 'INTERACTIVE' THEN 'Y' ELSE 'N' END FROM sf.relations WHERE kind <> 'VIEW' AND visible AND " + in + " ORDER BY database, schema, name"},
		"HYBRID TABLES": {columns: "created_on:t, name, database_name, schema_name, owner, rows:n, bytes:n, comment, owner_role_type",
			query: "SELECT " + epochOf("created") + ", name, database, schema, owner, sf.row_count(schema_full, name)::text, pg_relation_size(oid)::text, comment, 'ROLE' FROM sf.relations WHERE kind = 'HYBRID' AND visible AND " + in + " ORDER BY database, schema, name"},
		"VIEWS": {columns: "created_on:t, name, reserved, database_name, schema_name, owner, comment, text, is_secure, is_materialized, owner_role_type",
			query: "SELECT " + epochOf("created") + ", name, '', database, schema, owner, comment, sf.about(oid) ->> 'text', 'false', 'false', 'ROLE' FROM sf.relations WHERE kind = 'VIEW' AND visible AND " + in + " ORDER BY database, schema, name"},
		"COLUMNS": {columns: "table_name, schema_name, column_name, data_type, null?, default, kind, expression, comment, database_name, autoincrement",
			query: "SELECT table_name, schema, name, jsonb_build_object('type', CASE sf.type_name(typ) WHEN 'NUMBER' THEN 'FIXED' WHEN 'FLOAT' THEN 'REAL' ELSE sf.type_name(typ) END, 'precision', sf.precision(typ, m), 'scale', sf.scale(typ, m), 'length', sf.length_of(typ, m), 'nullable', nullable)::text, nullable::text, coalesce(default_text, ''), 'COLUMN', '', coalesce(comment, ''), database, CASE WHEN identity THEN 'IDENTITY START 1 INCREMENT 1 NOORDER' ELSE '' END FROM sf.columns WHERE visible AND " + in + " AND ($3 = '' OR table_name = $3) ORDER BY database, schema, table_name, number"},
		"INDEXES": {columns: "created_on:t, name, is_unique, columns, included_columns, table, database_name, schema_name, owner, owner_role_type, status",
			query: `SELECT ` + epochOf("r.created") + `, CASE WHEN i.indisprimary THEN 'SYS_INDEX_' || r.name || '_PRIMARY' ELSE substr(c.relname, length(r.name) + 2) END, CASE WHEN i.indisunique THEN 'Y' ELSE 'N' END,
				'[' || (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k) FROM generate_series(1, i.indnkeyatts) AS k) || ']',
				'[' || coalesce((SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k) FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS k), '') || ']',
				r.name, r.database, r.schema, r.owner, 'ROLE', 'ACTIVE' FROM sf.relations AS r JOIN pg_index AS i ON i.indrelid = r.oid JOIN pg_class AS c ON c.oid = i.indexrelid WHERE visible AND ` + in + " AND ($3 = '' OR r.name = $3) ORDER BY r.name, c.relname"},
		"SCHEMAS": {columns: "created_on:t, name, is_default, is_current, database_name, owner, comment, options, retention_time, owner_role_type",
			query: "SELECT " + epochOf("created") + ", name, 'N', " + current("database || '.' || name", info.Database+"."+info.Schema) + ", database, owner, comment, '', '1', 'ROLE' FROM sf.schemas WHERE ($1 = '' OR database = $1) AND ($2 = '' OR true) AND has_schema_privilege(database || '.' || name, 'USAGE') ORDER BY database, name"},
		"DATABASES": {columns: "created_on:t, name, is_default, is_current, origin, owner, comment, options, retention_time, kind, owner_role_type",
			query: "SELECT " + epochOf("created") + ", name, 'N', " + current("name", info.Database) + ", '', owner, comment, '', '1', 'STANDARD', 'ROLE' FROM sf.databases WHERE ($1 || $2 IS NOT NULL) AND has_schema_privilege(name || '.INFORMATION_SCHEMA', 'USAGE') ORDER BY name"},
	}
}

// tableGrants are the grants on tables, from PostgreSQL's.
const tableGrants = `SELECT r.created, a.privilege_type, CASE r.kind WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END, r.database || '.' || r.schema || '.' || r.name, 'ROLE',
	split_part(pg_get_userbyid(a.grantee), ':', 3), a.is_grantable, r.owner FROM sf.relations AS r JOIN pg_class AS c ON c.oid = r.oid, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
	WHERE a.grantee <> 0 AND a.privilege_type <> 'TRIGGER' AND a.grantee <> c.relowner
	UNION ALL SELECT created, 'OWNERSHIP', CASE kind WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END, database || '.' || schema || '.' || name, 'ROLE', owner, true, owner FROM sf.relations
	UNION ALL SELECT created, 'OWNERSHIP', 'SCHEMA', database || '.' || name, 'ROLE', owner, true, owner FROM sf.schemas
	UNION ALL SELECT created, 'OWNERSHIP', 'DATABASE', name, 'ROLE', owner, true, owner FROM sf.databases
	UNION ALL SELECT created, 'OWNERSHIP', replace(kind, ' ', '_'), name, 'ROLE', owner, true, owner FROM sf.kept
	UNION ALL SELECT created, 'OWNERSHIP', 'WAREHOUSE', name, 'ROLE', owner, true, owner FROM sf.warehouses
	UNION ALL SELECT created, privilege, replace(kind, ' ', '_'), object, grantee_kind, grantee, grant_option, granted_by FROM sf.grants`
