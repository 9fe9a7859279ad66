package benchfleet_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// This file is the architecture of the module as a test. It reads sources and
// never builds them, so it needs no dependency and takes less than a second.
// Types are checked without the standard library's: a type that is spelled in
// this module is known exactly, anything that comes out of a foreign package is
// unknown and passes. TestArchitectureRules plants one violation of each rule,
// so that no rule can go blind unseen.

const module = "github.com/benchfleet/benchfleet"

// everything, as the only entry of row.may, allows every import.
const everything = "*"

// A row is one line of the table of layers. It covers its folder and those
// below it, unless a row with a longer folder does.
type row struct {
	folder string
	may    []string // rows it may import, besides its own
	kit    bool     // a main or a test kit: may read the environment, hold state, use init
	ddl    bool     // may hold DDL text
}

// layers is the table of layers. A folder in no row fails: give it a row, here
// and in CONTRIBUTING.md, before its first file.
var layers = []row{
	{folder: "."},
	{folder: "core"},
	{folder: "ports", may: []string{"core"}},
	{folder: "ports/porttest", may: []string{"core", "ports"}, kit: true},
	{folder: "runner", may: []string{"core", "ports"}},
	{folder: "worker", may: []string{"core", "ports"}},
	{folder: "controller", may: []string{"core", "ports", "report", "client"}},
	{folder: "client", may: []string{"core"}},
	{folder: "templatefile", may: []string{"core"}},
	{folder: "library", may: []string{"core", "templatefile"}},
	{folder: "report", may: []string{"core", "ports"}},
	{folder: "adapters/local", may: []string{"core", "ports"}},
	{folder: "adapters/docker", may: []string{"core", "ports"}},
	{folder: "adapters/spcs", may: []string{"core", "ports"}},
	{folder: "adapters/plugin", may: []string{"core", "ports"}},
	{folder: "adapters/sqlite", may: []string{"core", "ports", "adapters/sqlstore", "sql/schema"}},
	{folder: "adapters/snowflake", may: []string{"core", "ports", "adapters/sqlstore", "sql/schema"}},
	{folder: "adapters/postgres", may: []string{"core", "ports"}},
	{folder: "adapters/gateway", may: []string{"core", "ports"}},
	{folder: "adapters/memory", may: []string{"core", "ports"}},
	{folder: "adapters/fault", may: []string{"core", "ports"}},
	{folder: "adapters/sqlstore", may: []string{"core", "ports", "sql/schema"}},
	{folder: "sql/schema", ddl: true},
	{folder: "internal/snowlocal", may: []string{"core"}, ddl: true}, // it parses DDL
	{folder: "cmd/snowlocal", may: []string{"core", "internal/snowlocal"}, kit: true},
	{folder: "cmd/benchfleet", may: []string{everything}, kit: true},
	{folder: "examples/local", may: []string{everything}, kit: true},
	{folder: "examples/docker", may: []string{everything}, kit: true},
	{folder: "examples/spcs", may: []string{everything}, kit: true},
	{folder: "examples/snowflake", may: []string{everything}, kit: true},
	{folder: "examples/plugin", may: []string{everything}, kit: true},
	{folder: "internal/sim", may: []string{everything}, kit: true},
	{folder: "bench", may: []string{everything}, kit: true},
	{folder: "acceptance", may: []string{everything}, kit: true},
}

// testsMayImport is what the tests of any row may import besides the row's own
// share. The tests of the root folder may import everything.
var testsMayImport = []string{"adapters/memory", "adapters/fault", "ports/porttest"}

// homes says where a heavy dependency may live. Rows that may import everything
// are free; so are tests.
var homes = map[string][]string{
	"github.com/jmoiron/sqlx":        {"adapters/sqlstore", "adapters/sqlite", "adapters/snowflake", "adapters/spcs", "adapters/postgres"},
	"modernc.org/":                   {"adapters/sqlite"},
	"github.com/snowflakedb/":        {"adapters/snowflake"},
	"github.com/jackc/":              {"adapters/postgres", "internal/snowlocal"},
	"github.com/moby/":               {"adapters/docker", "internal/snowlocal"},
	"github.com/docker/":             {"adapters/docker", "internal/snowlocal"},
	"github.com/hashicorp/go-plugin": {"adapters/plugin"},
	"google.golang.org/":             {"adapters/plugin"},
	"github.com/charmbracelet/":      {},
	"github.com/spf13/":              {},
}

// standardOnly are the rows that import nothing from outside the standard
// library: what a caller of the library meets in signatures.
var standardOnly = []string{"core", "ports", "client"}

// coreMayImport is the standard library as core sees it: values in, values out.
var coreMayImport = []string{
	"bytes", "cmp", "crypto/sha256", "encoding", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json",
	"errors", "fmt", "hash", "hash/crc32", "hash/fnv", "iter", "maps", "math", "math/bits", "math/rand/v2", "regexp",
	"slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
}

// coreMayNotUse are the names, by import path, that break the purity of core
// although their package does not. A list that starts with "only" turns round.
var coreMayNotUse = map[string][]string{
	"time": {
		"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc", // the clock
		"Local", "LoadLocation", // the machine's time zones
	},
	"fmt":          {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"math/rand/v2": {"only", "New", "NewPCG", "NewZipf", "NewChaCha8", "Rand", "PCG", "Zipf", "ChaCha8", "Source"}, // the rest is seeded by the machine
}

// pureCalls may initialise a package variable in core, as may functions of core.
var pureCalls = []string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer"}

// environment are the functions of os and syscall by which a package would read
// or change its process's environment behind its caller's back.
var environment = []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv"}

// mayReadEnvironment are the only functions outside mains and tests that may,
// by folder and name, and why. An entry that is no longer needed fails.
var mayReadEnvironment = map[string]string{
	"worker.RunIfChild": "first line of a library user's main: the worker contract arrives in environment variables",
}

// ddl catches statements in prose too; a message can say it in other words.
var ddl = regexp.MustCompile(`(?i)\b(create|alter|drop)\s+(or\s+replace\s+)?((temp|temporary|transient|hybrid|unlogged|virtual)\s+)*table\b`)

// maxExampleLines keeps an example one screenful or two.
const maxExampleLines = 100

// A tree is a set of parsed sources, by slash path below the module's root.
type tree struct {
	fset  *token.FileSet
	files map[string]*ast.File
	lines map[string]int

	used map[string]bool // entries of mayReadEnvironment that were needed
	out  []string
}

func newTree() *tree {
	return &tree{fset: token.NewFileSet(), files: map[string]*ast.File{}, lines: map[string]int{}, used: map[string]bool{}}
}

func (t *tree) add(name string, src []byte) error {
	f, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.files[name] = f
	t.lines[name] = bytes.Count(src, []byte("\n"))
	return nil
}

// readTree parses every .go file below root, whatever its build constraints.
func readTree(root string) (*tree, error) {
	t := newTree()
	return t, filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		src, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed between listing and reading
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		return t.add(filepath.ToSlash(rel), src)
	})
}

func (t *tree) report(at token.Pos, format string, args ...any) {
	p := t.fset.Position(at)
	line := fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...))
	if !slices.Contains(t.out, line) {
		t.out = append(t.out, line)
	}
}

// rowOf finds the row of a folder: the longest that covers it.
func rowOf(folder string) (row, bool) {
	var best row
	found := false
	for _, r := range layers {
		covers := folder == r.folder || (r.folder != "." && strings.HasPrefix(folder, r.folder+"/"))
		if covers && len(r.folder) >= len(best.folder) {
			best, found = r, true
		}
	}
	return best, found
}

// violations applies every rule to the tree.
func (t *tree) violations() []string {
	t.out = nil
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		f := t.files[name]
		folder := path.Dir(name)
		r, ok := rowOf(folder)
		if !ok {
			t.report(f.Package, "folder %s is in no row of the table of layers", folder)
			continue
		}
		t.checkImports(r, f, strings.HasSuffix(name, "_test.go"))
		if strings.HasPrefix(name, "examples/") && t.lines[name] > maxExampleLines {
			t.report(f.Package, "an example has at most %d lines, this one %d", maxExampleLines, t.lines[name])
		}
	}
	checked := t.typeCheck()
	for _, key := range slices.Sorted(maps.Keys(checked)) {
		p := checked[key]
		r, ok := rowOf(p.folder)
		if !ok || r.kit {
			continue
		}
		for _, f := range p.files {
			if r.folder == "core" {
				t.checkPure(p, f)
			}
			if !r.ddl {
				t.checkDDL(f)
			}
			t.checkFunctions(p, f)
			t.checkVariables(p, f, r.folder == "core")
		}
	}
	slices.Sort(t.out)
	return t.out
}

// checkImports holds one file to the table of layers.
func (t *tree) checkImports(r row, f *ast.File, test bool) {
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it
		}
		if spec.Name != nil && spec.Name.Name == "." && !test {
			t.report(spec.Pos(), "dot import of %s hides where names come from", imported)
		}
		if imported != module && !strings.HasPrefix(imported, module+"/") {
			if !test {
				t.checkForeign(r, spec, imported)
			}
			continue
		}
		to, ok := rowOf(path.Clean(strings.TrimPrefix(imported[len(module):], "/")))
		switch {
		case !ok:
			t.report(spec.Pos(), "%s is in no row of the table of layers", imported)
		case to.folder == r.folder, slices.Contains(r.may, everything), slices.Contains(r.may, to.folder):
		case test && (r.folder == "." || slices.Contains(testsMayImport, to.folder) || strings.HasPrefix(to.folder, "internal/")):
		default:
			t.report(spec.Pos(), "%s may not import %s", r.folder, to.folder)
		}
	}
}

// checkForeign holds a file that is no test to what it may import from outside.
func (t *tree) checkForeign(r row, spec *ast.ImportSpec, imported string) {
	first, _, _ := strings.Cut(imported, "/")
	standard := !strings.Contains(first, ".") && imported != "C"
	switch {
	case r.folder == "core" && !slices.Contains(coreMayImport, imported):
		t.report(spec.Pos(), "core may not import %s", imported)
	case !standard && slices.Contains(standardOnly, r.folder):
		t.report(spec.Pos(), "%s may import the standard library only, not %s", r.folder, imported)
	}
	if slices.Contains(r.may, everything) {
		return
	}
	for prefix, rows := range homes {
		if strings.HasPrefix(imported, prefix) && !slices.Contains(rows, r.folder) {
			t.report(spec.Pos(), "%s may not import %s; its home is %v", r.folder, imported, rows)
		}
	}
}

// A checkedPackage is the part of a package that is no test, with what the type
// checker could know about it.
type checkedPackage struct {
	folder string
	files  []*ast.File
	pkg    *types.Package
	info   types.Info
}

// Import lets the type checker see this module's own packages. Every other one
// gets an empty stand-in and an error, after which the checker takes any name
// from it as unknown.
func (c checker) Import(imported string) (*types.Package, error) {
	if p := c.packages[strings.TrimPrefix(imported, module+"/")]; p != nil && c.check(p) {
		return p.pkg, nil
	}
	name := path.Base(imported)
	if regexp.MustCompile(`^v[0-9]+$`).MatchString(name) {
		name = path.Base(path.Dir(imported))
	}
	return types.NewPackage(imported, name), errors.New("not read: foreign to this module")
}

type checker struct {
	fset     *token.FileSet
	packages map[string]*checkedPackage
	busy     map[string]bool
}

func (c checker) check(p *checkedPackage) bool {
	if p.pkg != nil {
		return true
	}
	if c.busy[p.folder] { // an import cycle: the compiler's business
		return false
	}
	c.busy[p.folder] = true
	conf := types.Config{Importer: c, Error: func(error) {}, FakeImportC: true}
	p.info = types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	p.pkg, _ = conf.Check(module+"/"+p.folder, c.fset, p.files, &p.info) // errors are expected: nothing foreign is known
	return true
}

func (t *tree) typeCheck() map[string]*checkedPackage {
	c := checker{fset: t.fset, packages: map[string]*checkedPackage{}, busy: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		p := c.packages[path.Dir(name)]
		if p == nil {
			p = &checkedPackage{folder: path.Dir(name)}
			c.packages[p.folder] = p
		}
		p.files = append(p.files, t.files[name])
	}
	for _, p := range c.packages {
		c.check(p)
	}
	return c.packages
}

// foreign resolves pkg.Name to the import path and the name.
func (p *checkedPackage) foreign(e ast.Expr) (imported, name string) {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	pn, ok := p.info.Uses[id].(*types.PkgName)
	if !ok {
		return "", ""
	}
	return pn.Imported().Path(), sel.Sel.Name
}

// checkPure refuses in core what would make two runs of the same code differ.
func (t *tree) checkPure(p *checkedPackage, f *ast.File) {
	sorted := map[ast.Expr]bool{} // arguments of slices.Sorted…
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.report(n.Pos(), "core starts no goroutine")
		case *ast.SelectStmt:
			t.report(n.Pos(), "core has no select")
		case *ast.ChanType:
			t.report(n.Pos(), "core has no channel")
		case *ast.SendStmt:
			t.report(n.Pos(), "core sends on no channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				t.report(n.Pos(), "core receives from no channel")
			}
		case *ast.RangeStmt:
			if isMap(p.info.TypeOf(n.X)) {
				t.report(n.Pos(), "core does not depend on the order of a map: range over slices.Sorted(maps.Keys(m))")
			}
		case *ast.CallExpr:
			if pkg, name := p.foreign(n.Fun); pkg == "slices" && strings.HasPrefix(name, "Sorted") && len(n.Args) > 0 {
				sorted[n.Args[0]] = true
			}
			if pkg, name := p.foreign(n.Fun); pkg == "maps" && slices.Contains([]string{"Keys", "Values", "All"}, name) && !sorted[n] {
				t.report(n.Pos(), "core does not depend on the order of a map: wrap maps.%s in slices.Sorted", name)
			}
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
				if _, builtin := p.info.Uses[id].(*types.Builtin); builtin {
					t.report(n.Pos(), "core prints nothing")
				}
			}
		case *ast.SelectorExpr:
			pkg, name := p.foreign(n)
			names := coreMayNotUse[pkg]
			only := len(names) > 0 && names[0] == "only"
			if len(names) > 0 && slices.Contains(names, name) == !only {
				t.report(n.Pos(), "core may not use %s.%s", pkg, name)
			}
		}
		return true
	})
}

// isMap knows maps, named maps, and type parameters that can only be maps.
func isMap(typ types.Type) bool {
	if typ == nil {
		return false
	}
	if tp, ok := types.Unalias(typ).(*types.TypeParam); ok {
		constraint := tp.Constraint().Underlying().(*types.Interface)
		for e := range constraint.EmbeddedTypes() {
			if u, ok := e.(*types.Union); ok && u.Len() > 0 {
				e = u.Term(0).Type()
			}
			if isMap(e) {
				return true
			}
		}
		return false
	}
	_, ok := typ.Underlying().(*types.Map)
	return ok
}

// checkFunctions refuses init and, but for the named doors, the environment.
func (t *tree) checkFunctions(p *checkedPackage, f *ast.File) {
	for _, d := range f.Decls {
		door := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.report(fn.Pos(), "no init: register by hand, in a main")
			}
			if fn.Recv == nil {
				door = p.folder + "." + fn.Name.Name
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			e, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, name := p.foreign(e)
			if (pkg != "os" && pkg != "syscall") || !slices.Contains(environment, name) {
				return true
			}
			if mayReadEnvironment[door] != "" {
				t.used[door] = true
				return true
			}
			t.report(e.Pos(), "%s.%s: only mains read the environment; take the value as an option", pkg, name)
			return true
		})
	}
}

// checkDDL refuses DDL text, concatenated literals included.
func (t *tree) checkDDL(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := literal(e)
		if ok && ddl.MatchString(text) {
			t.report(e.Pos(), "DDL lives in sql/schema, not in %q", ddl.FindString(text))
		}
		return !ok
	})
}

// literal folds string literals and sums of them.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, e.Kind == token.STRING && err == nil
	case *ast.ParenExpr:
		return literal(e.X)
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, ok2 := literal(e.Y)
		return left + right, e.Op == token.ADD && ok && ok2
	}
	return "", false
}

// checkVariables refuses package variables that hold state: those that start
// empty or behind a pointer, and those that anything writes to. In core only
// errors, tables and what pure functions made may be variables at all.
func (t *tree) checkVariables(p *checkedPackage, f *ast.File, core bool) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			if embedded(g.Doc) || embedded(spec.Doc) {
				continue
			}
			for i, id := range spec.Names {
				if id.Name == "_" {
					continue
				}
				var value ast.Expr
				if i < len(spec.Values) {
					value = spec.Values[i]
				}
				if why := p.state(id.Name, value, len(spec.Values) > 0, core); why != "" {
					t.report(id.Pos(), "package variable %s %s", id.Name, why)
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		for _, e := range written(n) {
			if v := p.packageVariable(e); v != nil {
				t.report(n.Pos(), "package variable %s is written or its address taken", v.Name())
			}
		}
		return true
	})
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") })
}

// state says why a package variable with this initial value is one that holds
// state, or nothing.
func (p *checkedPackage) state(name string, value ast.Expr, valued, core bool) string {
	if !valued {
		return "starts empty: it can only hold state"
	}
	isErr := strings.HasPrefix(strings.ToLower(name), "err")
	switch v := ast.Unparen(value).(type) {
	case *ast.CompositeLit:
		if pkg, _ := p.foreign(v.Type); strings.HasPrefix(pkg, "sync") {
			return "is a lock or an atomic: it can only hold state"
		}
		if len(v.Elts) == 0 && isMap(p.info.TypeOf(v)) {
			return "is an empty map: it can only hold state"
		}
		return ""
	case *ast.UnaryExpr:
		if v.Op == token.AND && !isErr {
			return "is a pointer: it can only hold state"
		}
	case *ast.CallExpr:
		id, local := v.Fun.(*ast.Ident)
		if local && (id.Name == "make" || id.Name == "new") {
			return "is made empty: it can only hold state"
		}
		pkg, fn := p.foreign(v.Fun)
		if local || slices.Contains(pureCalls, pkg+"."+fn) {
			return ""
		}
	}
	if core && !isErr {
		return "is neither an error nor a table; make it a constant or a function"
	}
	return ""
}

// written lists what a statement or expression writes to, or lets others write.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.UnaryExpr:
		if _, fresh := n.X.(*ast.CompositeLit); n.Op == token.AND && !fresh {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// packageVariable finds the package variable at the root of x, x.f, x[i], *x.
func (p *checkedPackage) packageVariable(e ast.Expr) *types.Var {
	for {
		var id *ast.Ident
		switch x := e.(type) {
		case *ast.Ident:
			id = x
		case *ast.SelectorExpr:
			if pkg, _ := p.foreign(x); pkg != "" {
				id = x.Sel
				break
			}
			e = x.X
			continue
		case *ast.IndexExpr:
			e = x.X
			continue
		case *ast.SliceExpr:
			e = x.X
			continue
		case *ast.StarExpr:
			e = x.X
			continue
		case *ast.ParenExpr:
			e = x.X
			continue
		default:
			return nil
		}
		v, ok := p.info.Uses[id].(*types.Var)
		if !ok || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
			return nil
		}
		return v
	}
}

func TestArchitecture(t *testing.T) {
	is := is.New(t)
	tree, err := readTree(".")
	is.NoErr(err)
	for _, v := range tree.violations() {
		t.Error(v)
	}
	for door := range mayReadEnvironment {
		if !tree.used[door] {
			t.Errorf("mayReadEnvironment names %s, which does not read the environment: remove the entry", door)
		}
	}
}

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
	{"examples/local/main.go", strings.Repeat("\n", maxExampleLines), "an example has at most 100 lines"},

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

var update = flag.Bool("update", false, "rewrite testdata/consumer_deps.golden")

const depsGolden = "testdata/consumer_deps.golden"

// consumers are the packages whose cost in dependencies is promised.
var consumers = []string{"core", "runner", "adapters/local"}

// heavy must not reach a consumer, whatever the golden file says.
var heavy = regexp.MustCompile(`docker|moby|snowflake|sqlite|sqlx`)

// TestConsumerDeps compares what a library user compiles in, besides the
// standard library, with the golden list. A new line there is a decision, to be
// seen in review; `task deps:update` writes it.
func TestConsumerDeps(t *testing.T) {
	is := is.New(t)
	var got strings.Builder
	for _, folder := range consumers {
		deps, err := consumerDeps(t, folder)
		is.NoErr(err) // go list
		is.Equal(heavyDeps(deps), nil)
		fmt.Fprintf(&got, "%s\n", folder)
		for _, dep := range deps {
			fmt.Fprintf(&got, "\t%s\n", dep)
		}
	}
	if *update {
		is.NoErr(os.MkdirAll(filepath.Dir(depsGolden), 0o755))
		is.NoErr(os.WriteFile(depsGolden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(depsGolden)
	is.NoErr(err)
	if got.String() != string(want) {
		t.Errorf("what library users pay has changed; if that is wanted, run: go test . -run TestConsumerDeps -update\ngot:\n%swant:\n%s", got.String(), want)
	}
}

// consumerDeps lists what one package compiles in on linux/amd64 without cgo,
// so that the list is the same on every machine.
func consumerDeps(t *testing.T, folder string) ([]string, error) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+folder)
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	return slices.Sorted(slices.Values(strings.Fields(string(out)))), nil
}

func heavyDeps(deps []string) []string {
	var found []string
	for _, dep := range deps {
		if heavy.MatchString(dep) {
			found = append(found, dep)
		}
	}
	return found
}

func TestHeavyDeps(t *testing.T) {
	is := is.New(t)
	is.Equal(heavyDeps([]string{module + "/core", "golang.org/x/sys/unix"}), nil)
	bad := []string{module + "/adapters/docker", "github.com/moby/moby/client", "github.com/snowflakedb/gosnowflake", "modernc.org/sqlite", "github.com/jmoiron/sqlx"}
	is.Equal(heavyDeps(bad), bad)
}
