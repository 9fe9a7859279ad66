package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// listing is what a SHOW or DESCRIBE returns: columns as "name type", and a
// query in PostgreSQL that gives them as texts.
type listing struct {
	columns string
	query   string
}

// catalogue reads PostgreSQL's catalogue as the session's role.
func (s *Session) catalogue(ctx context.Context, query string, args ...string) (*Result, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	if err := s.save(ctx); err != nil {
		return nil, err
	}
	result, _, err := s.sendAlone(ctx, &plan{text: &pgtext.Text{SQL: query}}, params)
	if err != nil {
		return nil, err
	}
	return result, s.release(ctx)
}

// columnsOf reads columns of a listing: "name text_type, …"; without a type they
// are texts.
func columnsOf(text string) []Column {
	var list []Column
	for item := range strings.SplitSeq(text, ", ") {
		name, typ, _ := strings.Cut(item, ":")
		switch typ {
		case "n":
			list = append(list, Column{Name: name, Type: "fixed", Precision: 38, Nullable: true})
		case "t":
			list = append(list, Column{Name: name, Type: "timestamp_ltz", Scale: 3, Nullable: true})
		default:
			list = append(list, textColumn(name))
		}
	}
	return list
}

// show executes SHOW. It needs no warehouse.
func (s *Session) show(ctx context.Context, n *sqltext.Show, q Query) (*Result, error) {
	var result *Result
	var err error
	switch n.What {
	case "WAREHOUSES":
		result = s.showWarehouses()
	case "PARAMETERS":
		result, err = s.showParameters(n)
	case "VARIABLES":
		result = s.showVariables()
	case "GRANTS":
		result, err = s.showGrants(ctx, n, q)
	default:
		result, err = s.showObjects(ctx, n, q)
	}
	if err != nil {
		return nil, err
	}
	result.TypeID = TypeShow
	return result, s.filter(ctx, n, result, q)
}

// filter keeps the rows that LIKE, STARTS WITH and LIMIT leave.
func (s *Session) filter(ctx context.Context, n *sqltext.Show, r *Result, q Query) error {
	name := slices.IndexFunc(r.Columns, func(c Column) bool {
		return c.Name == map[bool]string{true: "key", false: "name"}[n.What == "PARAMETERS"]
	})
	if n.What == "COLUMNS" {
		name = slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == "column_name" })
	}
	for i, x := range []sqltext.Expr{n.Like, n.Start, n.Limit} {
		if x == nil {
			continue
		}
		values, _, err := s.evaluate(ctx, []sqltext.Expr{x}, q)
		if err != nil {
			return err
		}
		if values[0] == nil {
			return failure(1003, "42000", "SQL compilation error:\nsyntax error unexpected NULL.")
		}
		text := *values[0]
		if i == 2 {
			limit, err := strconv.Atoi(text)
			if err != nil || limit < 0 {
				return failure(1003, "42000", "SQL compilation error:\nsyntax error: LIMIT %s.", text)
			}
			r.Rows = r.Rows[:min(limit, len(r.Rows))]
			continue
		}
		if name < 0 {
			return unsupported("SHOW %s LIKE", n.What)
		}
		r.Rows = slices.DeleteFunc(r.Rows, func(row []*string) bool {
			if i == 1 {
				return !strings.HasPrefix(*row[name], text)
			}
			return !like([]rune(strings.ToUpper(*row[name])), []rune(strings.ToUpper(text)))
		})
	}
	return nil
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

func (s *Session) showObjects(ctx context.Context, n *sqltext.Show, q Query) (*Result, error) {
	switch n.What {
	case "ROLES":
		return s.showNames(ctx, "roles", "created_on:t, name, is_default, is_current, is_inherited, owner, comment",
			"SELECT "+epochOf("created")+", name, 'N', CASE WHEN name = $1 THEN 'Y' ELSE 'N' END, 'N', '', comment FROM sf.roles ORDER BY name", s.info.Role)
	case "USERS":
		return s.showNames(ctx, "users", "name, created_on:t, login_name, disabled, default_warehouse, default_namespace, default_role, has_password, has_rsa_public_key",
			"SELECT name, "+epochOf("created")+", name, coalesce(def ->> 'Disabled', 'false'), def ->> 'DefaultWarehouse', def ->> 'DefaultNamespace', def ->> 'DefaultRole', (def ? 'Password')::text, (def ? 'PublicKey')::text FROM sf.users WHERE $1 <> '' ORDER BY name", s.info.Role)
	}
	l, ok := s.listings()[n.What]
	if !ok {
		return nil, unsupported("SHOW %s", n.What)
	}
	table := ""
	var database, schema string
	var err error
	switch {
	case n.What == "DATABASES":
	case n.In == "TABLE" || n.In == "VIEW":
		full, _, pathErr := s.tablePath(ctx, n.Object, q)
		if pathErr != nil {
			return nil, pathErr
		}
		if kind, kindErr := s.engine.kindOf(ctx, full); kindErr != nil || kind == "" {
			return nil, orMissing(kindErr, full)
		}
		database, schema, _ = strings.Cut(schemaOf(full), ".")
		table = nameIn(full)
	default:
		if database, schema, err = s.scopeOf(ctx, n, q); err != nil {
			return nil, err
		}
	}
	args := []string{database, schema}
	if strings.Contains(l.query, "$3") {
		args = append(args, table)
	}
	return s.list(ctx, l, args...)
}

func orMissing(err error, full string) error {
	if err != nil {
		return err
	}
	return missing("Table", full)
}

func (s *Session) list(ctx context.Context, l listing, args ...string) (*Result, error) {
	result, err := s.catalogue(ctx, strings.ReplaceAll(strings.ReplaceAll(l.query, "$1 = ''", "$1::text = ''"), "$2 = ''", "$2::text = ''"), args...)
	if err != nil {
		return nil, err
	}
	result.Columns = columnsOf(l.columns)
	return result, nil
}

// showNames lists what is in a table that only the superuser reads.
func (s *Session) showNames(ctx context.Context, what, columns, query, arg string) (*Result, error) {
	rows, err := s.engine.admin.Query(ctx, query, arg)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	defer rows.Close()
	r := &Result{Columns: columnsOf(columns), Rows: [][]*string{}}
	for rows.Next() {
		row := make([]*string, len(r.Columns))
		targets := make([]any, len(row))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, row)
	}
	return r, rows.Err()
}

// values makes a row.
func values(list ...any) []*string {
	row := make([]*string, len(list))
	for i, v := range list {
		if v == nil {
			continue
		}
		text := fmt.Sprint(v)
		if at, ok := v.(time.Time); ok {
			text = seconds(at.Unix(), at.Nanosecond())
		}
		row[i] = &text
	}
	return row
}

func yes(b bool) string {
	if b {
		return "Y"
	}
	return "N"
}

func (s *Session) showWarehouses() *Result {
	r := &Result{Columns: columnsOf("name, state, type, size, min_cluster_count:n, max_cluster_count:n, started_clusters:n, running:n, queued:n, is_default, is_current, is_interactive, auto_suspend:n, auto_resume, available, provisioning, quiescing, other, created_on:t, resumed_on:t, updated_on:t, owner, comment, enable_query_acceleration, query_acceleration_max_scale_factor:n, resource_monitor, scaling_policy, owner_role_type, resource_constraint, generation"), Rows: [][]*string{}}
	info := s.Info()
	for _, w := range s.engine.snapshot() {
		clusters, available := w.MinClusters, "100"
		if w.State != Started {
			clusters, available = 0, ""
		}
		var suspend any
		if w.AutoSuspend > 0 {
			suspend = w.AutoSuspend
		}
		r.Rows = append(r.Rows, values(w.Name, w.State, w.Type, w.Size, w.MinClusters, w.MaxClusters, clusters, w.running, 0, "N", yes(w.Name == info.Warehouse), yes(w.Type == Interactive),
			suspend, fmt.Sprint(!w.NoAutoResume), available, "", "", "", w.created, w.resumed, w.resumed, w.owner, w.Comment, "false", 8, "null", "STANDARD", "ROLE", nil, nil))
	}
	return r
}

func (s *Session) showParameters(n *sqltext.Show) (*Result, error) {
	if n.In != "" && n.In != "SESSION" {
		return nil, unsupported("SHOW PARAMETERS IN %s", n.In)
	}
	r := &Result{Columns: columnsOf("key, value, default, level, description, type"), Rows: [][]*string{}}
	all := s.Parameters()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		p, level := parameters[key], ""
		s.mu.Lock()
		if _, set := s.parameters[key]; set {
			level = "SESSION"
		}
		s.mu.Unlock()
		kind := p.kind
		if kind == "" {
			kind = "STRING"
		}
		r.Rows = append(r.Rows, values(key, all[key], p.value, level, p.about, kind))
	}
	return r, nil
}

func (s *Session) showVariables() *Result {
	r := &Result{Columns: columnsOf("session_id:n, name, value, type"), Rows: [][]*string{}}
	for _, name := range slices.Sorted(maps.Keys(s.variables)) {
		if l, ok := s.variables[name].(*sqltext.Literal); ok {
			kind := "text"
			if l.Kind == sqltext.NumberLiteral {
				kind = "fixed"
			}
			r.Rows = append(r.Rows, values(s.id, name, l.Text, kind))
		}
	}
	return r
}

// tableGrants are the grants on tables, from PostgreSQL's.
const tableGrants = `SELECT r.created, a.privilege_type, CASE r.kind WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END, r.database || '.' || r.schema || '.' || r.name, 'ROLE',
	split_part(pg_get_userbyid(a.grantee), ':', 3), a.is_grantable, r.owner FROM sf.relations AS r JOIN pg_class AS c ON c.oid = r.oid, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
	WHERE a.grantee <> 0 AND a.privilege_type <> 'TRIGGER' AND a.grantee <> c.relowner
	UNION ALL SELECT created, 'OWNERSHIP', CASE kind WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END, database || '.' || schema || '.' || name, 'ROLE', owner, true, owner FROM sf.relations
	UNION ALL SELECT created, 'OWNERSHIP', 'SCHEMA', database || '.' || name, 'ROLE', owner, true, owner FROM sf.schemas
	UNION ALL SELECT created, 'OWNERSHIP', 'DATABASE', name, 'ROLE', owner, true, owner FROM sf.databases
	UNION ALL SELECT created, 'OWNERSHIP', 'WAREHOUSE', name, 'ROLE', owner, true, owner FROM sf.warehouses
	UNION ALL SELECT created, privilege, kind, object, grantee_kind, grantee, grant_option, granted_by FROM sf.grants`

func (s *Session) showGrants(ctx context.Context, n *sqltext.Show, q Query) (*Result, error) {
	columns := "created_on:t, privilege, granted_on, name, granted_to, grantee_name, grant_option, granted_by"
	query := "SELECT " + epochOf("g.created") + ", g.privilege, g.kind, g.object, g.granted_to, g.grantee, g.option::text, g.by FROM (" + tableGrants +
		") AS g (created, privilege, kind, object, granted_to, grantee, option, by) WHERE "
	order := " ORDER BY g.kind, g.object, g.privilege, g.grantee"
	kind := n.OfKind
	if n.Of == "" {
		return s.showNames(ctx, "grants", columns, query+"g.granted_to = 'USER' AND g.grantee = $1"+order, s.Info().User)
	}
	var name string
	var err error
	switch kind {
	case "TABLE", "VIEW":
		name, _, err = s.tablePath(ctx, n.Object, q)
	case "ACCOUNT":
	default:
		name, err = s.objectName(ctx, kind, n.Object, q)
	}
	if err != nil {
		return nil, err
	}
	if kind != "TABLE" && kind != "VIEW" && kind != "ACCOUNT" {
		if there, err := s.engine.exists(ctx, kind, name); err != nil {
			return nil, err
		} else if !there {
			return nil, missing(title(kind), name)
		}
	}
	where := map[string]string{"ON": "g.kind = " + pgtext.String(kind) + " AND g.object = $1", "TO": "g.granted_to = " + pgtext.String(kind) + " AND g.grantee = $1",
		"OF": "g.kind = 'ROLE' AND g.object = $1"}[n.Of]
	return s.showNames(ctx, "grants", columns, query+where+order, name)
}

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
