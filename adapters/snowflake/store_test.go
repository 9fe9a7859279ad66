package snowflake_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"testing"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// place is two schemas of the tests' database that hold a store.
type place struct {
	server          *snowflaketest.Server
	config, results string
}

// newPlace names two schemas that are not there, and sees that they are gone
// after the test.
func newPlace(t testing.TB, server *snowflaketest.Server) place {
	t.Helper()
	name := "S_" + rand.Text()[:12]
	p := place{server, name + "_C", name + "_R"}
	t.Cleanup(func() {
		db := p.open(t, snowflaketest.In{})
		for _, schema := range []string{p.config, p.results} {
			if _, err := db.ExecContext(context.Background(), "DROP SCHEMA IF EXISTS "+server.Database+"."+schema); err != nil {
				t.Errorf("dropping schema %s: %v", schema, err)
			}
		}
	})
	return p
}

// address is that of the store, for whom in says.
func (p place) address(in snowflaketest.In) string {
	in.More = map[string]string{"store_config_schema": p.config, "store_results_schema": p.results}
	return p.server.DSN(in)
}

// open opens the driver itself.
func (p place) open(t testing.TB, in snowflaketest.In) *sql.DB {
	t.Helper()
	config, err := sf.ParseDSN(p.server.DSN(in))
	if err != nil {
		t.Fatal(err)
	}
	off := "false"
	config.Params["CLIENT_TELEMETRY_ENABLED"] = &off
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, *config))
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fill writes the names of the place into SQL.
func (p place) fill(t testing.TB, text string) string {
	t.Helper()
	text, err := schema.Names{Database: p.server.Database, Config: p.config, Results: p.results}.Fill(text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (p place) apply(t testing.TB) {
	t.Helper()
	if err := snowflake.ApplySchema(t.Context(), p.address(snowflaketest.In{}), snowflake.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (p place) store(t testing.TB, in snowflaketest.In) ports.Store {
	t.Helper()
	store, err := snowflake.OpenStore(t.Context(), p.address(in), snowflake.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// empty removes all rows.
func (p place) empty(t testing.TB, db *sql.DB) {
	t.Helper()
	tables, err := schema.Tables("snowflake")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if _, err := db.ExecContext(t.Context(), p.fill(t, "DELETE FROM "+table.Path)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStore runs the whole suite of a store. Its cases share two schemas and
// find them empty, since making tables takes seconds on an account.
func TestStore(t *testing.T) {
	server := shared.Server(t)
	p, bare := newPlace(t, server), newPlace(t, server)
	p.apply(t)
	db := p.open(t, snowflaketest.In{})
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(t testing.TB) ports.Store {
			p.empty(t, db)
			return p.store(t, snowflaketest.In{})
		},
		Reopen: func(t testing.TB, _ ports.Store) ports.Store { return p.store(t, snowflaketest.In{}) },
		Bare:   func(t testing.TB) ports.Store { return bare.store(t, snowflaketest.In{}) },
	})
	wantHarmless(t, server)
}
