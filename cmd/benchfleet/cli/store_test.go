package cli

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/ports"
)

func TestSchemaPrintOfSnowflake(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	got := run(t, nil, "--dir", dir, "schema", "print", "--store", "snowflake:")
	is.Equal(got.code, 0)
	for _, want := range []string{
		`CREATE DATABASE IF NOT EXISTS "UNISTORE_BENCHMARK";`, `"UNISTORE_BENCHMARK"."TEST_RESULTS".RUN_STATUS (`,
		`"UNISTORE_BENCHMARK"."CONFIG".TEST_TEMPLATES (`, `CREATE ROLE IF NOT EXISTS "BENCHFLEET_WORKER";`, "CREATE SERVICE",
	} {
		is.True(strings.Contains(got.stdout, want))
	}
	address := "snowflake:me:hush@acme?warehouse=small&observer_warehouse=big&store_database=mine&store_results_schema=\"my results\""
	got = run(t, []string{"BENCHFLEET_STORE=" + address}, "--dir", dir, "schema", "print")
	is.Equal(got.code, 0)
	for _, want := range []string{
		`CREATE DATABASE IF NOT EXISTS "MINE";`, `"MINE"."my results".RUN_STATUS (`, `USAGE ON WAREHOUSE "SMALL"`, `OPERATE ON WAREHOUSE "BIG"`,
	} {
		is.True(strings.Contains(got.stdout, want))
	}
	is.True(!strings.Contains(got.stdout+got.stderr, "hush"))
	got = run(t, nil, "--dir", dir, "schema", "print")
	is.True(!strings.Contains(got.stdout, "HYBRID")) // SQLite's
}

// TestSecretAddress: the address of a store that may hold a password is neither
// shown nor among what a launcher may show.
func TestSecretAddress(t *testing.T) {
	is := is.New(t)
	a := &app{store: "snowflake:me:hush@acme/db"}
	is.Equal(a.shownStore(), "snowflake:acme/db/TEST_RESULTS")
	elsewhere := memory.NewLauncher(func(context.Context, *memory.Process) (int, string) { return 0, "" })
	defer func() { is.NoErr(elsewhere.Close()) }()
	door, err := a.openDoor(t.Context(), nil, elsewhere, home{run: "run-1"})
	is.NoErr(err)
	is.Equal(len(door.environment), 0)
	is.True(slices.Contains(door.secrets, ports.EnvVar{Name: ports.EnvStore, Value: a.store}))

	// Inside Snowflake the platform logs in, so the address has no secret.
	b := services()
	inside, closeInside, err := b.openServices(b.err)
	is.NoErr(err)
	defer func() { is.NoErr(closeInside()) }()
	door, err = b.openDoor(t.Context(), nil, inside, home{run: "run-1"})
	is.NoErr(err)
	is.Equal(len(door.secrets), 0)
	is.Equal(len(door.environment), 1)
	is.True(strings.HasPrefix(door.environment[0].Value, "snowflake:/DB?authenticator=OAUTH") && !strings.Contains(door.environment[0].Value, "5ecret"))
	a.store = "snowflake:me:hush@acme/db?colour=red"
	is.Equal(a.shownStore(), "snowflake:…")
}
