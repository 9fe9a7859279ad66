package snowflake_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/sql/schema"
)

func TestApplyCanRunAgain(t *testing.T) {
	is := is.New(t)
	p := newPlace(t, shared.Server(t))
	for range 2 {
		p.apply(t)
	}
	store := p.store(t, snowflaketest.In{})
	defer func() { is.NoErr(store.Close()) }()
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	is.Equal(len(findings), 1)
	is.Equal(findings[0].Severity, core.SeverityOK)
	_, err = store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
	p.apply(t)
	record, err := store.Load(t.Context(), "run-1")
	is.NoErr(err) // rows stay
	is.Equal(record.Version, int64(1))
}

// TestScriptByHand: what schema print shows does the same, statement by statement,
// and again.
func TestScriptByHand(t *testing.T) {
	is := is.New(t)
	p := newPlace(t, shared.Server(t))
	db := p.open(t, snowflaketest.In{})
	for range 2 {
		for _, kind := range []string{schema.Store, schema.StoreChanges} {
			statements, err := schema.Statements("snowflake", kind)
			is.NoErr(err)
			for _, statement := range statements {
				_, err := db.ExecContext(t.Context(), p.fill(t, statement))
				is.NoErr(err)
			}
		}
	}
	store := p.store(t, snowflaketest.In{})
	defer func() { is.NoErr(store.Close()) }()
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	is.Equal(len(findings), 1)
}

// TestMissingColumns: they are named, and added to tables that hold rows.
func TestMissingColumns(t *testing.T) {
	is := is.New(t)
	p := newPlace(t, shared.Server(t))
	p.apply(t)
	store := p.store(t, snowflaketest.In{})
	defer func() { is.NoErr(store.Close()) }()
	_, err := store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
	p.server.SQL(t, p.fill(t, "ALTER TABLE {database}.{results}.RUN_STATUS DROP COLUMN COMMIT_ID"),
		p.fill(t, "ALTER TABLE {database}.{results}.RUN_STATUS DROP COLUMN RUNG"),
		p.fill(t, "DROP TABLE {database}.{results}.TEST_LOGS"))
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	var said []string
	for _, f := range findings {
		said = append(said, f.Message)
		is.True(strings.Contains(f.Mend, "benchfleet schema apply"))
	}
	is.Equal(said, []string{"the store has no column RUN_STATUS.RUNG", "the store has no column RUN_STATUS.COMMIT_ID", "the store has no table TEST_LOGS"})
	_, err = store.Control(t.Context(), "run-1", "worker-0")
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(strings.Contains(err.Error(), "RUNG") && strings.Contains(err.Error(), "benchfleet schema apply"))

	p.apply(t)
	findings, err = store.Check(t.Context())
	is.NoErr(err)
	is.Equal(len(findings), 1)
	record, err := store.Load(t.Context(), "run-1")
	is.NoErr(err)
	_, err = store.Commit(t.Context(), record.Version, record.Run, nil, ports.Progress{})
	is.NoErr(err)
}

// TestNoSchema: each way says what to run.
func TestNoSchema(t *testing.T) {
	is := is.New(t)
	server := shared.Server(t)
	p := newPlace(t, server)
	for name, address := range map[string]string{
		"no schemas":  p.address(snowflaketest.In{}),
		"no database": server.DSN(snowflaketest.In{More: map[string]string{"store_database": "D_" + rand.Text()[:10]}}),
	} {
		store, err := snowflake.OpenStore(t.Context(), address, snowflake.StoreOptions{})
		is.NoErr(err)
		findings, err := store.Check(t.Context())
		is.NoErr(err)
		is.True(len(findings) >= 13)
		if name == "no database" {
			is.True(strings.Contains(findings[0].Message, "does not exist, or"))
		}
		for _, f := range findings {
			is.Equal(f.Severity, core.SeverityError)
			is.True(strings.Contains(f.Mend, "benchfleet schema apply"))
		}
		_, err = store.Load(t.Context(), "run-1")
		is.Equal(core.CodeOf(err), core.Refused)
		is.True(strings.Contains(err.Error(), "benchfleet schema apply"))
		_, err = store.Probe(t.Context())
		is.Equal(core.CodeOf(err), core.Refused)
		is.NoErr(store.Close())
	}
}

func TestNoHybridTables(t *testing.T) {
	is := is.New(t)
	server := snowflaketest.Start(t, snowflaketest.Options{Config: map[string]any{"NoHybridTables": true}})
	err := snowflake.ApplySchema(t.Context(), server.DSN(snowflaketest.In{}), snowflake.ApplyOptions{})
	is.True(errors.Is(err, core.ErrUnsupported))
	for _, want := range []string{"CREATE HYBRID TABLE", "this account has no hybrid tables", "another account", "--store sqlite:PATH"} {
		is.True(strings.Contains(err.Error(), want))
	}
}

// TestStandardInsteadOfHybrid: a table made by hand without its key is found.
func TestStandardInsteadOfHybrid(t *testing.T) {
	is := is.New(t)
	p := newPlace(t, shared.Server(t))
	p.apply(t)
	statements, err := schema.Statements("snowflake", schema.Store)
	is.NoErr(err)
	for _, statement := range statements {
		if schema.IsHybrid(statement) && strings.Contains(statement, ".RUN_CONTROL_EVENTS (") {
			p.server.SQL(t, p.fill(t, "DROP TABLE {database}.{results}.RUN_CONTROL_EVENTS"), p.fill(t, strings.Replace(statement, "HYBRID ", "", 1)))
		}
	}
	store := p.store(t, snowflaketest.In{})
	defer func() { is.NoErr(store.Close()) }()
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	is.Equal(len(findings), 1)
	is.Equal(findings[0].Severity, core.SeverityError)
	is.True(strings.Contains(findings[0].Message, "RUN_CONTROL_EVENTS is a standard table"))
	is.True(strings.Contains(findings[0].Mend, "remove table") && strings.Contains(findings[0].Mend, "benchfleet schema apply"))
}
