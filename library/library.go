// Package library holds the templates that come with benchfleet, as the YAML
// that a user may copy and change. They are the first thing that most people
// run, so they are small, comment on themselves, and work with the defaults of
// their target.
//
//	t, err := library.Get("oltp")
package library

import (
	"embed"
	"fmt"
	"path"
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
