package benchfleet_test

import (
	"cmp"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// planted holds sources that break one rule each, and the complaint they must
// get; an empty complaint means that the source is clean. A file name ends at
// the first blank; imports of this module are written as M/folder.
var planted = []struct{ file, src, want string }{
	// The table.
	{"core/x.go", `import "M/core/sub"`, ""},
	{"core/x.go", `import "M/ports"`, "core may not import ports"},
	{"core/sub/x.go", `import "M/ports"`, "core may not import ports"},
	{"ports/x.go", `import "M/core"`, ""},
	{"ports/x.go", `import "M/ports/porttest"`, "ports may not import ports/porttest"},
	{"ports/x.go", `import "M"`, "ports may not import ."},
	{"runner/x.go", `import "M/worker"`, "runner may not import worker"},
	{"runner/x.go", `import "M/adapters/memory"`, "runner may not import adapters/memory"},
	{"runner/x_test.go", `import "M/adapters/memory"; import "M/ports/porttest"; import "M/internal/sim"`, ""},
	{"runner/x_test.go", `import "M/adapters/local"`, "runner may not import adapters/local"},
	{"adapters/docker/x.go", `import "M/adapters/local"`, "adapters/docker may not import adapters/local"},
	{"adapters/docker/x.go", `import "M/internal/snowlocal"`, "adapters/docker may not import internal/snowlocal"},
	{"adapters/sqlite/x.go", `import "M/adapters/sqlstore"; import "M/sql/schema"`, ""},
	{"adapters/postgres/x.go", `import "M/adapters/sqlstore"`, "adapters/postgres may not import adapters/sqlstore"},
	{"internal/snowlocal/x.go", `import "M/adapters/snowflake"`, "internal/snowlocal may not import adapters/snowflake"},
	{"cmd/benchfleet/x.go", `import "M/controller"; import "github.com/spf13/cobra"`, ""},
	{"x.go", `import "M/core"`, ". may not import core"},
	{"x_test.go", `import "M/adapters/docker"`, ""},
	{"util/x.go", ``, "folder util is in no row"},
	{"adapters/oracle/x.go", ``, "folder adapters/oracle is in no row"},
	{"runner/x.go", `import "M/util"`, "M/util is in no row"},
	{"runner/x.go", `import . "fmt"`, "dot import of fmt"},
	{"examples/local/main.go", strings.Repeat("\n", maxExampleLines), "an example has at most 99 lines"},

	// Dependencies from outside.
	{"core/x.go", `import "os"`, "core may not import os"},
	{"core/x.go", `import "context"`, "core may not import context"},
	{"core/x.go", `import "math/rand"`, "core may not import math/rand"},
	{"core/x.go", `import "C"`, "core may not import C"},
	{"core/x_test.go", `import "os"`, ""},
	{"ports/x.go", `import "context"`, ""},
	{"ports/x.go", `import "example.com/sdk"`, "ports may import the standard library only"},
	{"runner/x.go", `import "github.com/jmoiron/sqlx"`, "runner may not import github.com/jmoiron/sqlx"},
	{"adapters/spcs/x.go", `import "github.com/snowflakedb/gosnowflake"`, "adapters/spcs may not import github.com/snowflakedb/gosnowflake"},
	{"adapters/snowflake/x.go", `import "github.com/snowflakedb/gosnowflake"`, ""},

	// The purity of core.
	{"core/x.go", `func f() { go f() }`, "core starts no goroutine"},
	{"core/x.go", `func f() { select {} }`, "core has no select"},
	{"core/x.go", `type T struct{ c chan int }`, "core has no channel"},
	{"core/x.go", `func f(c T) { c <- 1 }`, "core sends on no channel"},
	{"core/x.go", `func f(c T) { <-c }`, "core receives from no channel"},
	{"core/x.go", `import "time"; func f() time.Time { return time.Now() }`, "core may not use time.Now"},
	{"core/x.go", `import clock "time"; func f() { g(clock.Since) }`, "core may not use time.Since"},
	{"core/x.go", `import "time"; func f() { time.AfterFunc(1, f) }`, "core may not use time.AfterFunc"},
	{"core/x.go", `import "time"; func f(t time.Time) time.Time { return t.Add(time.Second).UTC() }`, ""},
	{"core/x.go", `type T struct{}; func (T) Now() {}; func f(time T) { time.Now() }`, ""},
	{"core/x.go", `import "fmt"; func f() { fmt.Println() }`, "core may not use fmt.Println"},
	{"core/x.go", `func f() { println() }`, "core prints nothing"},
	{"core/x.go", `import "math/rand/v2"; func f() int { return rand.IntN(3) }`, "core may not use math/rand/v2.IntN"},
	{"core/x.go", `import "math/rand/v2"; func f() int { return rand.New(rand.NewPCG(1, 2)).IntN(3) }`, ""},
	{"worker/x.go", `import "time"; func f(c chan int) { go f(c); select { case <-time.After(1): case c <- 1: } }`, ""},

	// The order of maps in core.
	{"core/x.go", `func f(m map[string]int) { for range m {} }`, "order of a map"},
	{"core/x.go", `type M map[string]int; type T struct{ m M }; func f(t *T) { for range t.m {} }`, "order of a map"},
	{"core/x.go", `func g() (map[string]int, error) { return nil, nil }; func f() { m, _ := g(); for range m {} }`, "order of a map"},
	{"core/x.go", `import "time"; func f() { m := map[string]time.Time{}; for range m {} }`, "order of a map"},
	{"core/x.go", `func f[M ~map[K]V, K comparable, V any](m M) { for range m {} }`, "order of a map"},
	{"core/x.go", `func f(v any) { for range v.(map[string]any) {} }`, "order of a map"},
	{"core/x.go", `import "maps"; func f(m map[string]int) { for range maps.Keys(m) {} }`, "wrap maps.Keys"},
	{"core/x.go", `import ("maps"; "slices"); func f(m map[string]int) { for range slices.Sorted(maps.Keys(m)) {} }`, ""},
	{"core/x.go", `func f(s []string, n int, a [3]int) { for range s {}; for range n {}; for range a {}; for range "x" {} }`, ""},
	{"runner/x.go", `func f(m map[string]int) { for range m {} }`, ""},

	// Package state.
	{"core/x.go", `import "errors"; var ErrX = errors.New("x"); var errY error = &T{}; var _ = f; var table = [...]string{"a"}; var byName = map[string]int{"a": 1}; var made = f()`, ""},
	{"core/x.go", `var limit = 3`, "limit is neither an error nor a table"},
	{"core/x.go", `var hook = func() {}`, "hook is neither an error nor a table"},
	{"core/x.go", `var n int`, "n starts empty"},
	{"core/x.go", `var table = []string{"a"}; func f() { table[0] = "b" }`, "table is written"},
	{"core/x.go", `var table = map[string]int{"a": 1}; func f() { delete(table, "a") }`, "table is written"},
	{"core/x.go", `var table = []string{"a"}; func f() { table := table; table[0], table = "b", nil }`, ""},
	{"runner/x.go", `import "sync"; var mu sync.Mutex`, "mu starts empty"},
	{"runner/x.go", `import "sync"; var mu = sync.Mutex{}`, "mu is a lock"},
	{"runner/x.go", `type T struct{}; var shared = &T{}`, "shared is a pointer"},
	{"runner/x.go", `var seen = map[string]bool{}`, "seen is an empty map"},
	{"runner/x.go", `var seen = make(map[string]bool)`, "seen is made empty"},
	{"runner/x.go", `var limit = 3; func f() { limit++ }`, "limit is written"},
	{"runner/x.go", `var limit = 3; func f() { g(&limit) }`, "limit is written or its address taken"},
	{"runner/x.go", `import "M/core"; func f() { core.ErrX = nil }`, ""}, // core has no such file in this tree: unknown passes
	{"sql/schema/x.go", "import \"embed\"\n\n//go:embed store\nvar files embed.FS", ""},
	{"cmd/benchfleet/x.go", `var version string`, ""},

	// Doors to the process.
	{"runner/x.go", `func init() {}`, "no init"},
	{"runner/x.go", `type T struct{}; func (T) init() {}`, ""},
	{"runner/x_test.go", `func init() {}`, ""},
	{"cmd/benchfleet/x.go", `import "os"; func init() { os.Getenv("X") }`, ""},
	{"adapters/local/x.go", `import "os"; func f() { os.Getenv("X") }`, "os.Getenv: only mains"},
	{"adapters/local/x.go", `import "os"; var x = os.Environ`, "os.Environ: only mains"},
	{"worker/x.go", `import "os"; func RunIfChild() { func() { os.LookupEnv("X") }() }`, ""},
	{"worker/x.go", `import "os"; func Run() { os.LookupEnv("X") }`, "os.LookupEnv: only mains"},
	{"runner/x.go", `import "os"; func RunIfChild() { os.LookupEnv("X") }`, "os.LookupEnv: only mains"},

	// DDL.
	{"adapters/sqlstore/x.go", `const q = "create  table t (x)"`, "DDL lives in sql/schema"},
	{"adapters/sqlstore/x.go", `func f() string { return "ALTER " + ("TABLE t") }`, "DDL lives in sql/schema"},
	{"adapters/snowflake/x.go", "const q = `\nCREATE OR REPLACE HYBRID TABLE t`", "DDL lives in sql/schema"},
	{"adapters/sqlstore/x.go", `const q = "run benchfleet schema apply to create the tables"`, ""},
	{"adapters/sqlstore/x_test.go", `const q = "DROP TABLE t"`, ""},
	{"sql/schema/x.go", `const q = "DROP TABLE t"`, ""},
}

func TestArchitectureRules(t *testing.T) {
	for _, c := range planted {
		t.Run(c.file+" "+cmp.Or(c.want, "clean"), func(t *testing.T) {
			is := is.New(t)
			tree := newTree()
			pkg := strings.ReplaceAll(path.Base(path.Dir(c.file)), ".", "benchfleet")
			src := "package " + pkg + "; " + strings.ReplaceAll(c.src, `"M`, `"`+module) + "\n"
			is.NoErr(tree.add(c.file, []byte(src)))
			got := tree.violations()
			if c.want == "" {
				is.Equal(len(got), 0) // a clean source passes
				return
			}
			is.Equal(len(got), 1) // one rule is broken
			is.True(strings.Contains(got[0], strings.ReplaceAll(c.want, "M/", module+"/")))
		})
	}
}

// A write from one package into another needs two files.
func TestArchitectureRulesAcrossPackages(t *testing.T) {
	is := is.New(t)
	tree := newTree()
	is.NoErr(tree.add("core/a.go", []byte(`package core; var ErrX = error(nil); type Set map[string]bool`)))
	is.NoErr(tree.add("core/b/b.go", []byte(`package b; import "`+module+`/core"; func f(s core.Set) { for range s {} }`)))
	is.NoErr(tree.add("runner/c.go", []byte(`package runner; import "`+module+`/core"; func f() { core.ErrX = nil }`)))
	got := tree.violations()
	is.Equal(len(got), 2)
	is.True(strings.HasPrefix(got[0], "core/b/b.go:1: core does not depend on the order of a map"))
	is.True(strings.HasPrefix(got[1], "runner/c.go:1: package variable ErrX is written"))
}

// Sources that are read from disk are found at any depth, and testdata is not.
func TestReadTree(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	for _, name := range []string{"a.go", "core/b.go", "core/x/y/c_test.go", "core/testdata/d.go", ".cache/e.go", "core/f.txt"} {
		file := filepath.Join(root, filepath.FromSlash(name))
		is.NoErr(os.MkdirAll(filepath.Dir(file), 0o755))
		is.NoErr(os.WriteFile(file, []byte("//go:build never\n\npackage p\n"), 0o644))
	}
	tree, err := readTree(root)
	is.NoErr(err)
	is.Equal(slices.Sorted(maps.Keys(tree.files)), []string{"a.go", "core/b.go", "core/x/y/c_test.go"})
}
