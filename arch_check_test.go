package benchfleet_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

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
