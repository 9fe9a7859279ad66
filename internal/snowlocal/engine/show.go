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
	where := map[string]string{"ON": "g.kind = " + pgtext.String(strings.ReplaceAll(kind, " ", "_")) + " AND g.object = $1", "TO": "g.granted_to = " + pgtext.String(kind) + " AND g.grantee = $1",
		"OF": "g.kind = 'ROLE' AND g.object = $1"}[n.Of]
	return s.showNames(ctx, "grants", columns, query+where+order, name)
}
