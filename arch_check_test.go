package benchfleet_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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
