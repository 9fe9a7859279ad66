package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// storeFile makes a store in a directory of the test and returns its path.
func storeFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	if err := ApplySchema(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func openStore(t testing.TB, path string) ports.Store {
	t.Helper()
	store, err := OpenStore(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	var path string // of the store that was opened last
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(t testing.TB) ports.Store {
			path = storeFile(t)
			return openStore(t, path)
		},
		Reopen: func(t testing.TB, _ ports.Store) ports.Store { return openStore(t, path) },
		Bare: func(t testing.TB) ports.Store {
			empty := filepath.Join(t.TempDir(), "empty.db")
			if err := os.WriteFile(empty, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return openStore(t, empty)
		},
	})
}
