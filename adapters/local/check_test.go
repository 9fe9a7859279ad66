//go:build linux || darwin

package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	is.New(t).NoErr(os.WriteFile(file, nil, 0o600))
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "workers"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		dir     string
		command string
		refused string // id of the finding
	}{
		{"all is well", filepath.Join(dir, "new"), os.Args[0], ""},
		{"no such program", dir, filepath.Join(dir, "missing"), "local.command"},
		{"not executable", dir, file, "local.command"},
		{"a folder is no program", dir, dir, "local.command"},
		{"a file where launches are recorded", taken, os.Args[0], "local.folder"},
		{"below a file", filepath.Join(file, "x"), os.Args[0], "local.folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			l, err := New(c.dir, Options{Command: []string{c.command}})
			is.NoErr(err)
			findings, err := l.Check(t.Context(), 1)
			is.NoErr(err)
			is.Equal(len(findings), 6)
			for _, f := range findings {
				is.Equal(f.Severity == core.SeverityError, f.ID == c.refused) // the only refusal
				is.Equal(f.Severity == core.SeverityOK, f.Mend == "")
			}
			info, err := os.Stat(filepath.Join(c.dir, "workers"))
			is.True(err != nil || !info.IsDir()) // checking launches nothing
			left, err := filepath.Glob(filepath.Join(c.dir, ".probe-*"))
			is.NoErr(err)
			is.Equal(len(left), 0)
		})
	}
	_, err := open(t, dir).Check(t.Context(), 0)
	is.New(t).Equal(core.CodeOf(err), core.Invalid)
}

func TestCheckRoom(t *testing.T) {
	is := is.New(t)
	severities := func(free room, n int) string {
		var all []string
		for _, f := range checkRoom(free, n) {
			all = append(all, string(f.Severity))
		}
		return strings.Join(all, " ")
	}
	is.Equal(severities(room{processes: unknown, each: 16, memory: unknown, files: unknown}, 1000), "OK OK OK")
	is.Equal(severities(room{processes: 48, each: 16, memory: 3 * memoryEach, files: filesEach}, 3), "OK OK OK")
	is.Equal(severities(room{processes: 47, each: 16, memory: 3*memoryEach - 1, files: filesEach - 1}, 3), "WARNING WARNING WARNING")
	is.Equal(severities(room{processes: 2, each: 16, memory: 1, files: 10}, 3), "ERROR ERROR ERROR")
	is.Equal(checkRoom(room{memory: 100<<20 + 5}, 3)[1].Message, "room for 100 MiB of memory, these workers may need 192")
	is.Equal(least(unknown, 3), int64(3))
	is.Equal(least(3, unknown), int64(3))
	is.Equal(least(0, 3), int64(0))
}

func TestNew(t *testing.T) {
	is := is.New(t)
	_, err := New("", Options{})
	is.Equal(core.CodeOf(err), core.Invalid)
	command, environ := []string{"a", "b"}, []string{"X=1"}
	l, err := New("relative", Options{Command: command, Environ: environ})
	is.NoErr(err)
	command[0], environ[0] = "changed", "changed"
	is.Equal(l.command, []string{"a", "b"}) // its own copy
	is.Equal(l.environ, []string{"X=1"})
	is.True(filepath.IsAbs(l.dir))
	is.Equal(l.Capabilities().StartTimeout, defaultStartTimeout)
	is.NoErr(l.Close())
	is.NoErr(l.Close())
	_, err = os.Stat("relative")
	is.True(os.IsNotExist(err)) // New creates nothing
}
