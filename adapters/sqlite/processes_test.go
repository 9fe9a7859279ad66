package sqlite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// createRun makes run-1 in a store.
func createRun(t testing.TB, store ports.Store) ports.RunRecord {
	t.Helper()
	scenario := core.Scenario{Name: "race", Launcher: "local", Load: core.ScenarioLoad{Workers: 2, Connections: 4}}
	run, _, err := core.NewRun("run-1", scenario.Plan()).Apply(core.StartRequested{At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	record, err := store.Create(t.Context(), run, scenario, ports.Home{Host: "host"})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// checkConsistent holds what is stored of run-1 together: SQLite's own check,
// the version, the state, its projections and the events.
func checkConsistent(t testing.TB, path string) ports.RunRecord {
	t.Helper()
	is := is.New(t)
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	record, err := store.Load(t.Context(), "run-1")
	is.NoErr(err)
	db := rawDB(t, path)
	var integrity string
	is.NoErr(db.Get(&integrity, "PRAGMA integrity_check"))
	is.Equal(integrity, "ok")
	var stored struct {
		Version int64 `db:"VERSION"`
		Next    int64 `db:"NEXT_SEQUENCE_ID"`
		Epoch   int   `db:"OWNER_EPOCH"`
		Events  int64 `db:"EVENTS"`
		Last    int64 `db:"LAST"`
	}
	is.NoErr(db.Get(&stored, `SELECT VERSION, NEXT_SEQUENCE_ID, OWNER_EPOCH,
		(SELECT COUNT(*) FROM RUN_CONTROL_EVENTS) AS EVENTS, (SELECT COALESCE(MAX(SEQUENCE_ID), 0) FROM RUN_CONTROL_EVENTS) AS LAST FROM RUN_STATUS`))
	is.Equal(stored.Version, record.Version)
	is.Equal(stored.Epoch, record.Run.OwnerEpoch)
	is.Equal(stored.Next, record.Run.Sequence+1)
	is.Equal(stored.Events, record.Run.Sequence)             // no event is missing
	is.Equal(stored.Last, record.Run.Sequence)               // and none is beyond the state
	is.Equal(int64(record.Run.OwnerEpoch), record.Version-1) // every commit was one claim
	return record
}

func rawDB(t testing.TB, path string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("sqlite", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// 4 processes with 32 goroutines in all commit to one run: every version has one
// winner, and nothing is lost.
func TestProcessesRaceOnCommit(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	createRun(t, store)
	is.NoErr(store.Close())
	const processes, goroutines, each = 4, 8, 15
	var children []*child
	for p := range processes {
		c := startChild(t, self(t), "commit", path, fmt.Sprintf("process-%d", p), strconv.Itoa(goroutines), strconv.Itoa(each))
		is.Equal(c.line(), "ready")
		children = append(children, c)
	}
	for _, c := range children {
		c.tell(t)
	}
	winners := map[int64]string{}
	var losses []string
	for _, c := range children {
		for line := c.line(); line != ""; line = c.line() {
			fields := strings.Fields(line)
			if n, found := strings.CutPrefix(line, "lost "); found {
				t.Log("a process lost", n, "races")
				losses = append(losses, n)
				continue
			}
			if len(fields) != 3 || fields[0] != "won" {
				t.Fatalf("a child says %q", line)
			}
			version, err := strconv.ParseInt(fields[1], 10, 64)
			is.NoErr(err)
			if other := winners[version]; other != "" {
				t.Errorf("version %d was won by %s and by %s", version, other, fields[2])
			}
			winners[version] = fields[2]
		}
		is.NoErr(c.cmd.Wait())
	}
	const commits = processes * goroutines * each
	is.Equal(len(winners), commits)
	is.Equal(len(losses), processes)
	is.True(!slices.Contains(losses, "0")) // every process did meet another
	record := checkConsistent(t, path)
	is.Equal(record.Version, int64(1+commits))
	store = openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	events, err := store.Events(t.Context(), "run-1", 0)
	is.NoErr(err)
	is.Equal(len(events), commits-1) // the first claim took nothing over
	for i, e := range events {
		winner := winners[int64(i)+3] // version 2 emitted none
		if e.Sequence != int64(i+1) || !strings.HasPrefix(e.By, winner+"/") {
			t.Errorf("event %d is number %d by %s, but version %d was won by %s", i, e.Sequence, e.By, i+3, winner)
		}
	}
}

// A process that is killed in the middle of commits leaves a consistent store
// with everything that it was told is committed.
func TestKillInTheMiddleOfCommits(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	createRun(t, store)
	is.NoErr(store.Close())
	version := int64(1)
	for round := range 8 {
		c := startChild(t, self(t), "commit", path, "victim", "4", "1000000")
		is.Equal(c.line(), "ready")
		c.tell(t)
		won := []int64{version}
		for range 5 + 7*round {
			fields := strings.Fields(c.line())
			is.Equal(len(fields), 3) // it is alive and commits
			v, err := strconv.ParseInt(fields[1], 10, 64)
			is.NoErr(err)
			won = append(won, v)
		}
		is.NoErr(c.cmd.Process.Kill())
		for line := c.line(); line != ""; line = c.line() { // what it said before it died
			if fields := strings.Fields(line); len(fields) == 3 {
				if v, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
					won = append(won, v)
				}
			}
		}
		_ = c.cmd.Wait() // killed
		record := checkConsistent(t, path)
		last := slices.Max(won)
		if record.Version < last {
			t.Errorf("round %d: version %d was committed, and %d is stored", round, last, record.Version)
		}
		version = record.Version
	}
}

// Several processes may apply the schema at once.
func TestProcessesApplySchema(t *testing.T) {
	is := is.New(t)
	path := t.TempDir() + "/new/deep/store.db"
	var children []*child
	for range 4 {
		children = append(children, startChild(t, self(t), "apply", path))
	}
	for _, c := range children {
		for line := c.line(); line != ""; line = c.line() {
			t.Error(line)
		}
		is.NoErr(c.cmd.Wait())
	}
	store := openStore(t, path)
	defer func() { is.NoErr(store.Close()) }()
	findings, err := store.Check(t.Context())
	is.NoErr(err)
	is.Equal(core.Refusal(findings), "")
}

// Running tells what it can know of a session in another process.
func TestRunningInAnotherProcess(t *testing.T) {
	is := is.New(t)
	target, table := loadedTarget(t, 10)
	c := startChild(t, self(t), "session", target.path, table.Name)
	id, found := strings.CutPrefix(c.line(), "session ")
	is.True(found)
	count, err := target.Running(t.Context(), []string{id})
	is.NoErr(err)
	is.True(!count.Known)
	is.True(strings.Contains(count.Why, "is alive"))
	is.NoErr(c.cmd.Process.Kill())
	_ = c.cmd.Wait() // killed
	count, err = target.Running(t.Context(), []string{id})
	is.NoErr(err)
	is.Equal(count, core.RunningCount{Known: true})

	parts := strings.Split(id, "/")
	reused := slices.Clone(parts)
	reused[1] = strings.Split(target.origin, "/")[1] // our process, but started at another time
	count, err = target.Running(t.Context(), []string{strings.Join(reused, "/")})
	is.NoErr(err)
	is.Equal(count, core.RunningCount{Known: true})
	elsewhere := slices.Clone(parts)
	elsewhere[0] = "elsewhere"
	for _, strange := range []string{strings.Join(elsewhere, "/"), "memory-1", "a/b/c/d/e", ""} {
		count, err = target.Running(t.Context(), []string{strange})
		is.NoErr(err)
		is.True(!count.Known && count.Why != "")
	}
}
