package benchfleet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// causeRow is a row of the table of docs/verdict.md: a cause, and the test that
// brings it about.
type causeRow struct{ cause, folder, test string }

var causeLine = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|.*\\| `([a-z/]+) (Test[A-Za-z0-9]+)` \\|$")

func causeRows(text string) (rows []causeRow) {
	for _, m := range causeLine.FindAllStringSubmatch(text, -1) {
		rows = append(rows, causeRow{m[1], m[2], m[3]})
	}
	return rows
}

// causeNames are the constants of core of type Cause: name by value.
func causeNames(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, file := range parsed(t, "core", false) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Cause" {
				names[strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)] = spec.Names[0].Name
			}
			return true
		})
	}
	return names
}

// parsed are the files of a folder: its tests, or all others.
func parsed(t *testing.T, folder string, tests bool) (files []*ast.File) {
	t.Helper()
	entries, err := fs.Glob(os.DirFS(folder), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		if strings.HasSuffix(name, "_test.go") != tests {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// mentions reports whether a test function of a folder names a constant of core.
func mentions(t *testing.T, folder, test, constant string) (exists, names bool) {
	t.Helper()
	for _, file := range parsed(t, folder, true) {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != test || f.Recv != nil {
				continue
			}
			exists = true
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == constant {
					names = true
				}
				return true
			})
		}
	}
	return exists, names
}

// TestEveryCauseIsInduced: the table of docs/verdict.md has every cause of a
// verdict once, in the order of core, and each names a test that brings it about.
func TestEveryCauseIsInduced(t *testing.T) {
	is := is.New(t)
	text, err := os.ReadFile("docs/verdict.md")
	is.NoErr(err)
	rows := causeRows(string(text))
	var documented, known []string
	for _, r := range rows {
		documented = append(documented, r.cause)
	}
	for _, c := range core.Causes() {
		known = append(known, string(c))
	}
	is.Equal(documented, known)
	names := causeNames(t)
	is.Equal(len(names), len(known)) // core.Causes has all of them
	for _, r := range rows {
		is.True(names[r.cause] != "")
		exists, asserted := mentions(t, r.folder, r.test, names[r.cause])
		if !exists {
			t.Errorf("%s: there is no test %s in %s", r.cause, r.test, r.folder)
		} else if !asserted {
			t.Errorf("%s: %s in %s does not name core.%s", r.cause, r.test, r.folder, names[r.cause])
		}
	}
}

// TestCauseRowsCatch: a row without a test, a test that is not there, and one that
// is about something else are found.
func TestCauseRowsCatch(t *testing.T) {
	is := is.New(t)
	rows := causeRows("| `A` | x | `worker TestX` |\n| `B` | no test | - |\n| cause | head | test |\n")
	is.Equal(rows, []causeRow{{"A", "worker", "TestX"}})
	exists, _ := mentions(t, "worker", "TestThatIsNotThere", "CauseErrors")
	is.True(!exists)
	exists, named := mentions(t, "worker", "TestCausesInduced", "CauseOverhead")
	is.True(exists && !named)
	is.True(slices.Contains(core.Causes(), core.CauseOverhead))
}
