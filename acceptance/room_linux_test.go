package acceptance

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestAcceptanceDiskFull fills the disk of the data directory while a run is
// under way. The run ends, says why, and damages nothing; once there is room
// again its end is stored.
func TestAcceptanceDiskFull(t *testing.T) {
	needs(t, storeFlag, "sqlite", "the store is on a disk of this host")
	is := is.New(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skip("a small disk cannot be mounted here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := newSiteIn(t, dir)
	t.Setenv("TMPDIR", t.TempDir()) // where the certificate goes, as the data directory cannot take it
	running := s.start(shortLeases("run", "short", "--duration", "5m", "--set", "load.sampling=100")...)
	s.reaches(s.db(), "RUNNING", "")
	filler, err := os.Create(filepath.Join(dir, "filler"))
	is.NoErr(err)
	_, err = io.Copy(filler, endless{})
	is.True(errors.Is(err, syscall.ENOSPC))
	is.NoErr(filler.Close())
	running.says("the store could not be written")
	until(t, 30*time.Second, "the workers are ended from memory", func() bool { return len(s.workers("")) == 0 })
	running.says("kept: " + os.Getenv("TMPDIR"))
	is.NoErr(os.Remove(filler.Name()))
	o := running.wait(60 * time.Second)
	t.Log(o)
	is.Equal(o.code, 5)
	is.True(strings.Contains(o.stderr, "the disk of "+dir+" is full"))
	db := s.db()
	run := s.newest(db)
	is.Equal(s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run), "FAILED")
	is.Equal(s.text(db, "SELECT REASON FROM RUN_STATUS WHERE RUN_ID = ?", run), "GUARDRAIL")
	s.checkFile("store.db")
	s.checkTarget()
	is.Equal(s.must("result", run, "--output", "json").result(t).Status, "FAILED")
	is.Equal(s.collected("gc"), "")
}

// endless is a reader of zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// nobody makes commands run without the rights of root, which may write
// everywhere.
func (s *site) nobody(args ...string) outcome {
	s.t.Helper()
	r := s.command(args...)
	if os.Geteuid() == 0 {
		r.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return r.begin().wait(60 * time.Second)
}

// TestAcceptanceNotWritable: a data directory or a store that this user may not
// write to is refused, says so, and is left as it is.
func TestAcceptanceNotWritable(t *testing.T) {
	needs(t, launcherFlag, "local", "the rights of subprocesses are in question")
	needs(t, targetFlag, "sqlite", "the rights to a file are in question")
	needs(t, storeFlag, "sqlite", "the rights to a file are in question")
	base, err := os.MkdirTemp("", "benchfleet-rights")
	is.New(t).NoErr(err)
	t.Cleanup(func() {
		filepath.WalkDir(base, func(path string, _ os.DirEntry, err error) error { return errors.Join(err, os.Chmod(path, 0o700)) })
		os.RemoveAll(base)
	})
	is.New(t).NoErr(os.Chmod(base, 0o755))
	s := newSiteIn(t, filepath.Join(base, "data"))
	target := filepath.Join(base, "target.db")
	is.New(t).NoErr(os.Rename(filepath.Join(s.dir, "target.db"), target))
	is.New(t).NoErr(os.Chmod(target, 0o666))
	is.New(t).NoErr(os.Chmod(filepath.Join(s.dir, "store.db"), 0o444))
	is.New(t).NoErr(os.Chmod(s.dir, 0o555))
	is.New(t).NoErr(os.Chmod(base, 0o555))
	for _, tt := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"no room for a data directory", []string{"--dir", filepath.Join(base, "new"), "schema", "apply"}, 2, []string{"permission denied", "new"}},
		{"nor for a target", []string{"--dir", filepath.Join(base, "new"), "prepare", "oltp"}, 2, []string{"permission denied", "new"}},
		{"a store that is read-only", []string{"run", "short"}, 4, []string{"store.db must be readable and writable"}},
		{"to be read", []string{"runs"}, 2, []string{"store.db must be readable and writable"}},
		{"to be brought up to date", []string{"schema", "apply"}, 2, []string{"store.db must be readable and writable"}},
		{"to be collected in", []string{"gc"}, 2, []string{"store.db must be readable and writable"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			before := tree(t, base)
			o := s.nobody(tt.args...)
			t.Log(o)
			is.Equal(o.code, tt.code)
			for _, text := range tt.says {
				is.True(strings.Contains(o.stderr, text))
			}
			is.Equal(tree(t, base), before) // nothing is left behind
		})
	}
	t.Run("no room for the logs of workers", func(t *testing.T) {
		is := is.New(t)
		store := filepath.Join(base, "store")
		is.NoErr(os.Chmod(base, 0o755))
		is.NoErr(os.Mkdir(store, 0o777))
		is.NoErr(os.Chmod(store, 0o777))
		is.NoErr(os.Rename(target, filepath.Join(store, "target.db")))
		s.with("BENCHFLEET_STORE=sqlite:"+filepath.Join(store, "store.db"), "BENCHFLEET_ENDPOINT_LOCAL="+filepath.Join(store, "target.db"))
		is.Equal(s.nobody("schema", "apply").code, 0)
		text, err := os.ReadFile("testdata/short.yaml")
		is.NoErr(err)
		is.NoErr(os.WriteFile(filepath.Join(store, "short.yaml"), text, 0o644))
		is.Equal(s.nobody("template", "import", filepath.Join(store, "short.yaml")).code, 0)
		o := s.nobody("run", "short")
		t.Log(o)
		is.Equal(o.code, 4)
		is.True(strings.Contains(o.stderr, "launches cannot be recorded in "+s.dir))
	})
}

// tree lists what is below a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			list.WriteString(path + " " + info.Mode().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
