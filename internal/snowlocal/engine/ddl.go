package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// primarySuffix ends the names of primary keys in PostgreSQL.
const primarySuffix = "$PK"

// about is what the comment of a relation holds.
type about struct {
	Kind       string    `json:"kind,omitempty"`
	Comment    string    `json:"comment,omitempty"`
	Created    time.Time `json:"created,omitzero"`
	PrimaryKey []string  `json:"primary_key,omitempty"` // not enforced
	Text       string    `json:"text,omitempty"`        // of a view
}

func (a about) on(relation, sql string) (string, error) {
	text, err := json.Marshal(a)
	return "COMMENT ON " + relation + " " + sql + " IS " + pgtext.String(string(text)), err
}

// indexName is PostgreSQL's name of an index: it has one name for a schema, where
// Snowflake has one for a table.
func indexName(table, name string) string {
	full := table + "$" + name
	if len(full) <= maxName {
		return full
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(full)) // it never fails
	suffix := ""
	if strings.HasSuffix(full, primarySuffix) {
		suffix = primarySuffix
	}
	return fmt.Sprintf("%s$%016x%s", strings.ToValidUTF8(table[:min(len(table), 30)], ""), h.Sum64(), suffix)
}

// created says what CREATE does when the object is there: nothing, or an error;
// or that it is to be dropped first.
func created(kind, name string, there, orReplace, ifNotExists bool) (result *Result, replace bool, err error) {
	switch {
	case !there:
		return nil, false, nil
	case orReplace:
		return nil, true, nil
	case ifNotExists:
		return status(name + " already exists, statement succeeded."), false, nil
	}
	return nil, false, failure(2002, "42710", "SQL compilation error:\nObject '%s' already exists.", name)
}

func title(kind string) string { return kind[:1] + strings.ToLower(kind[1:]) }

// schemaOf is the schema of a full name.
func schemaOf(full string) string {
	parts := strings.SplitN(full, ".", 3)
	return parts[0] + "." + parts[1]
}

func nameIn(full string) string { return strings.SplitN(full, ".", 3)[2] }

func (s *Session) createTable(ctx context.Context, n *sqltext.CreateTable, q Query) (*Result, error) {
	privilege := "CREATE TABLE"
	if n.Kind == "HYBRID" {
		privilege = "CREATE HYBRID TABLE"
		if s.engine.options.Account.NoHybridTables {
			return nil, noHybridTables()
		}
	}
	if n.Kind == "HYBRID" || n.As != nil {
		leave, err := s.enter("CREATE TABLE", true)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	full, sql, err := s.creating(ctx, n.Name, privilege, q)
	if err != nil {
		return nil, err
	}
	kind, err := s.engine.kindOf(ctx, full)
	if err != nil {
		return nil, err
	}
	there := kind != "" && n.Kind != "TEMPORARY" || s.temporary[full]
	done, replace, err := created("Table", nameIn(full), there, n.OrReplace, n.IfNotExists)
	if done != nil || err != nil {
		return done, err
	}
	var statements []string
	if replace {
		statements = append(statements, "DROP TABLE "+sql)
	}
	if n.Kind == "TEMPORARY" {
		sql = "pg_temp." + pgtext.Quote(nameIn(full))
	}
	made, err := s.tableStatements(ctx, n, full, sql, q)
	if err != nil {
		return nil, err
	}
	future, err := s.futureGrants(ctx, full, sql, "TABLE")
	if err != nil {
		return nil, err
	}
	if err := s.alone(ctx, slices.Concat(statements, made, future)...); err != nil {
		return nil, err
	}
	if n.Kind == "TEMPORARY" {
		s.temporary[full] = true
		s.plans.stale()
	}
	return status("Table " + nameIn(full) + " successfully created."), nil
}

// creating checks that something may be made in a schema.
func (s *Session) creating(ctx context.Context, p sqltext.Path, privilege string, q Query) (full, sql string, err error) {
	if full, sql, err = s.tablePath(ctx, p, q); err != nil {
		return "", "", err
	}
	if len(nameIn(full)) > maxName {
		return "", "", unsupported("name %s: it has more than %d bytes", nameIn(full), maxName)
	}
	schema := schemaOf(full)
	database, name, _ := strings.Cut(schema, ".")
	visible, err := s.visibleSchema(ctx, database, name)
	if err != nil {
		return "", "", err
	}
	if !visible {
		return "", "", missing("Schema", schema)
	}
	return full, sql, s.may(ctx, "SCHEMA", schema, privilege)
}

// tableStatements writes what makes a table.
func (s *Session) tableStatements(ctx context.Context, n *sqltext.CreateTable, full, sql string, q Query) ([]string, error) {
	what := about{Kind: n.Kind, Created: time.Now().UTC()}
	if what.Kind == "" || what.Kind == "TEMPORARY" {
		what.Kind = Standard
	}
	for _, o := range n.Options {
		switch o.Key {
		case "COMMENT":
			what.Comment = o.Value
		case "DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "CHANGE_TRACKING", "ENABLE_SCHEMA_EVOLUTION":
		default:
			return nil, failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for 'TABLE'", o.Key)
		}
	}
	if n.Like != nil {
		return s.likeStatements(ctx, n, sql, what, q)
	}
	d := definition{s: s, ctx: ctx, q: q, n: n, full: full, table: sql, about: &what}
	statements, err := d.statements()
	if err != nil {
		return nil, err
	}
	comment, err := what.on("TABLE", sql)
	return append(statements, comment), err
}

func (s *Session) likeStatements(ctx context.Context, n *sqltext.CreateTable, sql string, what about, q Query) ([]string, error) {
	if n.Kind == "HYBRID" {
		return nil, unsupported("CREATE HYBRID TABLE … LIKE")
	}
	_, other, err := s.tablePath(ctx, *n.Like, q)
	if err != nil {
		return nil, err
	}
	comment, err := what.on("TABLE", sql)
	return []string{"CREATE TABLE " + sql + " (LIKE " + other + " INCLUDING DEFAULTS INCLUDING IDENTITY)", comment}, err
}

func (s *Session) futureGrants(ctx context.Context, full, sql, kind string) ([]string, error) {
	schema := schemaOf(full)
	database, _, _ := strings.Cut(schema, ".")
	rows, err := s.engine.admin.Query(ctx, "SELECT privilege, grantee FROM sf.future_grants WHERE kind = $1 AND scope IN ($2, $3)", kind, schema, database)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var statements []string
	for rows.Next() {
		var privilege, grantee string
		if err := rows.Scan(&privilege, &grantee); err != nil {
			return nil, err
		}
		statements = append(statements, "GRANT "+privilege+" ON "+sql+" TO "+pgtext.Quote(s.engine.pgRole(grantee)))
	}
	return statements, rows.Err()
}

func (s *Session) createIndex(ctx context.Context, n *sqltext.CreateIndex, q Query) (*Result, error) {
	full, sql, err := s.tablePath(ctx, n.Table, q)
	if err != nil {
		return nil, err
	}
	kind, err := s.engine.kindOf(ctx, full)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		return nil, missing("Table", full)
	}
	if kind != "HYBRID" {
		return nil, unsupported("CREATE INDEX on table %s, which is not a hybrid table", full)
	}
	var there bool
	if err := s.engine.admin.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2)",
		schemaOf(full), indexName(nameIn(full), n.Index.Name.Text)).Scan(&there); err != nil {
		return nil, err
	}
	done, replace, err := created("Index", n.Index.Name.Text, there, n.OrReplace, n.IfNotExists)
	if done != nil || err != nil {
		return done, err
	}
	var statements []string
	if replace {
		statements = append(statements, "DROP INDEX "+s.quoteFull(schemaOf(full)+"."+indexName(nameIn(full), n.Index.Name.Text)))
	}
	if err := s.alone(ctx, append(statements, indexStatement(n.Index, nameIn(full), sql))...); err != nil {
		return nil, err
	}
	return status("Statement executed successfully."), nil
}

func indexStatement(i sqltext.Index, table, sql string) string {
	text := "CREATE INDEX " + pgtext.Quote(indexName(table, i.Name.Text)) + " ON " + sql + " (" + nameList(i.Columns) + ")"
	if len(i.Include) > 0 {
		text += " INCLUDE (" + nameList(i.Include) + ")"
	}
	return text
}

func nameList(names []sqltext.Name) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pgtext.Quote(n.Text)
	}
	return strings.Join(quoted, ", ")
}

func (s *Session) createView(ctx context.Context, n *sqltext.CreateView, q Query) (*Result, error) {
	full, sql, err := s.creating(ctx, n.Name, "CREATE VIEW", q)
	if err != nil {
		return nil, err
	}
	kind, err := s.engine.kindOf(ctx, full)
	if err != nil {
		return nil, err
	}
	done, replace, err := created("View", nameIn(full), kind != "", n.OrReplace, n.IfNotExists)
	if done != nil || err != nil {
		return done, err
	}
	text, err := pgtext.Query(s.context(ctx, q), n.As)
	if err != nil {
		return nil, err
	}
	if len(text.Params) > 0 {
		return nil, unsupported("bind variables in CREATE VIEW")
	}
	var statements []string
	if replace {
		statements = append(statements, "DROP "+map[bool]string{true: "VIEW", false: "TABLE"}[kind == "VIEW"]+" "+sql)
	}
	columns := ""
	if len(n.Columns) > 0 {
		columns = " (" + nameList(n.Columns) + ")"
	}
	comment, err := about{Kind: "VIEW", Created: time.Now().UTC(), Text: n.Text}.on("VIEW", sql)
	if err != nil {
		return nil, err
	}
	s.lastTables = text.Tables
	future, err := s.futureGrants(ctx, full, sql, "VIEW")
	if err != nil {
		return nil, err
	}
	statements = append(statements, "CREATE VIEW "+sql+columns+" AS "+text.SQL, comment)
	if err := s.alone(ctx, append(statements, future...)...); err != nil {
		return nil, s.explained(ctx, err)
	}
	return status("View " + nameIn(full) + " successfully created."), nil
}

func (s *Session) truncate(ctx context.Context, n *sqltext.Truncate, q Query) (*Result, error) {
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
	s.lastTables = []string{full}
	if err := s.alone(ctx, "TRUNCATE "+sql); err != nil {
		return nil, s.explained(ctx, err)
	}
	return executed(), nil
}

func (s *Session) comment(ctx context.Context, n *sqltext.Comment, q Query) (*Result, error) {
	if n.Kind != "TABLE" && n.Kind != "VIEW" {
		return nil, unsupported("COMMENT ON %s", n.Kind)
	}
	full, sql, err := s.tablePath(ctx, n.Name, q)
	if err != nil {
		return nil, err
	}
	a, err := s.aboutOf(ctx, full)
	if err != nil {
		return nil, err
	}
	a.Comment = n.Text
	statement, err := a.on(n.Kind, sql)
	if err != nil {
		return nil, err
	}
	return executed(), s.alone(ctx, statement)
}

// aboutOf reads the comment of a relation.
func (s *Session) aboutOf(ctx context.Context, full string) (about, error) {
	var text []byte
	err := s.engine.admin.QueryRow(ctx, "SELECT sf.about(c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
		schemaOf(full), nameIn(full)).Scan(&text)
	if err != nil {
		return about{}, missing("Table", full)
	}
	var a about
	return a, errors.Join(json.Unmarshal(text, &a))
}
