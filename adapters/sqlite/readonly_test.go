package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// readOnly is what Describe says of a target about writing, which must not have
// changed its file.
func readOnly(t *testing.T, dsn string) string {
	t.Helper()
	is := is.New(t)
	target := openTarget(t, dsn)
	defer func() { is.NoErr(target.Close()) }()
	path := target.path
	before, err := os.ReadFile(path)
	is.NoErr(err)
	info, err := target.Describe(t.Context(), core.TemplateTable{Name: "T", Rows: 10})
	is.NoErr(err)
	is.True(info.Table.Exists)
	after, err := os.ReadFile(path)
	is.NoErr(err)
	is.True(bytes.Equal(after, before))
	return info.ReadOnly
}

func TestDescribeReadOnly(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "target.db")
	target := openTarget(t, path)
	table := core.TemplateTable{Name: "T", Rows: 10}
	is.NoErr(target.Create(t.Context(), table))
	is.NoErr(target.Load(t.Context(), table, nil))
	is.NoErr(target.Close())
	for _, journal := range []string{"wal", "delete", "truncate", "persist", "memory", "off"} {
		for _, tc := range []struct{ name, dsn, says string }{
			{"writable", path + "?", ""},
			{"mode=rw", path + "?mode=rw&", ""},
			{"mode=ro", path + "?mode=ro&", "mode=ro"},
			{"immutable", path + "?immutable=1&", "immutable=1"},
			{"not immutable", path + "?immutable=0&", ""},
			{"query_only", path + "?_pragma=query_only(1)&", "query_only"},
		} {
			t.Run(journal+", "+tc.name, func(t *testing.T) {
				is := is.New(t)
				dsn := tc.dsn
				if journal == "memory" || journal == "off" { // not of the file, but of a connection
					dsn += "_pragma=journal_mode(" + journal + ")"
				} else {
					db := rawDB(t, path)
					_, err := db.Exec("PRAGMA journal_mode = " + journal)
					is.NoErr(err)
					is.NoErr(db.Close())
				}
				says := readOnly(t, dsn)
				is.Equal(says != "", tc.says != "")
				is.True(strings.Contains(says, tc.says))
			})
		}
	}
	t.Run("one that is locked is writable", func(t *testing.T) {
		is := is.New(t)
		db := rawDB(t, path)
		db.SetMaxOpenConns(1)
		_, err := db.Exec("PRAGMA journal_mode = wal")
		is.NoErr(err)
		_, err = db.Exec("BEGIN IMMEDIATE")
		is.NoErr(err)
		is.Equal(readOnly(t, path), "")
	})
	t.Run("one that is missing is not known to be", func(t *testing.T) {
		is := is.New(t)
		missing := openTarget(t, filepath.Join(t.TempDir(), "none.db"))
		info, err := missing.Describe(t.Context(), table)
		is.NoErr(err)
		is.Equal(info.ReadOnly, "")
	})
}

// A target that is read-only by its DSN can be read, and not be prepared.
func TestReadOnlyTarget(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "target.db")
	table := core.TemplateTable{Name: "T", Rows: 10}
	loaded := openTarget(t, path)
	is.NoErr(loaded.Create(t.Context(), table))
	is.NoErr(loaded.Load(t.Context(), table, nil))
	is.NoErr(loaded.Close())
	for _, parameter := range []string{"mode=ro", "immutable=1"} {
		t.Run(parameter, func(t *testing.T) {
			is := is.New(t)
			target := openTarget(t, path+"?"+parameter)
			defer func() { is.NoErr(target.Close()) }()
			session, err := target.Open(t.Context(), ports.SessionOptions{Table: table, Statements: []core.Statement{
				{SQL: "SELECT ID FROM {table} WHERE ID = ?", Bind: []int{0}, Query: true},
				{SQL: "DELETE FROM {table} WHERE ID = ?", Bind: []int{0}},
			}})
			is.NoErr(err)
			rows, err := session.Exec(t.Context(), 0, []any{int64(3)})
			is.NoErr(err)
			is.Equal(rows, int64(1))
			_, err = session.Exec(t.Context(), 1, []any{int64(3)})
			wantError(t, err, core.Denied, "readonly")
			is.NoErr(session.Close())
			wantError(t, target.Create(t.Context(), core.TemplateTable{Name: "U"}), core.Denied, parameter)
			wantError(t, target.Load(t.Context(), core.TemplateTable{Name: "T", Rows: 20}, nil), core.Denied, parameter)
			wantError(t, target.Drop(t.Context(), table), core.Denied, parameter)
		})
	}
	t.Run("other values are refused", func(t *testing.T) {
		_, err := OpenTarget(t.Context(), path+"?mode=rwc", TargetOptions{})
		wantError(t, err, core.Invalid, `mode is "rwc"`, "ro, rw")
		_, err = OpenTarget(t.Context(), path+"?immutable=yes", TargetOptions{})
		wantError(t, err, core.Invalid, `immutable is "yes"`, "0, 1")
	})
}

// What the operating system forbids counts as much as what the DSN does.
func TestReadOnlyFiles(t *testing.T) {
	folder, binary := modesFolder(t)
	for _, tc := range []struct {
		name, journal string
		dir, file     os.FileMode
		says          string
	}{
		{"writable", "wal", 0o777, 0o666, "writable"},
		{"read-only file", "wal", 0o777, 0o444, "is read-only for this user"},
		{"read-only file with a journal", "delete", 0o777, 0o444, "is read-only for this user"},
		{"no room for a journal", "delete", 0o555, 0o666, "its directory"},
		{"no need of a journal", "memory", 0o555, 0o666, "writable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			dir := filepath.Join(folder, strings.ReplaceAll(tc.name, " ", "-"))
			path := filepath.Join(dir, "target.db")
			target := openTarget(t, path)
			is.NoErr(target.Create(t.Context(), core.TemplateTable{Name: "T", Rows: 10}))
			is.NoErr(target.Close())
			dsn := path
			if tc.journal != "wal" {
				db := rawDB(t, path)
				_, err := db.Exec("PRAGMA journal_mode = delete")
				is.NoErr(err)
				is.NoErr(db.Close())
				dsn += "?_pragma=journal_mode(" + tc.journal + ")"
			}
			is.NoErr(os.Chmod(path, tc.file))
			is.NoErr(os.Chmod(dir, tc.dir))
			t.Cleanup(func() { _ = os.Chmod(dir, 0o777) })
			line := unprivileged(t, binary, "describe", dsn)
			if !strings.Contains(line, tc.says) {
				t.Errorf("it says %q, want %q", line, tc.says)
			}
			is.Equal(fileNames(t, dir), "target.db") // nothing is left beside it
		})
	}
}

// A target that was read while it was read-only has a -shm that stays so.
func TestReadOnlyShm(t *testing.T) {
	folder, binary := modesFolder(t)
	is := is.New(t)
	dir := filepath.Join(folder, "data")
	path := filepath.Join(dir, "target.db")
	target := openTarget(t, path)
	is.NoErr(target.Create(t.Context(), core.TemplateTable{Name: "T", Rows: 10}))
	is.NoErr(target.Close())
	is.NoErr(os.Chmod(dir, 0o777))
	is.NoErr(os.Chmod(path, 0o444))
	reader := rawDB(t, path+"?mode=ro&")
	var rows int
	is.NoErr(reader.Get(&rows, "SELECT COUNT(*) FROM T"))
	is.NoErr(reader.Close())
	is.Equal(fileNames(t, dir), "target.db target.db-shm target.db-wal")
	is.NoErr(os.Chmod(path, 0o666))
	is.NoErr(os.Chmod(path+"-wal", 0o666))
	line := unprivileged(t, binary, "describe", path)
	if want := "target.db-shm is read-only for this user: remove it"; !strings.Contains(line, want) {
		t.Errorf("it says %q, want %q", line, want)
	}
}
