package sqlite

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestLocksStay: whatever this process does with a file that it has connections
// to, the kernel still knows that it uses it. Else the next process that closes
// the database takes itself for the last one and deletes the WAL, and what these
// connections commit afterwards is lost.
func TestLocksStay(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "target.db")
	table := core.TemplateTable{Name: "BENCH", Rows: 10}
	target, err := OpenTarget(t.Context(), path, TargetOptions{})
	is.NoErr(err)
	defer target.Close()
	is.NoErr(target.Create(t.Context(), table))
	first, err := target.Open(t.Context(), ports.SessionOptions{Table: table})
	is.NoErr(err)
	defer first.Close()
	is.True(holdsLock(t, path)) // the first session does
	for _, use := range []struct {
		what string
		do   func() error
	}{
		{"a second session", func() error {
			second, err := target.Open(t.Context(), ports.SessionOptions{Table: table})
			if err != nil {
				return err
			}
			return second.Close()
		}},
		{"a look at the table", func() error { _, err := target.Describe(t.Context(), table); return err }},
		{"a load", func() error { return target.Load(t.Context(), table, nil) }},
		{"a create that finds it there", func() error {
			if err := target.Create(t.Context(), table); core.CodeOf(err) != core.Conflict {
				return fmt.Errorf("want a conflict, got %w", err)
			}
			return nil
		}},
	} {
		t.Run(use.what, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(use.do())
			is.True(holdsLock(t, path))
		})
	}
}

// holdsLock reports whether this process has a lock on a file, as the kernel
// knows it.
func holdsLock(t *testing.T, path string) bool {
	t.Helper()
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		t.Skip("needs /proc/locks: ", err)
	}
	defer locks.Close()
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 5 && fields[4] == fmt.Sprint(os.Getpid()) && strings.HasSuffix(fields[5], fmt.Sprintf(":%d", stat.Ino)) {
			return true
		}
	}
	return false
}
