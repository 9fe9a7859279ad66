package spcs

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

const (
	kindSecret = "SECRET" //nolint:gosec // a kind of object
	typeKey    = "TYPE"
)

// secretKeys are the properties of a secret, and what a specification calls them.
var secretKeys = map[string]string{"SECRET_STRING": "secret_string", "USERNAME": "username", "PASSWORD": "password"}

// readSecret reads the properties of a secret into what is kept.
func readSecret(w *words, values map[string]string) (comment string) {
	w.properties(kindSecret, func(key string) bool {
		name, ok := secretKeys[key]
		switch {
		case ok:
			values[name] = w.value()
		case key == typeKey:
			values[typeKey] = w.value()
		case key == "COMMENT":
			comment = w.value()
		default:
			return false
		}
		return true
	})
	if w.err != nil {
		return ""
	}
	_, text := values["secret_string"]
	_, user := values["username"]
	_, password := values["password"]
	switch values[typeKey] {
	case "GENERIC_STRING":
		if !text || user || password {
			w.err = engine.NewError(1008, "22023", "SQL compilation error:\na secret of type GENERIC_STRING needs SECRET_STRING.")
		}
	case "PASSWORD":
		if text || !user || !password {
			w.err = engine.NewError(1008, "22023", "SQL compilation error:\na secret of type PASSWORD needs USERNAME and PASSWORD.")
		}
	default:
		w.err = engine.Unsupported("secret of type %s", values[typeKey])
	}
	return comment
}

func (m *Manager) createSecret(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	full, done, replace, err := m.objectInSchema(ctx, session, w, kindSecret)
	if done != nil || err != nil {
		return done, err
	}
	values := map[string]string{}
	comment := readSecret(w, values)
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := replace(); err != nil {
		return nil, err
	}
	def, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	if err := m.engine.Keep(ctx, engine.Kept{Kind: kindSecret, Name: full, Owner: session.Info().Role, Comment: comment, Def: def}); err != nil {
		return nil, err
	}
	return successfully("Secret", full, "created"), nil
}

// alterSecret is ALTER SECRET … SET. Containers have what they were started with.
func (m *Manager) alterSecret(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("ALTER", "SECRET")
	ifExists := w.word("IF", "EXISTS")
	name := w.name()
	w.need("SET")
	if w.err != nil {
		return nil, w.err
	}
	full, err := session.Full(name)
	if err != nil {
		return nil, err
	}
	k, there, err := m.engine.KeptOne(ctx, kindSecret, full)
	switch {
	case err != nil:
		return nil, err
	case !there && ifExists:
		return engine.Status("Statement executed successfully."), nil
	case !there:
		return nil, engine.Missing("Secret", full)
	}
	if err := session.May(ctx, kindSecret, full, "OWNERSHIP"); err != nil {
		return nil, err
	}
	values := map[string]string{}
	if err := json.Unmarshal(k.Def, &values); err != nil {
		return nil, err
	}
	before := maps.Clone(values)
	if comment := readSecret(w, values); comment != "" {
		k.Comment = comment
	}
	if w.err == nil && values[typeKey] != before[typeKey] {
		w.err = engine.NewError(1420, "22023", "SQL compilation error:\ninvalid property 'TYPE' for 'SECRET'")
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if k.Def, err = json.Marshal(values); err != nil {
		return nil, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	return engine.Status("Statement executed successfully."), m.engine.Keep(ctx, k)
}

func (m *Manager) dropSecret(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	return m.dropKept(ctx, session, q, kindSecret)
}

const secretColumns = "created_on:t, name, schema_name, database_name, owner, comment, secret_type, oauth_scopes, owner_role_type"

func secretRow(k engine.Kept) []any {
	var values map[string]string
	_ = json.Unmarshal(k.Def, &values) // this package has written it
	database, schema, name := split(k.Name)
	return []any{k.Created, name, schema, database, k.Owner, orEmpty(k.Comment), values[typeKey], nil, "ROLE"}
}

func (m *Manager) showSecrets(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW", "SECRETS")
	all, err := m.kept(ctx, session, w, kindSecret, true)
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(all))
	for i, k := range all {
		rows[i] = secretRow(k)
	}
	return engine.Listing(engine.TypeShow, secretColumns, rows), nil
}

// describeSecret is DESCRIBE SECRET, which never shows what is secret.
func (m *Manager) describeSecret(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.next() // DESCRIBE or DESC
	w.need("SECRET")
	name := w.name()
	if err := w.end(); err != nil {
		return nil, err
	}
	full, err := session.Full(name)
	if err != nil {
		return nil, err
	}
	k, there, err := m.engine.KeptOne(ctx, kindSecret, full)
	if err != nil {
		return nil, err
	}
	sight, err := session.Sight(ctx, kindSecret)
	if err != nil {
		return nil, err
	}
	if !there || !sight.Sees(full, k.Owner) {
		return nil, engine.Missing("Secret", full)
	}
	return engine.Listing(engine.TypeDescribe, secretColumns, [][]any{secretRow(k)}), nil
}
