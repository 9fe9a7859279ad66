//go:build scratch

package snowflake

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/adapters/sqlstore"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/benchfleet/benchfleet/sql/schema"
)

type bridge struct {
	e     *engine.Engine
	role  string
	count *int
}

func (b bridge) Driver() driver.Driver { return nil }
func (b bridge) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := b.e.NewSession(ctx, engine.SessionOptions{User: "BENCH", Role: b.role, Warehouse: "WH", Parameters: map[string]string{"TIMEZONE": "UTC", "HYBRID_TABLE_LOCK_TIMEOUT": "10"}})
	if err != nil {
		return nil, err
	}
	return &bconn{s, b.count}, nil
}

type bconn struct {
	s     *engine.Session
	count *int
}

func (b *bconn) Prepare(q string) (driver.Stmt, error) { panic(q) }
func (b *bconn) Close() error                          { b.s.Close(); return nil }
func (b *bconn) Begin() (driver.Tx, error)             { panic("begin") }
func (b *bconn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	_, err := b.do(ctx, "BEGIN", nil)
	return btx{b}, err
}

type btx struct{ b *bconn }

func (t btx) Commit() error   { _, err := t.b.do(context.Background(), "COMMIT", nil); return err }
func (t btx) Rollback() error { _, err := t.b.do(context.Background(), "ROLLBACK", nil); return err }
func (b *bconn) do(ctx context.Context, q string, args []driver.NamedValue) (*engine.Result, error) {
	var binds []engine.Bind
	for _, a := range args {
		switch v := a.Value.(type) {
		case nil:
			binds = append(binds, engine.Bind{Type: "TEXT"})
		case string:
			binds = append(binds, engine.Bind{Type: "TEXT", Value: &v})
		case int64:
			t := strconv.FormatInt(v, 10)
			binds = append(binds, engine.Bind{Type: "FIXED", Value: &t})
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.count != nil {
		*b.count++
	}
	r, err := b.s.Execute(ctx, engine.Query{SQL: q, Binds: binds})
	var own *engine.Error
	if errors.As(err, &own) {
		if own.Number != 200001 && own.Number != 625 {
			fmt.Fprintf(os.Stderr, "%.3000s: %v\n", q, err)
		}
		return nil, &sf.SnowflakeError{Number: own.Number, SQLState: own.SQLState, Message: own.Message}
	}
	return r, err
}
func (b *bconn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	r, err := b.do(ctx, q, args)
	if err != nil {
		return nil, err
	}
	n := int64(0)
	if r.TypeID >= engine.TypeDML && r.TypeID < engine.TypeSCL {
		names := ""
		for i, c := range r.Columns {
			names += c.Name
			if strings.Contains(c.Name, "multi-joined") {
				continue
			}
			m, _ := strconv.ParseInt(*r.Rows[0][i], 10, 64)
			n += m
		}
	}
	return driver.RowsAffected(n), nil
}

type brows struct {
	r *engine.Result
	i int
}

func (r *brows) Columns() (names []string) {
	for _, c := range r.r.Columns {
		names = append(names, c.Name)
	}
	return names
}
func (r *brows) Close() error { return nil }
func (r *brows) Next(d []driver.Value) error {
	if r.i >= len(r.r.Rows) {
		return io.EOF
	}
	for i, v := range r.r.Rows[r.i] {
		switch {
		case v == nil:
			d[i] = nil
		case strings.HasPrefix(r.r.Columns[i].Type, "timestamp"):
			sec, frac, _ := strings.Cut(*v, ".")
			s, err := strconv.ParseInt(sec, 10, 64)
			if err != nil {
				panic(*v)
			}
			n, _ := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
			d[i] = time.Unix(s, n).UTC()
		default:
			d[i] = *v
		}
	}
	r.i++
	return nil
}
func (b *bconn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := b.do(ctx, q, args)
	if err != nil {
		return nil, err
	}
	return &brows{r: r}, nil
}

var pg postgrestest.Shared

func TestBridge(t *testing.T) {
	server := pg.Server(t)
	e, err := engine.Open(t.Context(), engine.Options{DSN: server.DSN(postgrestest.Superuser, server.Database(t)), Account: engine.Account{
		Name: "STANDIN", Users: []engine.User{{Name: "BENCH", Password: "secret", DefaultRole: "SYSADMIN", Roles: []string{"ACCOUNTADMIN"}}},
		Warehouses: []engine.Warehouse{{Name: "WH"}}, Databases: []string{"DB"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var last *Config
	open := func(c *Config) ports.Store {
		d, err := newDialect(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sqlx.NewDb(sql.OpenDB(bridge{e, "SYSADMIN", nil}), "snowflake")
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		return sqlstore.New(d.sqlstore(), db, db)
	}
	config := func() *Config {
		n := rand.Text()[:8]
		return &Config{StoreDatabase: "DB", ConfigSchema: "C_" + n, ResultsSchema: "R_" + n}
	}
	shared := config()
	d, _ := newDialect(shared)
	adm := sqlx.NewDb(sql.OpenDB(bridge{e, "SYSADMIN", nil}), "snowflake")
	if err := d.apply(t.Context(), adm); err != nil {
		t.Fatal(err)
	}
	if err := d.apply(t.Context(), adm); err != nil {
		t.Fatal(err)
	}
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(t testing.TB) ports.Store {
			last = shared
			for _, p := range d.paths {
				if _, err := adm.Exec("DELETE FROM " + p); err != nil {
					t.Fatal(err)
				}
			}
			return open(last)
		},
		Reopen: func(t testing.TB, _ ports.Store) ports.Store { return open(last) },
		Bare:   func(t testing.TB) ports.Store { return open(config()) },
	})
}

func TestBridgeRoles(t *testing.T) {
	server := pg.Server(t)
	e, err := engine.Open(t.Context(), engine.Options{DSN: server.DSN(postgrestest.Superuser, server.Database(t)), Account: engine.Account{
		Name: "STANDIN", Users: []engine.User{{Name: "BENCH", Password: "secret", DefaultRole: "SYSADMIN", Roles: []string{"ACCOUNTADMIN"}}},
		Warehouses: []engine.Warehouse{{Name: "WH"}}, Databases: []string{"DB"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := &Config{StoreDatabase: "DB", ConfigSchema: "CC", ResultsSchema: "RR", Warehouse: "WH", ObserverWarehouse: "WH"}
	d, _ := newDialect(c)
	count := 0
	open := func(role string) (ports.Store, *sqlx.DB) {
		db := sqlx.NewDb(sql.OpenDB(bridge{e, role, &count}), "snowflake")
		return sqlstore.New(d.sqlstore(), db, db), db
	}
	admin, adm := open("ACCOUNTADMIN")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(d.apply(t.Context(), adm))
	must(d.grant(t.Context(), adm))
	for _, r := range []string{"ORCHESTRATOR", "WORKER", "VIEWER"} {
		_, err := adm.Exec("GRANT ROLE BENCHFLEET_" + r + " TO USER BENCH")
		must(err)
	}
	ctx := t.Context()
	orchestrator, _ := open("BENCHFLEET_ORCHESTRATOR")
	worker, _ := open("BENCHFLEET_WORKER")
	viewer, _ := open("BENCHFLEET_VIEWER")
	denied := func(err error) {
		t.Helper()
		if !(core.CodeOf(err) == core.Denied || core.CodeOf(err) == core.Refused) {
			t.Error(err)
			return
		}
		t.Log(err)
	}
	scenario := core.Scenario{Name: "roles", Load: core.ScenarioLoad{Workers: 1, Connections: 1}}
	_, err = orchestrator.Probe(ctx)
	must(err)
	counted := func(what string) { t.Logf("%s: %d", what, count); count = 0 }
	count = 0
	record, err := orchestrator.Create(ctx, core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{})
	must(err)
	counted("first create")
	_, err = orchestrator.Create(ctx, core.NewRun("run-2", scenario.Plan()), scenario, ports.Home{})
	must(err)
	counted("create")
	_, err = orchestrator.Templates().Put(ctx, core.Template{Name: "oltp"})
	must(err)
	count = 0
	_, err = worker.Control(ctx, "run-1", "worker-0")
	must(err)
	counted("control")
	_, err = worker.Load(ctx, "run-1")
	must(err)
	counted("load")
	must(worker.Beat(ctx, core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}, Count: 1}))
	counted("beat")
	must(worker.AppendExecutions(ctx, []core.Execution{{ID: "e", RunID: "run-1", WorkerID: "worker-0", Start: time.Now()}}))
	counted("executions")
	must(worker.Logs().Append(ctx, []ports.LogLine{{RunID: "run-1", WorkerID: "worker-0", Sequence: 1, Time: time.Now()}}))
	counted("logs")
	_, err = worker.Commit(ctx, record.Version, record.Run, nil, ports.Progress{})
	denied(err)
	_, err = worker.Create(ctx, core.Run{ID: "run-3"}, core.Scenario{}, ports.Home{})
	denied(err)
	_, err = worker.Templates().List(ctx)
	denied(err)
	_, err = worker.Probe(ctx)
	denied(err)
	_, err = viewer.Load(ctx, "run-1")
	must(err)
	_, err = viewer.Templates().List(ctx)
	must(err)
	denied(viewer.Beat(ctx, core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}, Count: 2}))
	denied(viewer.Logs().Append(ctx, []ports.LogLine{{RunID: "run-1", WorkerID: "worker-0", Sequence: 2, Time: time.Now()}}))
	count = 0
	_, _, err = orchestrator.Beats(ctx, "run-1", nil)
	must(err)
	counted("beats")
	must(orchestrator.AppendSnapshots(ctx, []ports.WorkerInterval{{RunID: "run-1", WorkerID: "worker-0", Interval: core.Interval{Sequence: 1, Start: time.Now()}}}, []ports.RunInterval{{RunID: "run-1", Start: time.Now()}}))
	counted("snapshots")
	must(orchestrator.(ports.PollStore).AppendPolls(ctx, []core.WarehousePoll{{RunID: "run-1", At: time.Now(), Warehouse: "W"}}))
	counted("polls")
	must(orchestrator.PutRollup(ctx, core.Rollup{RunID: "run-1"}, nil))
	counted("rollup")
	next := record.Run
	next.Sequence++
	v, err := orchestrator.Commit(ctx, record.Version, next, []core.ControlEvent{{RunID: "run-1", Sequence: next.Sequence}}, ports.Progress{})
	must(err)
	counted("commit with events")
	next.Status = core.Failed
	_, err = orchestrator.Commit(ctx, v, next, nil, ports.Progress{})
	must(err)
	counted("commit")
	_, err = orchestrator.Commit(ctx, v, next, nil, ports.Progress{})
	denied2 := core.CodeOf(err) == core.Conflict
	counted(fmt.Sprint("lost commit ", denied2))
	_, err = orchestrator.Events(ctx, "run-1", 0)
	must(err)
	counted("events")
	must(orchestrator.Delete(ctx, "run-1"))
	counted("delete")
	must(orchestrator.Templates().Delete(ctx, "oltp"))
	_, _ = adm, admin
	for _, q := range []string{"ALTER TABLE {database}.{results}.RUN_STATUS DROP COLUMN COMMIT_ID", "ALTER TABLE {database}.{results}.RUN_STATUS DROP COLUMN RUNG", "DROP TABLE {database}.{results}.TEST_LOGS", "DROP TABLE {database}.{results}.METRICS_SNAPSHOTS"} {
		q, _ = d.names.Fill(q)
		_, err = adm.Exec(q)
		must(err)
	}
	statements, _ := schema.Statements("snowflake", schema.Store)
	for _, q := range statements {
		if strings.Contains(q, ".METRICS_SNAPSHOTS") {
			q, _ = d.names.Fill(strings.Replace(q, "HYBRID ", "", 1))
			_, err = adm.Exec(q)
			must(err)
		}
	}
	findings, err := admin.Check(ctx)
	t.Log(findings, err)
	must(d.apply(ctx, adm))
	findings, err = admin.Check(ctx)
	t.Log(findings, err)
	t.Log(d.plainTables(ctx, adm))
	record, err = orchestrator.Load(ctx, "run-2")
	must(err)
	_, err = orchestrator.Commit(ctx, record.Version, record.Run, nil, ports.Progress{})
	must(err)
}
