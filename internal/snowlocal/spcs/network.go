package spcs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Network rules and external access integrations are kept and checked for, and
// change nothing: a container on Docker's bridge reaches what this machine does.

const (
	kindRule        = "NETWORK RULE"
	kindIntegration = "INTEGRATION"
)

// ruleDef is what a network rule was made of.
type ruleDef struct {
	Type, Mode string
	Values     []string
}

func (m *Manager) createRule(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	full, done, replace, err := m.objectInSchema(ctx, session, w, kindRule)
	if done != nil || err != nil {
		return done, err
	}
	d, comment := ruleDef{}, ""
	w.properties(kindRule, func(key string) bool {
		switch key {
		case "TYPE":
			d.Type = strings.ToUpper(w.value())
		case "MODE":
			d.Mode = strings.ToUpper(w.value())
		case "VALUE_LIST":
			d.Values = w.list()
		case "COMMENT":
			comment = w.value()
		default:
			return false
		}
		return true
	})
	if w.err == nil && (d.Type != "HOST_PORT" || d.Mode != "EGRESS" || len(d.Values) == 0) {
		w.err = engine.Unsupported("network rule that is not TYPE = HOST_PORT MODE = EGRESS with a VALUE_LIST")
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := replace(); err != nil {
		return nil, err
	}
	return m.keepDef(ctx, session, "Network rule", engine.Kept{Kind: kindRule, Name: full, Comment: comment}, d)
}

// keepDef keeps an object with what it was made of.
func (m *Manager) keepDef(ctx context.Context, session *engine.Session, title string, k engine.Kept, def any) (*engine.Result, error) {
	var err error
	if k.Def, err = json.Marshal(def); err != nil {
		return nil, err
	}
	k.Owner = session.Info().Role
	if err := m.engine.Keep(ctx, k); err != nil {
		return nil, err
	}
	return successfully(title, k.Name, "created"), nil
}

func (m *Manager) dropRule(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	return m.dropKept(ctx, session, q, kindRule)
}

func (m *Manager) showRules(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW", "NETWORK", "RULES")
	all, err := m.kept(ctx, session, w, kindRule, true)
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(all))
	for i, k := range all {
		var d ruleDef
		if err := json.Unmarshal(k.Def, &d); err != nil {
			return nil, err
		}
		database, schema, name := split(k.Name)
		rows[i] = []any{k.Created, name, database, schema, k.Owner, k.Comment, d.Type, d.Mode, len(d.Values), "ROLE"}
	}
	return engine.Listing(engine.TypeShow, "created_on:t, name, database_name, schema_name, owner, comment, type, mode, entries_in_valuelist:n, owner_role_type", rows), nil
}

// integrationDef is what an external access integration was made of.
type integrationDef struct {
	Rules   []string
	Enabled bool
}

// createIntegration is CREATE EXTERNAL ACCESS INTEGRATION.
func (m *Manager) createIntegration(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("CREATE")
	orReplace := w.word("OR", "REPLACE")
	w.need("EXTERNAL", "ACCESS", "INTEGRATION")
	ifNotExists := w.word("IF", "NOT", "EXISTS")
	name := w.single()
	d, comment := integrationDef{}, ""
	w.properties(kindIntegration, func(key string) bool {
		switch key {
		case "ALLOWED_NETWORK_RULES":
			d.Rules = w.paths(session)
		case "ENABLED":
			d.Enabled = w.boolean()
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
	if err := session.May(ctx, "ACCOUNT", "", "CREATE INTEGRATION"); err != nil {
		return nil, err
	}
	if done, err := m.replacing(ctx, kindIntegration, name, orReplace, ifNotExists); done != nil || err != nil {
		return done, err
	}
	for _, rule := range d.Rules {
		if _, there, err := m.engine.KeptOne(ctx, kindRule, rule); err != nil {
			return nil, err
		} else if !there {
			return nil, engine.Missing("Network rule", rule)
		}
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	if orReplace {
		if _, err := m.engine.Forget(ctx, kindIntegration, name); err != nil {
			return nil, err
		}
	}
	return m.keepDef(ctx, session, "Integration", engine.Kept{Kind: kindIntegration, Name: name, Comment: comment}, d)
}

// paths takes (a.b.c, d, …) as full names.
func (w *words) paths(session *engine.Session) []string {
	var all []string
	w.needOp("(")
	for w.err == nil && !w.op(")") {
		if len(all) > 0 {
			w.needOp(",")
		}
		parts := w.name()
		if w.err != nil {
			return nil
		}
		full, err := session.Full(parts)
		if err != nil {
			w.err = err
		}
		all = append(all, full)
	}
	return all
}

func (m *Manager) dropIntegration(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("DROP")
	w.word("EXTERNAL", "ACCESS")
	w.need("INTEGRATION")
	ifExists := w.word("IF", "EXISTS")
	name := w.single()
	if err := w.end(); err != nil {
		return nil, err
	}
	return m.dropFull(ctx, session, kindIntegration, name, ifExists)
}

func (m *Manager) showIntegrations(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW")
	w.word("EXTERNAL", "ACCESS")
	w.need("INTEGRATIONS")
	all, err := m.kept(ctx, session, w, kindIntegration, false)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, k := range all {
		var d integrationDef
		if err := json.Unmarshal(k.Def, &d); err != nil {
			return nil, err
		}
		rows = append(rows, []any{k.Name, "EXTERNAL_ACCESS", "SECURITY", fmt.Sprint(d.Enabled), k.Comment, k.Created})
	}
	return engine.Listing(engine.TypeShow, "name, type, category, enabled, comment, created_on:t", rows), nil
}
