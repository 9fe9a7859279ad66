// Package library holds the templates that come with benchfleet, as the YAML
// that a user may copy and change. They are the first thing that most people
// run, so they are small, comment on themselves, and work with the defaults of
// their target. As they stand their target is a SQLite file; For is the one place
// that fits them to another kind. Their SQL is that which SQLite, PostgreSQL and
// Snowflake share.
//
//	t, err := library.Get("oltp")
//	text, err := library.For("tpcb", library.Target{Kind: "postgres", Endpoint: "pg"})
package library

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

//go:embed templates/*.yaml
var templates embed.FS

const suffix = ".yaml"

// Names returns the names of all built-in templates, sorted.
func Names() []string {
	entries, err := templates.ReadDir("templates")
	if err != nil {
		return nil // cannot be: the folder is part of the binary
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), suffix))
	}
	return names
}

// Source returns the YAML of a built-in template. Errors: core.ErrNotFound.
func Source(name string) ([]byte, error) {
	source, err := templates.ReadFile(path.Join("templates", name+suffix))
	if err != nil {
		return nil, fmt.Errorf("%w: no built-in template is named %q; there are: %s", core.ErrNotFound, name, strings.Join(Names(), ", "))
	}
	return source, nil
}

// Get returns a built-in template. Errors: core.ErrNotFound.
func Get(name string) (core.Template, error) {
	source, err := Source(name)
	if err != nil {
		return core.Template{}, err
	}
	list, err := templatefile.Parse("library:"+name, source)
	if err != nil {
		return core.Template{}, fmt.Errorf("built-in template %s: %w", name, err)
	}
	return list[0], nil
}

// Target is what a template is fitted to. Empty fields leave what it says.
type Target struct {
	Kind     string
	Endpoint string
}

// For is the YAML of a built-in template for a target, comments and all. On
// Snowflake what looks rows up by their key gets a hybrid table, since a standard
// one has no index; scans keep a standard one. Errors: core.ErrNotFound.
func For(name string, target Target) ([]byte, error) {
	source, err := Source(name)
	if err != nil {
		return nil, err
	}
	t, err := Get(name)
	if err != nil {
		return nil, err
	}
	text := string(source)
	if target.Kind != "" {
		text = strings.Replace(text, "\n  kind: "+t.Target.Kind+"\n", "\n  kind: "+target.Kind+"\n", 1)
	}
	if target.Endpoint != "" {
		text = strings.Replace(text, "\n  endpoint: "+t.Target.Endpoint+"\n", "\n  endpoint: "+target.Endpoint+"\n", 1)
	}
	if target.Kind == "snowflake" && byKey(t) {
		line := "\n  name: " + t.Table.Name + "\n"
		text = strings.Replace(text, line, line+"  type: HYBRID\n", 1)
	}
	return []byte(text), nil
}

// byKey reports whether any operation looks a row up by its key.
func byKey(t core.Template) bool {
	keyed := slices.ContainsFunc(t.Mix, func(op core.TemplateOp) bool {
		return op.SQL == "" && len(op.Statements) == 0 || slices.ContainsFunc(op.Parameters, func(p core.Parameter) bool {
			return p.Type == core.ParamKey || p.Type == core.ParamRecentKey
		})
	})
	return keyed && t.Table.Type == ""
}
