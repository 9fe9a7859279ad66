package benchfleet_test

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

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
