package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Kept is an object that handlers keep with the account, so that privileges on it
// can be granted: a compute pool, an image repository, a secret, a service.
type Kept struct {
	Kind    string // COMPUTE POOL, …
	Name    string // in full
	Owner   string // a role
	Comment string
	Created time.Time
	Def     json.RawMessage
}

// keptKinds are the kinds of Kept, and whether they are in a schema.
var keptKinds = map[string]bool{
	"COMPUTE POOL": false, "INTEGRATION": false, "IMAGE REPOSITORY": true, "SECRET": true, "SERVICE": true, "NETWORK RULE": true,
}

// Keep adds or changes an object. It stays the first owner's.
func (e *Engine) Keep(ctx context.Context, k Kept) error {
	_, known := keptKinds[k.Kind]
	if !known {
		return unsupported("%s", strings.ToLower(k.Kind))
	}
	if len(k.Def) == 0 {
		k.Def = json.RawMessage("{}")
	}
	_, err := e.admin.Exec(ctx, `INSERT INTO sf.kept (kind, name, owner, comment, def) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (kind, name) DO UPDATE SET comment = excluded.comment, def = excluded.def`, k.Kind, k.Name, k.Owner, k.Comment, k.Def)
	return err
}

// Forget removes an object with what was granted on it. It reports whether there
// was one.
func (e *Engine) Forget(ctx context.Context, kind, name string) (bool, error) {
	var there bool
	err := pgx.BeginFunc(ctx, e.admin, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM sf.kept WHERE kind = $1 AND name = $2", kind, name)
		if err != nil {
			return err
		}
		there = tag.RowsAffected() > 0
		_, err = tx.Exec(ctx, "DELETE FROM sf.grants WHERE kind = $1 AND object = $2", kind, name)
		return err
	})
	return there, err
}

// Kept lists the objects of a kind by name.
func (e *Engine) Kept(ctx context.Context, kind string) ([]Kept, error) {
	rows, err := e.admin.Query(ctx, "SELECT kind, name, owner, comment, created, def FROM sf.kept WHERE kind = $1 ORDER BY name", kind)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Kept])
}

// KeptOne finds an object.
func (e *Engine) KeptOne(ctx context.Context, kind, name string) (k Kept, ok bool, err error) {
	err = e.admin.QueryRow(ctx, "SELECT kind, name, owner, comment, created, def FROM sf.kept WHERE kind = $1 AND name = $2", kind, name).
		Scan(&k.Kind, &k.Name, &k.Owner, &k.Comment, &k.Created, &k.Def)
	if errors.Is(err, pgx.ErrNoRows) {
		return k, false, nil
	}
	return k, err == nil, err
}

// EnsureSchema makes a schema at the start, unless it is there.
func (e *Engine) EnsureSchema(ctx context.Context, schema string) error {
	database, name, _ := strings.Cut(schema, ".")
	there, err := e.exists(ctx, "SCHEMA", schema)
	if err != nil || there {
		return err
	}
	if err := pgx.BeginFunc(ctx, e.admin, func(tx pgx.Tx) error { return e.makeSchema(ctx, tx, database, name, sysAdmin, "") }); err != nil {
		return fmt.Errorf("making schema %s: %w", schema, err)
	}
	return nil
}

// gone tells the handlers that a database or schema goes, with what they keep in
// it. What they had kept there is forgotten.
func (e *Engine) gone(ctx context.Context, tx pgx.Tx, kind, name string) error {
	if kind != "DATABASE" && kind != "SCHEMA" {
		return nil
	}
	var inSchemas []string
	for kept, inSchema := range keptKinds {
		if inSchema {
			inSchemas = append(inSchemas, kept)
		}
	}
	slices.Sort(inSchemas)
	if e.options.Gone != nil {
		if err := e.options.Gone(ctx, name); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM sf.grants WHERE kind = ANY ($1) AND starts_with(object, $2)", inSchemas, name+"."); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "DELETE FROM sf.kept WHERE kind = ANY ($1) AND starts_with(name, $2)", inSchemas, name+".")
	return err
}

// Sight is what a role sees of a kind of kept objects.
type Sight struct {
	roles   map[string]bool
	granted map[string]bool
}

// Sight reads it, for listings.
func (s *Session) Sight(ctx context.Context, kind string) (Sight, error) {
	e := s.engine
	roles, err := e.closure(ctx, s.Info().Role)
	if err != nil {
		return Sight{}, err
	}
	names := make([]string, 0, len(roles))
	for role := range roles {
		names = append(names, role)
	}
	rows, err := e.admin.Query(ctx, "SELECT DISTINCT object FROM sf.grants WHERE kind = $1 AND grantee_kind = 'ROLE' AND grantee = ANY ($2)", kind, names)
	if err != nil {
		return Sight{}, err
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	seen := Sight{roles: roles, granted: map[string]bool{}}
	for _, object := range objects {
		seen.granted[object] = true
	}
	return seen, err
}

// Sees reports whether the role sees an object.
func (v Sight) Sees(name, owner string) bool {
	return v.roles[accountAdmin] || v.roles[owner] || v.granted[name]
}
