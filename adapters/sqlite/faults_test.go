package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// wantError fails the test unless err has the code and says all of that.
func wantError(t *testing.T, err error, code core.Code, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	if core.CodeOf(err) != code {
		t.Errorf("code %s, want %s: %v", core.CodeOf(err), code, err)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
}

func TestOpenStoreRefuses(t *testing.T) {
	directory := t.TempDir()
	missing := filepath.Join(directory, "missing.db")
	text := filepath.Join(directory, "text.db")
	damaged := filepath.Join(directory, "damaged.db")
	content := strings.Repeat("these are notes, and no database\n", 100)
	is.New(t).NoErr(os.WriteFile(text, []byte(content), 0o600))
	is.New(t).NoErr(os.WriteFile(damaged, []byte("SQLite format 3\x00"+content), 0o600))
	for _, tc := range []struct {
		name, path string
		code       core.Code
		says       string
	}{
		{"a missing file", missing, core.NotFound, "benchfleet schema apply --store sqlite:" + missing},
		{"a missing directory", filepath.Join(directory, "no", "store.db"), core.NotFound, "benchfleet schema apply"},
		{"a directory", directory, core.Invalid, "is a directory"},
		{"a text file", text, core.Invalid, "is not a SQLite database"},
		{"a damaged file", damaged, core.Invalid, "is damaged"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := OpenStore(t.Context(), tc.path, Options{})
			wantError(t, err, tc.code, tc.path, tc.says)
		})
	}
	t.Run("nothing was made or changed", func(t *testing.T) {
		is := is.New(t)
		entries, err := os.ReadDir(directory)
		is.NoErr(err)
		is.Equal(len(entries), 2)
		now, err := os.ReadFile(text)
		is.NoErr(err)
		is.Equal(string(now), content)
	})
	t.Run("ApplySchema refuses the same", func(t *testing.T) {
		wantError(t, ApplySchema(t.Context(), directory), core.Invalid, "is a directory")
		wantError(t, ApplySchema(t.Context(), text), core.Invalid, "is not a SQLite database")
		wantError(t, ApplySchema(t.Context(), damaged), core.Invalid, "is damaged")
	})
	t.Run("an ended context", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		fresh := filepath.Join(directory, "fresh.db")
		err := ApplySchema(ctx, fresh)
		wantError(t, err, core.Unavailable)
		is.True(errors.Is(err, context.Canceled))
		_, err = os.Stat(fresh)
		is.True(errors.Is(err, os.ErrNotExist)) // nothing half done is left
		_, err = OpenStore(ctx, storeFile(t), Options{})
		wantError(t, err, core.Unavailable)
		is.True(errors.Is(err, context.Canceled))
	})
}

// A store without room fails clearly, keeps what it has, and goes on when there
// is room again.
func TestStoreIsFull(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store, err := OpenStore(t.Context(), path, Options{pragmas: []string{"max_page_count(120)"}})
	is.NoErr(err)
	createRun(t, store)
	fillUp(t, store)
	is.NoErr(store.Close())
	checkConsistent(t, path)
	again := openStore(t, path)
	_, err = claim(t.Context(), again, "later")
	is.NoErr(err)
	is.NoErr(again.Close())
	checkConsistent(t, path)
}

// fillUp commits and logs until that fails, and checks how.
func fillUp(t testing.TB, store ports.Store) {
	t.Helper()
	var full error
	for n := int64(0); full == nil && n < 10_000; n++ {
		if _, full = claim(t.Context(), store, "owner"); full == nil {
			full = store.Logs().Append(t.Context(), []ports.LogLine{{RunID: "run-1", Sequence: n, Message: strings.Repeat("x", 5000)}})
		}
	}
	if core.CodeOf(full) != core.Unavailable || !strings.Contains(full.Error(), "full") {
		t.Fatalf("a full disk gives %v", full)
	}
	if _, err := store.Load(t.Context(), "run-1"); err != nil {
		t.Errorf("a full disk cannot be read: %v", err)
	}
}

func TestDiskIsFull(t *testing.T) {
	directory := t.TempDir()
	if err := mountSmall(directory, "1m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (TestStoreIsFull does without): %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(directory); err != nil {
			t.Error(err)
		}
	})
	is := is.New(t)
	path := filepath.Join(directory, "store.db")
	is.NoErr(ApplySchema(t.Context(), path))
	store := openStore(t, path)
	createRun(t, store)
	fillUp(t, store)
	is.NoErr(store.Close())
	checkConsistent(t, path)
}

// A store that another process has locked for long is Unavailable in time, and a
// context ends the wait sooner.
func TestStoreStaysLocked(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store, err := OpenStore(t.Context(), path, Options{BusyTimeout: 300 * time.Millisecond})
	is.NoErr(err)
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	other := rawDB(t, path)
	other.SetMaxOpenConns(1)
	_, err = other.Exec("BEGIN IMMEDIATE")
	is.NoErr(err)

	start := time.Now()
	_, err = claim(t.Context(), store, "owner")
	wantError(t, err, core.Unavailable, "locked")
	is.True(time.Since(start) >= 250*time.Millisecond)
	is.True(time.Since(start) < 20*time.Second)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = claim(ctx, store, "owner")
	wantError(t, err, core.Unavailable)
	is.True(errors.Is(err, context.DeadlineExceeded))

	_, err = store.Control(t.Context(), "run-1", "worker-0") // readers do not wait
	is.NoErr(err)
	_, err = other.Exec("ROLLBACK")
	is.NoErr(err)
	_, err = claim(t.Context(), store, "owner")
	is.NoErr(err)
}

// A reader in the middle of a long read does not hold up writers, nor they it.
func TestReadersAndWritersDoNotWait(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store, err := OpenStore(t.Context(), path, Options{Readers: 1, BusyTimeout: 100 * time.Millisecond})
	is.NoErr(err)
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	tx, err := rawDB(t, path).Beginx()
	is.NoErr(err)
	defer func() { _ = tx.Rollback() }()
	var before, after int64
	is.NoErr(tx.Get(&before, "SELECT VERSION FROM RUN_STATUS"))
	for n := range 5 {
		version, err := claim(t.Context(), store, fmt.Sprint("owner-", n))
		is.NoErr(err)
		is.Equal(version, before+int64(n)+1)
	}
	is.NoErr(tx.Get(&after, "SELECT VERSION FROM RUN_STATUS"))
	is.Equal(after, before) // a snapshot
}

func TestClosedStore(t *testing.T) {
	is := is.New(t)
	store := openStore(t, storeFile(t))
	createRun(t, store)
	is.NoErr(store.Close())
	is.NoErr(store.Close())
	_, err := store.Load(t.Context(), "run-1")
	wantError(t, err, core.Unavailable, "closed")
	_, err = store.Control(t.Context(), "run-1", "worker-0")
	wantError(t, err, core.Unavailable, "closed")
	wantError(t, store.Beat(t.Context(), core.Beat{}), core.Unavailable, "closed")
}
