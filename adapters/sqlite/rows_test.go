package sqlite

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// A store whose clock is the database's passes the same suite: that is how
// databases behind a network are used.
func TestStoreWithTheDatabasesClock(t *testing.T) {
	open := func(t testing.TB, path string) ports.Store {
		read, write, err := connect(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
		d := storeDialect(path, nil)
		d.Clock, d.Now = nil, now
		d.Insert = sqlstore.StandardInsert(mark, now)
		return sqlstore.New(d, read, write)
	}
	var path string
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(t testing.TB) ports.Store {
			path = storeFile(t)
			return open(t, path)
		},
		Reopen: func(t testing.TB, _ ports.Store) ports.Store { return open(t, path) },
	})
}

// Totals of a long run are read in two halves, which are one list: of as many as a page
// holds, with what shares an offset across the middle, and after any of them.
func TestTotalsOfALongRun(t *testing.T) {
	is := is.New(t)
	store := openStore(t, storeFile(t))
	defer func() { is.NoErr(store.Close()) }()
	_, err := store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
	const length, page = 10_500, 10_000
	var list []ports.RunInterval
	for offset := range length {
		list = append(list, ports.RunInterval{RunID: "run-1", Phase: core.Measurement, Offset: float64(offset + 1), Seconds: 1, CPU: float64(offset)})
	}
	middle := length / 2
	shared := list[middle]
	shared.Phase, list[middle].Phase = core.Measurement, core.Warmup
	list = slices.Insert(list, middle+1, shared)
	is.NoErr(store.AppendSnapshots(t.Context(), nil, list))
	for _, after := range []int{0, 1, 2500, length - 1001, length - 1000, length - 3, length} {
		got, err := store.Totals(t.Context(), "run-1", float64(after))
		is.NoErr(err)
		from := slices.IndexFunc(list, func(i ports.RunInterval) bool { return i.Offset > float64(after) })
		if from < 0 {
			is.Equal(len(got), 0)
			continue
		}
		want := list[from:min(len(list), from+page)]
		is.Equal(len(got), len(want))
		for i := range want {
			is.Equal([]any{got[i].Offset, got[i].Phase, got[i].CPU}, []any{want[i].Offset, want[i].Phase, want[i].CPU})
		}
	}
}

// The control read must not depend on what it does not need.
func TestControlReadsNoState(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	record := createRun(t, store)
	_, err := rawDB(t, path).Exec("UPDATE RUN_STATUS SET STATE = 'no JSON', SCENARIO_CONFIG = NULL")
	is.NoErr(err)
	for _, stored := range []string{"jsonb", "json"} { // text, as builds before stored it
		_, err := rawDB(t, path).Exec("UPDATE RUN_STATUS SET WORKER_TARGETS = " + stored + "(WORKER_TARGETS)")
		is.NoErr(err)
		control, err := store.Control(t.Context(), "run-1", "worker-1")
		is.NoErr(err)
		is.Equal(control, core.ControlOf(record.Run, record.Version, 1, control.Now))
	}
	_, err = store.Load(t.Context(), "run-1")
	wantError(t, err, core.Internal, "cannot be read")
}

// Totals must not depend on histograms but where nothing else will do: of intervals
// that share their offset, and of those without a length or with errors.
func TestTotalsReadNoHistograms(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	var rows []ports.RunInterval
	for n := 1; n <= 4; n++ {
		row := ports.RunInterval{RunID: "run-1", Phase: core.Measurement, Offset: float64(n), Seconds: 1, Kinds: []core.KindMetrics{{Kind: core.Update, Counts: core.Counts{Started: 1, OK: 1}}}}
		row.Kinds[0].Service.Record(time.Millisecond)
		rows = append(rows, row)
	}
	is.NoErr(store.AppendSnapshots(t.Context(), nil, rows))
	db := rawDB(t, path)
	spoil := func(offset int) {
		_, err := db.Exec("UPDATE METRICS_SNAPSHOTS SET KINDS = 'no JSON' WHERE OFFSET_MICROS = ?", offset*1_000_000)
		is.NoErr(err)
	}
	for n := 1; n <= 4; n++ {
		spoil(n)
	}
	totals, err := store.Totals(t.Context(), "run-1", -1)
	is.NoErr(err)
	is.Equal(len(totals), 4)
	is.Equal(totals[3].Latency.P99, time.Millisecond)

	shared, failed, instant := rows[0], rows[1], rows[2]
	shared.Phase = core.Warmup
	failed.Kinds = []core.KindMetrics{{Kind: core.Update, Counts: core.Counts{Started: 1, Errors: 1}}}
	instant.Seconds = 0
	for after, row := range map[float64]ports.RunInterval{0: shared, 1: failed, 2: instant} {
		is.NoErr(store.AppendSnapshots(t.Context(), nil, []ports.RunInterval{row}))
		spoil(int(row.Offset))
		_, err = store.Totals(t.Context(), "run-1", after)
		wantError(t, err, core.Internal, "the stored kinds of an interval cannot be read")
	}
	_, err = store.Totals(t.Context(), "run-1", 3)
	is.NoErr(err)
}

func TestStateOfAnotherVersion(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	_, err := rawDB(t, path).Exec(`UPDATE RUN_STATUS SET STATE = '{"v":2,"run":{"id":7}}'`)
	is.NoErr(err)
	_, err = store.Load(t.Context(), "run-1")
	wantError(t, err, core.Unsupported, "version 2", "version 1")
}

// What dashboards read of a run is true at every step of its life.
func TestRunColumns(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	scenario := core.Scenario{Name: "life", TemplateID: "template-9", Launcher: "local", Load: core.ScenarioLoad{
		Workers: 2, Connections: 5, Warmup: core.Duration(2 * time.Second), Duration: core.Duration(10 * time.Second)}}
	scenario.Limits.ControlPoll, scenario.Limits.RunLimit = core.Duration(50*time.Millisecond), core.Duration(time.Hour)
	_, err := store.Create(t.Context(), core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{Host: "here"})
	is.NoErr(err)
	begin := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * 1e9)) }
	stamp := func(s float64) string { return at(s).Format("2006-01-02T15:04:05.000000Z") }
	db := rawDB(t, path)
	commit := func(progress ports.Progress, evs ...core.Event) map[string]any {
		t.Helper()
		record, err := store.Load(t.Context(), "run-1")
		is.NoErr(err)
		next, events, err := record.Run.Fold(evs...)
		is.NoErr(err)
		_, err = store.Commit(t.Context(), record.Version, next, events, progress)
		is.NoErr(err)
		columns := map[string]any{}
		is.NoErr(db.QueryRowx("SELECT *, json(WORKER_TARGETS) AS WORKER_TARGETS FROM RUN_STATUS").MapScan(columns))
		return columns
	}
	wants := func(columns, want map[string]any) {
		t.Helper()
		for name, value := range want {
			if columns[name] != value {
				t.Errorf("%s is %v, want %v", name, columns[name], value)
			}
		}
	}
	handle := core.Handle{Launcher: "local", Version: 1, Data: []byte("pid")}
	columns := commit(ports.Progress{}, core.OwnerClaimed{At: at(0), Owner: "me", Until: at(5)}, core.StartRequested{At: at(0)},
		core.PreflightFinished{At: at(0), Findings: []core.Finding{{ID: "x", Severity: core.SeverityOK}}},
		core.WorkerLaunched{At: at(0), Worker: 0, Epoch: 1, Handle: handle},
		core.BeatSeen{At: at(0), Worker: 0, Epoch: 1, State: core.WorkerReadyNow, Acknowledged: 3})
	wants(columns, map[string]any{
		"TEST_ID": "run-1", "TEMPLATE_ID": "template-9", "TEST_NAME": "life", "LAUNCHER": "local", "HANDLE_HOST": "here",
		"STATUS": "STARTING", "PHASE": "PREPARING", "RUNG": "NOT_STOPPING", "VERSION": int64(2), "NEXT_SEQUENCE_ID": int64(2),
		"OWNER": "me", "OWNER_EPOCH": int64(1), "OWNER_LEASE_UNTIL": stamp(5), "START_TIME": stamp(0), "END_TIME": nil,
		"TOTAL_WORKERS_EXPECTED": int64(2), "WORKERS_REGISTERED": int64(1), "WORKERS_ACTIVE": int64(1), "WORKERS_COMPLETED": int64(0),
		"WARMUP_START_TIME": nil, "WARMUP_END_TIME": nil, "TOTAL_OPS": int64(0),
		"WORKER_TARGETS": `{"worker-0":{"target_connections":3,"epoch":1,"acknowledged":3},"worker-1":{"target_connections":2,"epoch":1,"acknowledged":0}}`,
	})
	var handles map[string]core.Handle
	is.NoErr(json.Unmarshal([]byte(columns["WORKER_HANDLES"].(string)), &handles))
	is.Equal(handles, map[string]core.Handle{"worker-0": handle})

	columns = commit(ports.Progress{TotalOps: 10, Errors: 1, QPS: 2.5},
		core.WorkerLaunched{At: at(1), Worker: 1, Epoch: 1, Handle: handle},
		core.BeatSeen{At: at(1), Worker: 1, Epoch: 1, State: core.WorkerReadyNow})
	wants(columns, map[string]any{
		"STATUS": "RUNNING", "PHASE": "WARMUP", "PHASE_AT": stamp(1.01), "ORIGIN_AT": stamp(1.01), "WORKERS_ACTIVE": int64(2),
		"WARMUP_START_TIME": stamp(1.01), "WARMUP_END_TIME": nil, "TOTAL_OPS": int64(10), "ERROR_COUNT": int64(1), "CURRENT_QPS": 2.5,
	})
	columns = commit(ports.Progress{}, core.Ticked{At: at(3)})
	wants(columns, map[string]any{"PHASE": "MEASUREMENT", "WARMUP_END_TIME": stamp(3.01), "TOTAL_OPS": int64(10)})
	commit(ports.Progress{}, core.StopRequested{At: at(6), Reason: core.UserRequested, By: "user", Detail: "enough"})
	for i := range 2 {
		columns = commit(ports.Progress{}, core.BeatSeen{At: at(7), Worker: i, Epoch: 1, State: core.WorkerCompleted},
			core.WorkerExited{At: at(7), Worker: i, Epoch: 1})
	}
	wants(columns, map[string]any{
		"STATUS": "CANCELLING", "PHASE": "PROCESSING", "REASON": "USER_REQUESTED", "REASON_DETAIL": "enough", "RUNG": "DRAIN",
		"WORKERS_REGISTERED": int64(2), "WORKERS_ACTIVE": int64(0), "WORKERS_COMPLETED": int64(2),
		"WARMUP_START_TIME": stamp(1.01), "WARMUP_END_TIME": stamp(3.01),
	})
	columns = commit(ports.Progress{}, core.SessionsCounted{At: at(8)}, core.RollupStored{At: at(8)}, core.ResourcesReleased{At: at(9)})
	wants(columns, map[string]any{"STATUS": "CANCELLED", "END_TIME": stamp(9), "OWNER_LEASE_UNTIL": nil})
}

// The columns of a result are projections of the rollup.
func TestResultColumns(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	var reads, writes core.Histogram
	for ms := 1; ms <= 90; ms++ {
		reads.Record(time.Duration(ms) * time.Millisecond)
	}
	for ms := 91; ms <= 100; ms++ {
		writes.Record(time.Duration(ms) * time.Millisecond)
	}
	rollup := core.Rollup{RunID: "run-1", Status: core.Completed, Reason: core.Elapsed, Seconds: 10, Connections: 4, Throughput: 9.5,
		Hash: 1<<64 - 1, Verdict: core.Verdict{Level: core.Degraded, Reasons: []string{"late"}},
		Kinds: []core.KindMetrics{
			{Kind: core.PointLookup, Access: core.AccessRead, Counts: core.Counts{Scheduled: 95, Started: 95, OK: 90, Errors: 4, Aborted: 1}, Service: reads,
				Failures: []core.ErrorCount{{Class: "BUSY", Count: 4}}},
			{Kind: core.Insert, Access: core.AccessWrite, Counts: core.Counts{Scheduled: 10, Started: 10, OK: 10}, Service: writes},
		},
	}
	child := rollup
	child.WorkerID = "worker-1"
	is.NoErr(store.PutRollup(t.Context(), rollup, []core.Rollup{child}))
	db := rawDB(t, path)
	parent, row := map[string]any{}, map[string]any{}
	is.NoErr(db.QueryRowx("SELECT * FROM TEST_RESULTS WHERE TEST_ID = 'run-1'").MapScan(parent))
	is.NoErr(db.QueryRowx("SELECT * FROM TEST_RESULTS WHERE WORKER_ID = 'worker-1'").MapScan(row))
	is.Equal(parent["WORKER_ID"], nil)
	is.Equal(row["TEST_ID"], "run-1/worker-1")
	for name, want := range map[string]any{
		"RUN_ID": "run-1", "TEST_NAME": "race", "STATUS": "COMPLETED", "REASON": "ELAPSED", "MEASURED_SECONDS": 10.0, "CONCURRENT_CONNECTIONS": int64(4),
		"TOTAL_OPERATIONS": int64(105), "OK_OPERATIONS": int64(100), "ERROR_OPERATIONS": int64(4), "ABORTED_OPERATIONS": int64(1),
		"READ_OPERATIONS": int64(95), "WRITE_OPERATIONS": int64(10), "QPS": 9.5, "MIN_LATENCY_MS": 1.0, "MAX_LATENCY_MS": 100.0,
		"AVG_LATENCY_MS": 50.5, "VERDICT": "DEGRADED", "VERDICT_REASONS": `["late"]`, "OPERATION_HASH": "ffffffffffffffff",
		"ERRORS": `[{"class":"BUSY","count":4}]`, "QUERY_TAG": "benchfleet:run-1",
	} {
		if parent[name] != want || row[name] != want {
			t.Errorf("%s is %v of the parent and %v of the child, want %v", name, parent[name], row[name], want)
		}
	}
	for name, want := range map[string]float64{"P50_LATENCY_MS": 50, "P90_LATENCY_MS": 90, "P95_LATENCY_MS": 95, "P99_LATENCY_MS": 99, "P999_LATENCY_MS": 100} {
		if got := parent[name].(float64); got < want*0.995 || got > want*1.005 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	var merged core.Histogram
	is.NoErr(merged.UnmarshalText([]byte(parent["HISTOGRAM"].(string))))
	is.Equal(merged.Count(), uint64(100))
	var kinds []map[string]any
	is.NoErr(json.Unmarshal([]byte(parent["KINDS"].(string)), &kinds))
	is.Equal(kinds[1]["kind"], core.Insert)
	is.Equal(kinds[1]["started"], 10.0)
	is.Equal(kinds[1]["max_latency_ms"], 100.0)
}

// A log line says who wrote it, and a template of SQLite not who made it.
func TestWriterColumns(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	createRun(t, store)
	is.NoErr(store.Logs().Append(t.Context(), []ports.LogLine{{RunID: "run-1", Sequence: 1}, {RunID: "run-1", WorkerID: "worker-1", Sequence: 1}}))
	_, err := store.Templates().Put(t.Context(), core.Template{Name: "t"})
	is.NoErr(err)
	db := rawDB(t, path)
	var loggers []string
	is.NoErr(db.Select(&loggers, "SELECT LOGGER FROM TEST_LOGS ORDER BY WORKER_ID"))
	is.Equal(loggers, []string{"orchestrator", "worker-1"})
	var creator *string
	is.NoErr(db.Get(&creator, "SELECT CREATED_BY FROM TEST_TEMPLATES"))
	is.Equal(creator, nil)
}

// A store of an older version gets what it lacks, and keeps what it has.
func TestApplySchemaUpgrades(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	createRun(t, store)
	is.NoErr(store.Close())
	db := rawDB(t, path)
	for _, statement := range []string{
		"DROP INDEX TEST_RESULTS_RUN", "ALTER TABLE TEST_RESULTS DROP COLUMN WORKER_GROUP_ID", "ALTER TABLE RUN_STATUS DROP COLUMN RUNG", "DROP TABLE TEST_LOGS",
	} {
		_, err := db.Exec(statement)
		is.NoErr(err)
	}
	store = openStore(t, path)
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	var said []string
	for _, f := range findings {
		said = append(said, f.Message)
		is.Equal(f.Mend, "benchfleet schema apply --store sqlite:"+path)
	}
	is.Equal(said, []string{"the store has no column RUN_STATUS.RUNG", "the store has no column TEST_RESULTS.WORKER_GROUP_ID", "the store has no table TEST_LOGS"})
	_, err = store.Control(t.Context(), "run-1", "worker-0")
	wantError(t, err, core.Refused, "RUNG", "benchfleet schema apply")
	is.NoErr(store.Close())
	for range 2 {
		is.NoErr(ApplySchema(t.Context(), path))
	}
	store = openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	findings, err = store.Check(t.Context())
	is.NoErr(err)
	is.Equal(core.Refusal(findings), "")
	control, err := store.Control(t.Context(), "run-1", "worker-0")
	is.NoErr(err)
	is.Equal(control.Status, core.Prepared)
	_, err = claim(t.Context(), store, "me")
	is.NoErr(err)
}

// What the DDL's own little parser reads is what SQLite makes of it.
func TestSchemaIsWhatSQLiteMakesOfIt(t *testing.T) {
	is := is.New(t)
	want, err := schema.Tables(dialect)
	is.NoErr(err)
	have, err := sqlstore.Tables(t.Context(), rawDB(t, storeFile(t)), columnsQuery)
	is.NoErr(err)
	is.Equal(len(have), len(want))
	for _, table := range want {
		for _, other := range have {
			if other.Name != table.Name {
				continue
			}
			is.Equal(len(other.Columns), len(table.Columns))
			for i, column := range table.Columns {
				is.Equal(other.Columns[i].Name, column.Name)
			}
		}
	}
}

func TestPathsWithOddCharacters(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "what?.db", "a#b.db", "ünï🎈.db", "a&mode=ro.db", "%2e%2e.db"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), name)
			is.NoErr(ApplySchema(t.Context(), path))
			store := openStore(t, path)
			createRun(t, store)
			is.NoErr(store.Close())
			files, err := filepath.Glob(strings.NewReplacer("?", "[?]").Replace(path) + "*")
			is.NoErr(err)
			is.True(len(files) >= 1) // and no other file
			is.Equal(files[0], path)
		})
	}
}

// What must outlive a loss of power is hardened, and nothing else. The pragmas
// of this test leave marks in the file instead.
func TestWhatIsHardened(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	read, write, err := connect(path, Options{})
	is.NoErr(err)
	d := storeDialect(path, nil)
	is.Equal(d.Harden, "PRAGMA synchronous = FULL")
	is.Equal(d.Relax, "PRAGMA synchronous = NORMAL")
	d.Harden, d.Relax = "PRAGMA user_version = 1", "PRAGMA application_id = 1"
	store := sqlstore.New(d, read, write)
	defer func() { is.NoErr(store.Close()) }()
	marks := func() (hardened, relaxed int) {
		t.Helper()
		db := rawDB(t, path)
		is.NoErr(db.Get(&hardened, "PRAGMA user_version"))
		is.NoErr(db.Get(&relaxed, "PRAGMA application_id"))
		_, err := db.Exec("PRAGMA user_version = 0; PRAGMA application_id = 0")
		is.NoErr(err)
		return hardened, relaxed
	}
	createRun(t, store)
	_, err = claim(t.Context(), store, "me")
	is.NoErr(err)
	hardened, relaxed := marks()
	is.Equal(hardened+relaxed, 0)

	record, err := store.Load(t.Context(), "run-1")
	is.NoErr(err)
	next, events, err := record.Run.Fold(core.StopRequested{At: record.Now, Reason: core.UserRequested})
	is.NoErr(err)
	is.True(next.Status.Terminal())
	_, err = store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
	is.NoErr(err)
	hardened, relaxed = marks()
	is.Equal(hardened, 1)
	is.Equal(relaxed, 1)

	_, err = store.Templates().Put(t.Context(), core.Template{Name: "t"})
	is.NoErr(err)
	hardened, relaxed = marks()
	is.Equal(hardened, 1)
	is.Equal(relaxed, 1)
}
