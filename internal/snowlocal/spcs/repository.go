package spcs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

const kindRepository = "IMAGE REPOSITORY"

// objectInSchema makes a kept object in a schema: names, privileges, and whether it
// is there. A result says that nothing is to be made.
func (m *Manager) objectInSchema(ctx context.Context, session *engine.Session, w *words, kind string) (full string, done *engine.Result, make func() error, err error) {
	w.need("CREATE")
	orReplace := w.word("OR", "REPLACE")
	w.need(strings.Fields(kind)...)
	ifNotExists := w.word("IF", "NOT", "EXISTS")
	name := w.name()
	if w.err != nil {
		return "", nil, nil, w.err
	}
	if full, err = session.Full(name); err != nil {
		return "", nil, nil, err
	}
	database, schema, _ := split(full)
	if err = session.SeesSchema(ctx, database+"."+schema); err == nil {
		err = session.May(ctx, "SCHEMA", database+"."+schema, "CREATE "+kind)
	}
	if err != nil {
		return "", nil, nil, err
	}
	if done, err = m.replacing(ctx, kind, full, orReplace, ifNotExists); err != nil || done != nil {
		return full, done, nil, err
	}
	return full, nil, func() error {
		if err := session.Commit(ctx); err != nil || !orReplace {
			return err
		}
		_, err := m.engine.Forget(ctx, kind, full)
		return err
	}, nil
}

// createRepository is CREATE IMAGE REPOSITORY. Its images are those of the Docker
// Engine that have its name.
func (m *Manager) createRepository(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	full, done, replace, err := m.objectInSchema(ctx, session, w, kindRepository)
	if done != nil || err != nil {
		return done, err
	}
	comment := ""
	w.properties(kindRepository, func(key string) bool {
		switch key {
		case "ENCRYPTION":
			w.needOp("(")
			w.need("TYPE")
			w.needOp("=")
			w.value()
			w.needOp(")")
		case "COMMENT":
			comment = w.value()
		default:
			return false
		}
		return true
	})
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := replace(); err != nil {
		return nil, err
	}
	if err := m.engine.Keep(ctx, engine.Kept{Kind: kindRepository, Name: full, Owner: session.Info().Role, Comment: comment}); err != nil {
		return nil, err
	}
	return successfully("Image Repository", full, "created"), nil
}

// EnsureRepository makes a repository with its schema, unless it is there.
func (m *Manager) EnsureRepository(ctx context.Context, full string) error {
	database, schema, _ := split(full)
	if err := m.engine.EnsureSchema(ctx, database+"."+schema); err != nil {
		return err
	}
	_, there, err := m.engine.KeptOne(ctx, kindRepository, full)
	if err != nil || there {
		return err
	}
	return m.engine.Keep(ctx, engine.Kept{Kind: kindRepository, Name: full, Owner: "SYSADMIN"})
}

// dropKept is DROP of a kept object in a schema.
func (m *Manager) dropKept(ctx context.Context, session *engine.Session, q engine.Query, kind string) (*engine.Result, error) {
	w := read(q)
	w.need("DROP")
	w.need(strings.Fields(kind)...)
	ifExists := w.word("IF", "EXISTS")
	name := w.name()
	if err := w.end(); err != nil {
		return nil, err
	}
	full, err := session.Full(name)
	if err != nil {
		return nil, err
	}
	return m.dropFull(ctx, session, kind, full, ifExists)
}

// dropFull drops a kept object by its full name.
func (m *Manager) dropFull(ctx context.Context, session *engine.Session, kind, full string, ifExists bool) (*engine.Result, error) {
	short := full[lastDot(full)+1:]
	k, there, err := m.engine.KeptOne(ctx, kind, full)
	if err != nil {
		return nil, err
	}
	sight, err := session.Sight(ctx, kind)
	if err != nil {
		return nil, err
	}
	if !there || !sight.Sees(full, k.Owner) {
		if ifExists {
			return engine.Status("Drop statement executed successfully (" + short + " already dropped)."), nil
		}
		return nil, engine.Missing(titleOf(kind), full)
	}
	if err := session.May(ctx, kind, full, "OWNERSHIP"); err != nil {
		return nil, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	if _, err := m.engine.Forget(ctx, kind, full); err != nil {
		return nil, err
	}
	return engine.Status(short + " successfully dropped."), nil
}

func titleOf(kind string) string { return kind[:1] + strings.ToLower(kind[1:]) }

func (m *Manager) dropRepository(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	return m.dropKept(ctx, session, q, kindRepository)
}

// kept lists the objects of a kind that a SHOW asks for; placed are those of a
// kind that is in schemas.
func (m *Manager) kept(ctx context.Context, session *engine.Session, w *words, kind string, placed bool) ([]engine.Kept, error) {
	f, err := m.filters(ctx, session, w, placed)
	if err != nil {
		return nil, err
	}
	all, err := m.engine.Kept(ctx, kind)
	if err != nil {
		return nil, err
	}
	sight, err := session.Sight(ctx, kind)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(k engine.Kept) bool { return !f.keeps(k.Name) || !sight.Sees(k.Name, k.Owner) })
	return all[:min(f.limit, len(all))], nil
}

// registry is the host of the account's images, in the form that is documented.
func (m *Manager) registry() string {
	return strings.ReplaceAll(strings.ToLower(m.options.Account), "_", "-") + ".registry.snowflakecomputing.com"
}

func (m *Manager) showRepositories(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW", "IMAGE", "REPOSITORIES")
	all, err := m.kept(ctx, session, w, kindRepository, true)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, k := range all {
		database, schema, name := split(k.Name)
		url := m.registry() + "/" + strings.ToLower(database+"/"+schema+"/"+name)
		rows = append(rows, []any{k.Created, name, database, schema, url, k.Owner, "ROLE", k.Comment, "SNOWFLAKE_SSE", nil})
	}
	return engine.Listing(engine.TypeShow, "created_on:t, name, database_name, schema_name, repository_url, owner, owner_role_type, comment, encryption, privatelink_repository_url", rows), nil
}

// showImages is SHOW IMAGES IN IMAGE REPOSITORY.
func (m *Manager) showImages(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW", "IMAGES")
	like, hasLike := "", false
	if w.word("LIKE") {
		like, hasLike = w.value(), true
	}
	w.need("IN", "IMAGE", "REPOSITORY")
	name := w.name()
	if err := w.end(); err != nil {
		return nil, err
	}
	full, err := session.Full(name)
	if err != nil {
		return nil, err
	}
	ok, err := session.MayAny(ctx, kindRepository, full, "READ", "WRITE")
	if err != nil {
		return nil, err
	}
	if _, there, err := m.engine.KeptOne(ctx, kindRepository, full); err != nil {
		return nil, err
	} else if !there || !ok {
		return nil, engine.Missing("Image repository", full)
	}
	prefix := strings.ToLower(strings.ReplaceAll(full, ".", "/")) + "/"
	all, err := m.docker.images(ctx, prefix)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b imageOf) int { return strings.Compare(a.name+":"+a.tag, b.name+":"+b.tag) })
	var rows [][]any
	for _, i := range all {
		if !hasLike || engine.Like(i.name, like) {
			rows = append(rows, []any{i.created.UTC().Format(time.RFC1123), i.name, i.tag, i.digest, prefix + i.name + ":" + i.tag})
		}
	}
	return engine.Listing(engine.TypeShow, "created_on, image_name, tags, digest, image_path", rows), nil
}
