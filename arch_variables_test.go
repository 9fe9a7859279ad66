package benchfleet_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

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
