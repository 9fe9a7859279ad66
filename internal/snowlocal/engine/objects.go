package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

func optionInteger(o sqltext.Option) (int64, error) {
	n, err := strconv.ParseInt(o.Value, 10, 64)
	if err != nil || n < 0 {
		return 0, failure(1008, "22023", "SQL compilation error:\ninvalid value [%s] for parameter '%s'", o.Value, o.Key)
	}
	return n, nil
}

func optionBoolean(o sqltext.Option) (bool, error) {
	switch strings.ToUpper(o.Value) {
	case "TRUE":
		return true, nil
	case "FALSE":
		return false, nil
	}
	return false, failure(1008, "22023", "SQL compilation error:\ninvalid value [%s] for parameter '%s'", o.Value, o.Key)
}

// admin executes as PostgreSQL's superuser, in a transaction of its own, after
// what is open was committed.
func (s *Session) admin(ctx context.Context, do func(tx pgx.Tx) error) error {
	if _, err := s.end(ctx, "COMMIT"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := pgx.BeginFunc(ctx, s.engine.admin, do); err != nil {
		return err
	}
	s.catalogueChanged()
	return nil
}

// exists reports whether an object without a schema is there.
func (e *Engine) exists(ctx context.Context, kind, name string) (bool, error) {
	query, ok := map[string]string{
		"DATABASE": "SELECT EXISTS (SELECT 1 FROM sf.databases WHERE name = $1)", "SCHEMA": "SELECT EXISTS (SELECT 1 FROM sf.schemas WHERE database || '.' || name = $1)",
		"ROLE": "SELECT EXISTS (SELECT 1 FROM sf.roles WHERE name = $1)", "USER": "SELECT EXISTS (SELECT 1 FROM sf.users WHERE name = $1)",
		"WAREHOUSE": "SELECT EXISTS (SELECT 1 FROM sf.warehouses WHERE name = $1)",
	}[kind]
	if _, kept := keptKinds[kind]; kept {
		query, ok = "SELECT EXISTS (SELECT 1 FROM sf.kept WHERE kind = "+pgtext.String(kind)+" AND name = $1)", true
	}
	if !ok {
		return false, unsupported("%s", strings.ToLower(kind))
	}
	var there bool
	err := e.admin.QueryRow(ctx, query, name).Scan(&there)
	return there, err
}

// objectName reads the name of an object; a schema's has its database in front.
func (s *Session) objectName(ctx context.Context, kind string, p sqltext.Path, q Query) (name string, err error) {
	switch {
	case keptKinds[kind]:
		name, _, err = s.tablePath(ctx, p, q)
		return name, err
	case kind != "SCHEMA":
		return s.object(ctx, p, q)
	}
	database, schema, err := s.schemaPath(ctx, p, q)
	return database + "." + schema, err
}

func (s *Session) createObject(ctx context.Context, n *sqltext.CreateObject, q Query) (*Result, error) {
	if n.Kind == "SEQUENCE" || n.Modifier != "" && !(n.Kind == "WAREHOUSE" && n.Modifier == "INTERACTIVE") {
		return nil, unsupported("CREATE %s", strings.TrimSpace(n.Modifier+" "+n.Kind))
	}
	name, err := s.objectName(ctx, n.Kind, n.Name, q)
	if err != nil {
		return nil, err
	}
	short := name[strings.LastIndexByte(name, '.')+1:]
	if n.Kind == "SCHEMA" {
		database, _, _ := strings.Cut(name, ".")
		if visible, err := s.visibleSchema(ctx, database, "INFORMATION_SCHEMA"); err != nil {
			return nil, err
		} else if !visible {
			return nil, missing("Database", database)
		}
		err = s.may(ctx, "DATABASE", database, "CREATE SCHEMA")
	} else {
		err = s.may(ctx, "ACCOUNT", "", "CREATE "+n.Kind)
	}
	there, existsErr := s.engine.exists(ctx, n.Kind, name)
	if existsErr != nil {
		return nil, existsErr
	}
	if there && n.IfNotExists { // whoever asks
		return status(short + " already exists, statement succeeded."), nil
	}
	if err != nil {
		return nil, err
	}
	_, replace, err := created(title(n.Kind), short, there, n.OrReplace, false)
	if err != nil {
		return nil, err
	}
	if err := s.makeObject(ctx, n, name, replace); err != nil {
		return nil, err
	}
	switch n.Kind {
	case "WAREHOUSE":
		s.use(func(i *SessionInfo) { i.Warehouse = name })
	case "DATABASE":
		s.use(func(i *SessionInfo) { i.Database, i.Schema = name, public })
	case "SCHEMA":
		s.use(func(i *SessionInfo) { i.Database, i.Schema = name[:len(name)-len(short)-1], short })
	}
	return status(title(n.Kind) + " " + short + " successfully created."), nil
}

func (s *Session) makeObject(ctx context.Context, n *sqltext.CreateObject, name string, replace bool) error {
	e, role := s.engine, s.info.Role
	if n.Kind == "WAREHOUSE" {
		w := Warehouse{Name: name, NoAutoResume: n.Modifier == "INTERACTIVE"}
		if n.Modifier == "INTERACTIVE" {
			w.Type = Interactive
		} else {
			w.AutoSuspend = 600
		}
		w = w.withDefaults()
		if err := w.set(n.Options); err != nil {
			return err
		}
		if err := e.saveWarehouse(ctx, w, role); err != nil {
			return err
		}
		return e.loadOne(ctx, name)
	}
	comment := ""
	for _, o := range n.Options {
		if o.Key == "COMMENT" {
			comment = o.Value
		} else if n.Kind == "ROLE" || (n.Kind == "DATABASE" || n.Kind == "SCHEMA") && o.Key != "DATA_RETENTION_TIME_IN_DAYS" {
			return failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for '%s'", o.Key, n.Kind)
		}
	}
	return s.admin(ctx, func(tx pgx.Tx) error {
		if replace {
			if err := e.removeObject(ctx, tx, n.Kind, name); err != nil {
				return err
			}
		}
		switch n.Kind {
		case "DATABASE":
			return e.makeDatabase(ctx, tx, name, role, comment)
		case "SCHEMA":
			database, schema, _ := strings.Cut(name, ".")
			return e.makeSchema(ctx, tx, database, schema, role, comment)
		case "ROLE":
			return e.makeRole(ctx, tx, name, comment)
		}
		u := User{Name: name}
		if err := u.set(n.Options); err != nil {
			return err
		}
		return e.seedUser(ctx, tx, u)
	})
}

// set changes properties of a user.
func (u *User) set(options []sqltext.Option) error {
	for _, o := range options {
		switch o.Key {
		case "PASSWORD":
			u.Password = o.Value
		case "RSA_PUBLIC_KEY":
			u.PublicKey = o.Value
		case "RSA_PUBLIC_KEY_2":
			u.SecondPublicKey = o.Value
		case "DEFAULT_ROLE":
			u.DefaultRole = o.Value
		case "DEFAULT_WAREHOUSE":
			u.DefaultWarehouse = o.Value
		case "DEFAULT_NAMESPACE":
			u.DefaultNamespace = o.Value
		case "DISABLED":
			disabled, err := optionBoolean(o)
			if err != nil {
				return err
			}
			u.Disabled = disabled
		case "COMMENT", "LOGIN_NAME", "DISPLAY_NAME", "EMAIL", "FIRST_NAME", "LAST_NAME", "MUST_CHANGE_PASSWORD", "TYPE", "DEFAULT_SECONDARY_ROLES":
		default:
			return failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for 'USER'", o.Key)
		}
	}
	return nil
}

// loadOne reads a warehouse anew.
func (e *Engine) loadOne(ctx context.Context, name string) error {
	w := &warehouse{}
	var def []byte
	if err := e.admin.QueryRow(ctx, "SELECT def, owner, created FROM sf.warehouses WHERE name = $1", name).Scan(&def, &w.owner, &w.created); err != nil {
		return err
	}
	if err := json.Unmarshal(def, &w.Warehouse); err != nil {
		return err
	}
	w.resumed = w.created
	e.mu.Lock()
	defer e.mu.Unlock()
	if old, ok := e.warehouses[name]; ok { // statements that run point to it
		old.Warehouse = w.Warehouse
		return nil
	}
	e.warehouses[name] = w
	return nil
}

func (s *Session) dropObject(ctx context.Context, n *sqltext.Drop, q Query) (*Result, error) {
	name, err := s.objectName(ctx, n.Kind, n.Name, q)
	if err != nil {
		return nil, err
	}
	short := name[strings.LastIndexByte(name, '.')+1:]
	there, err := s.engine.exists(ctx, n.Kind, name)
	if err != nil {
		return nil, err
	}
	if !there {
		if n.IfExists {
			return alreadyDropped(short), nil
		}
		return nil, missing(title(n.Kind), name)
	}
	if n.Kind == "ROLE" || n.Kind == "USER" {
		err = s.may(ctx, "ACCOUNT", "", "CREATE "+n.Kind)
	} else {
		err = s.may(ctx, n.Kind, name, "OWNERSHIP")
	}
	if err != nil {
		return nil, err
	}
	if err := s.admin(ctx, func(tx pgx.Tx) error { return s.engine.removeObject(ctx, tx, n.Kind, name) }); err != nil {
		return nil, err
	}
	info := s.Info()
	s.use(func(i *SessionInfo) {
		switch {
		case n.Kind == "DATABASE" && info.Database == name:
			i.Database, i.Schema = "", ""
		case n.Kind == "SCHEMA" && info.Database+"."+info.Schema == name:
			i.Schema = ""
		case n.Kind == "WAREHOUSE" && info.Warehouse == name:
			i.Warehouse = ""
		}
	})
	return dropped(short), nil
}

// removeObject removes an object and what was granted on it.
func (e *Engine) removeObject(ctx context.Context, tx pgx.Tx, kind, name string) error {
	err := e.gone(ctx, tx, kind, name)
	if err != nil {
		return err
	}
	switch kind {
	case "DATABASE":
		var schemas []string
		rows, queryErr := tx.Query(ctx, "SELECT nspname FROM pg_namespace WHERE split_part(nspname, '.', 1) = $1 AND nspname LIKE '%.%'", name)
		if queryErr != nil {
			return queryErr
		}
		if schemas, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		for _, schema := range schemas {
			if _, err := tx.Exec(ctx, "DROP SCHEMA "+pgtext.Quote(schema)+" CASCADE"); err != nil {
				return err
			}
		}
		if _, err = tx.Exec(ctx, "DELETE FROM sf.schemas WHERE database = $1", name); err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM sf.databases WHERE name = $1", name)
		}
	case "SCHEMA":
		if _, err = tx.Exec(ctx, "DROP SCHEMA "+pgtext.Quote(name)+" CASCADE"); err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM sf.schemas WHERE database || '.' || name = $1", name)
		}
	case "ROLE":
		role := pgtext.Quote(e.pgRole(name))
		if _, err = tx.Exec(ctx, "REASSIGN OWNED BY "+role+" TO "+pgtext.Quote(e.pgRole(accountAdmin))+"; DROP OWNED BY "+role+"; DROP ROLE "+role); err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM sf.roles WHERE name = $1", name)
		}
	case "USER":
		_, err = tx.Exec(ctx, "DELETE FROM sf.users WHERE name = $1", name)
	case "WAREHOUSE":
		if _, err = tx.Exec(ctx, "DELETE FROM sf.warehouses WHERE name = $1", name); err == nil {
			e.mu.Lock()
			delete(e.warehouses, name)
			e.mu.Unlock()
		}
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM sf.grants WHERE kind = $1 AND object = $2 OR grantee_kind = $1 AND grantee = $2", kind, name)
	return err
}
