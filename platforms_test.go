package benchfleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// A listed package is what `go list` says of one for a platform.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string // vendored ones of the standard library
	Module          *struct{ Main bool }
}

// TestOtherPlatforms holds the command to the compiler's rules on platforms that no image
// is of: its types, and those of all that it imports. `task cross` builds it there, which
// takes ten times as long.
func TestOtherPlatforms(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all dependencies, which takes some 10 s")
	}
	const planted = "package main\nimport \"syscall\"\nvar _ = syscall.SIGUSR1" // which Windows does not know
	for platform, alien := range map[string]bool{"darwin/arm64": false, "windows/amd64": true} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			os, arch, _ := strings.Cut(platform, "/")
			list, err := listFor(t, os, arch)
			is.NoErr(err)
			is.True(len(list) > 100)
			found := typeErrors(list, arch, planted)
			if alien { // else nothing was looked at
				is.True(len(found) > 0)
				is.True(strings.Contains(found[len(found)-1].Error(), "planted.go:3:17: undefined: syscall.SIGUSR1"))
				found = found[:len(found)-1]
			}
			for _, err := range found {
				t.Error(err)
			}
		})
	}
}

// listFor lists the command's packages on a platform, each behind what it imports.
func listFor(t *testing.T, system, arch string) (list []listed, err error) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", "./cmd/benchfleet")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(out); ; {
		var p listed
		if err = decoder.Decode(&p); err != nil {
			break
		}
		list = append(list, p)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, errors.Join(err, cmd.Wait())
}

// importing finds what one package imports among those that were checked.
type importing struct {
	checked map[string]*types.Package
	names   map[string]string
}

func (i importing) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if name, ok := i.names[path]; ok {
		path = name
	}
	if p := i.checked[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s was not listed", path)
}

// typeErrors checks packages in their order, of others than this module's what they
// declare. The last one has one more file.
func typeErrors(list []listed, arch, more string) (found []error) {
	checked := map[string]*types.Package{}
	for i, p := range list {
		fset, own := token.NewFileSet(), p.Module != nil && p.Module.Main
		var files []*ast.File
		read := func(name string, source any) {
			file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
			if err != nil {
				found = append(found, err)
				return
			}
			files = append(files, file)
		}
		for _, name := range p.GoFiles {
			read(filepath.Join(p.Dir, name), nil)
		}
		if i == len(list)-1 {
			read("planted.go", more)
		}
		config := types.Config{
			Importer: importing{checked, p.ImportMap}, Sizes: types.SizesFor("gc", arch), IgnoreFuncBodies: !own,
			Error: func(err error) {
				if own {
					found = append(found, err)
				}
			},
		}
		checked[p.ImportPath], _ = config.Check(p.ImportPath, fset, files, nil)
	}
	return found
}
