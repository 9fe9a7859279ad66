package porttest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/matryer/is"
)

// The suite of launchers knows no adapter: it holds no adapter's name that it could
// compare with.
func TestLauncherSuiteKnowsNoAdapter(t *testing.T) {
	is := is.New(t)
	folders, err := os.ReadDir("../../adapters")
	is.NoErr(err)
	var adapters []string
	for _, folder := range folders {
		adapters = append(adapters, folder.Name())
	}
	is.True(slices.Contains(adapters, "local"))
	files, err := filepath.Glob("launcher*.go")
	is.NoErr(err)
	for _, file := range append(files, "helpermain.go", "suite.go") {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		is.NoErr(err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				text, err := strconv.Unquote(l.Value)
				is.NoErr(err)
				is.True(!slices.Contains(adapters, text)) // text names an adapter
			}
			return true
		})
	}
}
