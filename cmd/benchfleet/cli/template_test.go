package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/library"
)

// TestTemplateSchemaOffersWhatRuns: the kinds of targets in the schema are those
// that the command opens.
func TestTemplateSchemaOffersWhatRuns(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	var schema struct {
		Properties struct {
			Target struct {
				Properties struct{ Kind struct{ Enum []string } }
			}
		}
	}
	is.NoErr(json.Unmarshal([]byte(run(t, nil, "template", "schema").stdout), &schema))
	kinds := schema.Properties.Target.Properties.Kind.Enum
	is.True(len(kinds) > 0)
	for _, kind := range append(kinds, "memory") {
		got := run(t, nil, "--dir", dir, "prepare", "oltp", "--drop", "--set", "target.kind="+kind, "--set", "target.endpoint=elsewhere")
		is.Equal(got.code, ExitUsage)                                                                   // an endpoint that nobody knows
		is.Equal(strings.Contains(got.stderr, "target.kind"), kind == "memory")                         // and a kind that the command does not
		is.Equal(strings.Contains(got.stderr, "allowed: "+strings.Join(kinds, ", ")), kind == "memory") // which says so
	}
}

// TestTemplateShow: a built-in template is shown with its comments until somebody
// changes it; the store keeps none.
func TestTemplateShow(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	do := func(args ...string) string {
		t.Helper()
		got := run(t, nil, append([]string{"--dir", dir}, args...)...)
		is.Equal(got.code, 0)
		return got.stdout
	}
	source, err := library.Source("oltp")
	is.NoErr(err)
	is.Equal(do("template", "show", "oltp"), string(source)) // not stored
	do("schema", "apply")
	do("template", "import", "oltp")
	is.Equal(do("template", "show", "oltp"), string(source)) // stored
	mine := filepath.Join(dir, "mine.yaml")
	is.NoErr(os.WriteFile(mine, []byte(strings.Replace(string(source), "workers: 3", "workers: 4", 1)), 0o600))
	do("template", "import", mine)
	shown := do("template", "show", "oltp")
	is.True(strings.Contains(shown, "workers: 4"))
	is.True(!strings.Contains(shown, "# "))
	is.NoErr(os.WriteFile(mine, []byte(shown), 0o600))
	is.Equal(do("template", "import", mine), "oltp version 2\n") // as it was
}

// TestUnreadableStore: a store that cannot be read may hold another template of
// that name than the built-in one, so that is not taken instead.
func TestUnreadableStore(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store.db")
	for _, tt := range []struct{ name, content, says string }{
		{"damaged", strings.Repeat("no database\n", 1000), "is damaged"},
		{"without a schema", "", "benchfleet schema apply"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(os.WriteFile(store, []byte(tt.content), 0o600))
			for _, args := range [][]string{{"prepare", "oltp"}, {"template", "show", "oltp"}} {
				got := run(t, nil, append([]string{"--dir", dir}, args...)...)
				is.Equal(got.code, ExitUsage)
				is.Equal(got.stdout, "")
				is.True(strings.Contains(got.stderr, tt.says))
			}
			_, err := os.Stat(filepath.Join(dir, "target.db"))
			is.True(os.IsNotExist(err))
		})
	}
}

// TestSchemaCheckWithoutStore: what is missing entirely is missing too.
func TestSchemaCheckWithoutStore(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	got := run(t, nil, "--dir", dir, "schema", "check", "-o", "json")
	is.Equal(got.code, ExitRefused)
	is.True(strings.Contains(got.stdout, `"store.reachable"`))
	is.Equal(run(t, nil, "--dir", dir, "schema", "check", "--store", "oracle:x").code, ExitUsage)
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 0)
}

// TestTemplateLibrary: the built-in templates are listed, printed fitted to a target, and
// stored; a mistake says what there is.
func TestTemplateLibrary(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	in := func(args ...string) ran { return run(t, nil, append([]string{"--dir", dir}, args...)...) }
	is.Equal(in("schema", "apply").code, 0)
	got := in("template", "library")
	is.Equal(got.code, 0)
	var list []listed
	is.NoErr(json.Unmarshal([]byte(in("template", "library", "--output", "json").stdout), &list))
	is.Equal(len(list), len(library.Names()))
	for i, name := range library.Names() {
		is.Equal(list[i].Name, name)
		is.True(list[i].Rows > 0 && list[i].Tables > 0 && list[i].Description != "")
		is.True(strings.Contains(got.stdout, name+" ") && strings.Contains(got.stdout, list[i].Description))
	}

	got = in("template", "library", "tpcb", "--target", "postgres", "--endpoint", "pg")
	is.Equal(got.code, 0)
	is.True(strings.HasPrefix(got.stdout, "# The transaction of TPC-B as pgbench has it")) // with its comments
	is.True(strings.Contains(got.stdout, "\n  kind: postgres\n  endpoint: pg\n"))
	file := filepath.Join(dir, "tpcb.yaml")
	is.NoErr(os.WriteFile(file, []byte(got.stdout), 0o600))
	is.Equal(in("template", "import", file).code, 0)
	is.Equal(in("template", "library", "ycsb-a", "--target", "snowflake", "--endpoint", "sf", "--import").code, 0)
	shown := in("template", "show", "ycsb-a").stdout
	is.True(strings.Contains(shown, "kind: snowflake") && strings.Contains(shown, "type: HYBRID"))

	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"ycsb-g"}, "ycsb-f"},
		{[]string{"tpcb", "--target", "oracle"}, `--target is "oracle"; allowed: sqlite, postgres, snowflake`},
		{[]string{"--import"}, "--target, --endpoint and --import are about one template: name it"},
		{[]string{"tpcb", "ycsb-a"}, `takes NAME, and "ycsb-a" is too much`},
	} {
		got := in(append([]string{"template", "library"}, c.args...)...)
		is.Equal(got.code, ExitUsage)
		is.Equal(got.stdout, "")
		is.True(strings.Contains(got.stderr, c.says))
	}
}
