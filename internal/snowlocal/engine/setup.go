package engine

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
)

//go:embed sf/*.sql
var setupFiles embed.FS

// setupOrder is the order in which the files are executed.
var setupOrder = []string{"types", "functions", "times", "information"}

// The roles that every account has.
const (
	accountAdmin  = "ACCOUNTADMIN"
	sysAdmin      = "SYSADMIN"
	securityAdmin = "SECURITYADMIN"
	userAdmin     = "USERADMIN"
	public        = "PUBLIC"
)

// setup makes the schema sf once, in one transaction, and the account at the
// first start.
func (e *Engine) setup(ctx context.Context) error {
	var collate string
	var version int
	if err := e.admin.QueryRow(ctx, "SELECT datcollate, current_setting('server_version_num')::int, datname FROM pg_database WHERE datname = current_database()").Scan(&collate, &version, &e.database); err != nil {
		return err
	}
	if collate != "C" && collate != "POSIX" {
		return fmt.Errorf("the database's collation is %s; texts must be compared by bytes: initdb --locale=C", collate)
	}
	if version < 150000 {
		return fmt.Errorf("PostgreSQL %d; MERGE needs 15", version/10000)
	}
	text, sum, err := setupText()
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, e.admin, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7366)"); err != nil {
			return err
		}
		var have *string
		if err := tx.QueryRow(ctx, "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'sf'").Scan(&have); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		switch {
		case have == nil:
			if _, err := tx.Exec(ctx, text+"COMMENT ON SCHEMA sf IS '"+sum+"'; GRANT USAGE ON SCHEMA sf TO PUBLIC;"); err != nil {
				return fmt.Errorf("making the schema sf: %w", err)
			}
		case *have != sum:
			return errors.New("the database was made by another version of the stand-in: give it a new one")
		}
		return e.seed(ctx, tx)
	})
}

func setupText() (text, sum string, err error) {
	var b strings.Builder
	b.WriteString("CREATE SCHEMA sf;\n")
	for _, name := range setupOrder {
		file, err := setupFiles.ReadFile("sf/" + name + ".sql")
		if err != nil {
			return "", "", err
		}
		b.Write(file)
		b.WriteString("\n")
	}
	hash := sha256.Sum256([]byte(b.String()))
	return b.String(), hex.EncodeToString(hash[:8]), nil
}

// pgRole is PostgreSQL's name of a role: roles are the cluster's.
func (e *Engine) pgRole(role string) string { return "sf:" + e.database + ":" + role }

// seed makes what is missing of the account.
func (e *Engine) seed(ctx context.Context, tx pgx.Tx) error {
	a := e.options.Account
	roles := []Role{
		{Name: public}, {Name: accountAdmin}, {Name: sysAdmin, GrantedTo: []string{accountAdmin}},
		{Name: securityAdmin, GrantedTo: []string{accountAdmin}}, {Name: userAdmin, GrantedTo: []string{securityAdmin}},
	}
	for _, r := range append(roles, a.Roles...) {
		if err := e.makeRole(ctx, tx, strings.ToUpper(r.Name), ""); err != nil {
			return err
		}
		for _, to := range r.GrantedTo {
			if err := e.grantRole(ctx, tx, strings.ToUpper(r.Name), "ROLE", strings.ToUpper(to), accountAdmin); err != nil {
				return err
			}
		}
	}
	for _, u := range a.Users {
		if err := e.seedUser(ctx, tx, u); err != nil {
			return err
		}
	}
	for _, w := range a.Warehouses {
		if err := e.seedWarehouse(ctx, tx, w); err != nil {
			return err
		}
	}
	for _, d := range a.Databases {
		var there bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM sf.databases WHERE name = $1)", strings.ToUpper(d)).Scan(&there); err != nil {
			return err
		}
		if !there {
			if err := e.makeDatabase(ctx, tx, strings.ToUpper(d), sysAdmin, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) seedUser(ctx context.Context, tx pgx.Tx, u User) error {
	u.Name = strings.ToUpper(u.Name)
	def, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO sf.users (name, def) VALUES ($1, $2) ON CONFLICT DO NOTHING", u.Name, def); err != nil {
		return err
	}
	for _, role := range append([]string{u.DefaultRole}, u.Roles...) {
		if role == "" || strings.EqualFold(role, public) {
			continue
		}
		if err := e.grantRole(ctx, tx, strings.ToUpper(role), "USER", u.Name, accountAdmin); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) seedWarehouse(ctx context.Context, tx pgx.Tx, w Warehouse) error {
	w = w.withDefaults()
	def, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO sf.warehouses (name, def, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", w.Name, def, sysAdmin); err != nil {
		return err
	}
	for _, role := range w.UsableBy {
		if _, err := tx.Exec(ctx, `INSERT INTO sf.grants (kind, object, privilege, grantee_kind, grantee, granted_by) VALUES ('WAREHOUSE', $1, 'USAGE', 'ROLE', $2, $3)
			ON CONFLICT DO NOTHING`, w.Name, strings.ToUpper(role), sysAdmin); err != nil {
			return err
		}
	}
	return nil
}

// makeRole makes a role that every session may take on.
func (e *Engine) makeRole(ctx context.Context, tx pgx.Tx, name, comment string) error {
	if _, err := tx.Exec(ctx, "INSERT INTO sf.roles (name, comment) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, comment); err != nil {
		return err
	}
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", e.pgRole(name)).Scan(&there); err != nil || there {
		return err
	}
	if len(e.pgRole(name)) > maxName {
		return unsupported("role name %s: it is too long", name)
	}
	statement := "CREATE ROLE " + pgtext.Quote(e.pgRole(name))
	if name != public {
		statement += "; GRANT " + pgtext.Quote(e.pgRole(public)) + " TO " + pgtext.Quote(e.pgRole(name))
	}
	_, err := tx.Exec(ctx, statement)
	return err
}

// maxName bounds names, as PostgreSQL does.
const maxName = 63

func (e *Engine) grantRole(ctx context.Context, tx pgx.Tx, role, kind, to, by string) error {
	if _, err := tx.Exec(ctx, `INSERT INTO sf.grants (kind, object, privilege, grantee_kind, grantee, granted_by) VALUES ('ROLE', $1, 'USAGE', $2, $3, $4)
		ON CONFLICT DO NOTHING`, role, kind, to, by); err != nil || kind == "USER" {
		return err
	}
	_, err := tx.Exec(ctx, "GRANT "+pgtext.Quote(e.pgRole(role))+" TO "+pgtext.Quote(e.pgRole(to)))
	return err
}

// makeDatabase makes a database with its INFORMATION_SCHEMA and PUBLIC.
func (e *Engine) makeDatabase(ctx context.Context, tx pgx.Tx, name, owner, comment string) error {
	if strings.Contains(name, ".") || len(name)+len(".INFORMATION_SCHEMA") > maxName {
		return unsupported("database name %q: a dot, or too long", name)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO sf.databases (name, owner, comment) VALUES ($1, $2, $3)", name, owner, comment); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT sf.make_information($1, $2)", name, e.pgRole(owner)); err != nil {
		return err
	}
	return e.makeSchema(ctx, tx, name, public, owner, "")
}

func (e *Engine) makeSchema(ctx context.Context, tx pgx.Tx, database, name, owner, comment string) error {
	if strings.Contains(name, ".") || len(database)+1+len(name) > maxName {
		return unsupported("schema name %q: a dot, or too long", name)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO sf.schemas (database, name, owner, comment) VALUES ($1, $2, $3, $4)", database, name, owner, comment); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "CREATE SCHEMA "+pgtext.SchemaName(database, name)+" AUTHORIZATION "+pgtext.Quote(e.pgRole(owner)))
	return err
}
