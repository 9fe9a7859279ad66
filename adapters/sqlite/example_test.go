package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/sqlite"
)

// A store is made once, by a command of its own, and opened by every process
// that takes part in a run.
func Example() {
	ctx := context.Background()
	directory, err := os.MkdirTemp("", "benchfleet-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(directory) }()
	path := filepath.Join(directory, "runs.db")
	if err := sqlite.ApplySchema(ctx, path); err != nil {
		fmt.Println(err)
		return
	}
	store, err := sqlite.OpenStore(ctx, path, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()
	findings, err := store.Check(ctx)
	fmt.Println(findings[0].Severity, findings[0].Message, err)
	// Output: OK all 13 tables are there with their columns <nil>
}
