package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

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
	door, err := a.openDoor(t.Context(), nil, nil, home{run: "run-1"})
	is.NoErr(err)
	is.Equal(len(door.environment), 0)
	is.True(slices.Contains(door.secrets, ports.EnvVar{Name: ports.EnvStore, Value: a.store}))
	a.store = "snowflake:me:hush@acme/db?colour=red"
	is.Equal(a.shownStore(), "snowflake:…")
}
