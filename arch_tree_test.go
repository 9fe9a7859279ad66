package benchfleet_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
