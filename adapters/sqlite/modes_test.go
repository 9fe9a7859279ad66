package sqlite

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// unprivileged runs a role as somebody whom file modes bind: root is not.
func unprivileged(t *testing.T, binary, role string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	if os.Geteuid() == 0 {
		asNobody(cmd)
	}
	c := startCommand(t, cmd, role)
	line := c.line()
	_ = c.cmd.Wait() // it has said what happened
	return line
}

// modesFolder is a folder that everybody may use, with this binary in it.
func modesFolder(t *testing.T) (folder, binary string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("file modes bind nobody on Windows")
	}
	is := is.New(t)
	folder, err := os.MkdirTemp("", "benchfleet-modes-")
	is.NoErr(err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	is.NoErr(os.Chmod(folder, 0o777))
	content, err := os.ReadFile(self(t))
	is.NoErr(err)
	binary = filepath.Join(folder, "child")
	is.NoErr(os.WriteFile(binary, content, 0o755))
	is.NoErr(os.Chmod(binary, 0o755))
	return folder, binary
}

// fileNames are the files of a folder.
func fileNames(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	is.New(t).NoErr(err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}

func TestFileModes(t *testing.T) {
	folder, binary := modesFolder(t)
	for _, tc := range []struct {
		name      string
		dir, file os.FileMode
		opens     []string
		applies   []string
	}{
		{"writable", 0o777, 0o666, []string{"opened"}, nil},
		{"read-only file", 0o777, 0o444, []string{"error Denied", "is read-only"}, []string{"error Denied", "is read-only"}},
		{"unreadable file", 0o777, 0o000, []string{"error Denied", "must be readable"}, []string{"error Denied", "must be readable"}},
		{"read-only directory", 0o555, 0o666, []string{"error Denied", "its directory"}, []string{"error Denied", "its directory"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			dir := filepath.Join(folder, strings.ReplaceAll(tc.name, " ", "-"))
			path := filepath.Join(dir, "store.db")
			is.NoErr(ApplySchema(t.Context(), path))
			is.NoErr(os.Chmod(path, tc.file))
			is.NoErr(os.Chmod(dir, tc.dir))
			t.Cleanup(func() { _ = os.Chmod(dir, 0o777) })
			for role, says := range map[string][]string{"open": tc.opens, "apply": tc.applies} {
				line := unprivileged(t, binary, role, path)
				for _, want := range says {
					if !strings.Contains(line, want) {
						t.Errorf("%s says %q, want %q", role, line, want)
					}
				}
				if strings.HasPrefix(line, "error") {
					is.True(strings.Contains(line, path))
					is.Equal(fileNames(t, dir), "store.db") // a refusal leaves nothing behind
				}
			}
		})
	}
}

// What is made belongs to its owner alone.
func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes bind nobody on Windows")
	}
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "data", "deep")
	is.NoErr(ApplySchema(t.Context(), filepath.Join(dir, "store.db")))
	target := openTarget(t, filepath.Join(dir, "target.db"))
	defer func() { is.NoErr(target.Close()) }()
	is.NoErr(target.Create(t.Context(), core.TemplateTable{Name: "T"}))
	store := openStore(t, filepath.Join(dir, "store.db"))
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	for name, want := range map[string]os.FileMode{
		"..": 0o700, ".": 0o700, "store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600, "target.db": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		is.NoErr(err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", name, got, want)
		}
	}
}

// A database of somebody else's is not changed by looking for a store in it.
func TestOpenStoreLeavesOtherDatabases(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "notes.db")
	is.NoErr(os.WriteFile(path, nil, 0o600))
	db := rawDB(t, path)
	_, err := db.Exec("CREATE TABLE NOTES (TEXT TEXT)")
	is.NoErr(err)
	is.NoErr(db.Close())
	before, err := os.ReadFile(path)
	is.NoErr(err)
	store := openStore(t, path)
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	is.True(core.Refusal(findings) != "")
	is.NoErr(store.Close())
	after, err := os.ReadFile(path)
	is.NoErr(err)
	is.True(bytes.Equal(after, before))
	is.Equal(fileNames(t, filepath.Dir(path)), "notes.db")
}
