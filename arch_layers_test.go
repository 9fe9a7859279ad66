package benchfleet_test

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

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
