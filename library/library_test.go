package library_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/templatefile"
)

func TestEveryTemplateIsComplete(t *testing.T) {
	is.New(t).True(len(library.Names()) > 0)
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			template, err := library.Get(name)
			is.NoErr(err)
			is.Equal(template.Name, name) // found under the name that it has
			is.True(template.Description != "")
			_, err = template.Resolve(core.Resolution{Launcher: "local"})
			is.NoErr(err)

			source, err := library.Source(name)
			is.NoErr(err)
			list, err := templatefile.Parse(name, source)
			is.NoErr(err)
			is.Equal(len(list), 1)

			written, err := templatefile.Format(template)
			is.NoErr(err)
			again, err := templatefile.Parse(name, written)
			is.NoErr(err)
			want, _ := json.Marshal(template)
			got, _ := json.Marshal(again[0])
			is.True(bytes.Equal(got, want)) // canonical YAML says the same
		})
	}
}

// Fitted to Snowflake, what looks rows up by key has a hybrid table; nothing else of a
// template changes but its target.
func TestFor(t *testing.T) {
	for _, name := range library.Names() {
		for _, kind := range []string{"", "sqlite", "postgres", "snowflake"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				is := is.New(t)
				want, err := library.Get(name)
				is.NoErr(err)
				text, err := library.For(name, library.Target{Kind: kind, Endpoint: "there"})
				is.NoErr(err)
				list, err := templatefile.Parse(name, text)
				is.NoErr(err)
				want.Target.Endpoint = "there"
				if kind != "" {
					want.Target.Kind = kind
				}
				if kind == "snowflake" && name != "analytical" {
					want.Table.Type = "HYBRID"
				}
				is.Equal(list[0], want)
			})
		}
	}
}

func TestUnknownNames(t *testing.T) {
	for _, name := range []string{"", "olpt", "../library", "oltp.yaml", "a/b"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := library.Get(name)
			is.True(errors.Is(err, core.ErrNotFound))
		})
	}
}

func ExampleGet() {
	t, err := library.Get("oltp")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Table.Name, t.Load.Workers, "workers")
	// Output: BENCHFLEET_OLTP 3 workers
}
