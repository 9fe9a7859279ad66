//go:build unix

package acceptance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// newServerSite is a site whose target is a server, whatever -target says. Lists over
// a far store leave it to the others, unless all are to be tried.
func newServerSite(t *testing.T) *site {
	t.Helper()
	unlessAll(t, storeFlag, "sqlite", "the server is in question, not the store")
	server.Server(t) // or the test is skipped
	return newSiteOf(t, t.TempDir(), "postgres")
}

// sessions are those of a run, as the server tells them, in any of the states.
func (s *site) sessions(run string, states ...string) string {
	s.t.Helper()
	where := ""
	if len(states) > 0 {
		where = " AND state IN ('" + strings.Join(states, "','") + "')"
	}
	return s.sql("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name LIKE 'benchfleet:" + run + "/%'" + where)
}

// TestAcceptancePostgresRefusals: what the server does not grant is found in
// preflight, and said in one clear message.
func TestAcceptancePostgresRefusals(t *testing.T) {
	s := newServerSite(t)
	db := s.db()
	user := func(name string, rights ...string) string {
		name = s.database + "_" + name
		server.Server(t).User(t, name)
		for _, right := range rights {
			s.sql(strings.ReplaceAll(right, "USER", name))
		}
		return name
	}
	at := func(user, database string) string { return server.Server(t).DSNAt(fleet.host, user, database) }
	const all = `GRANT SELECT, INSERT, UPDATE, DELETE ON "BENCHFLEET_SHORT" TO USER`
	locked := server.Server(t).Database(t)
	s.sql("REVOKE CONNECT ON DATABASE " + locked + " FROM PUBLIC")
	super := at(postgrestest.Superuser, s.database)
	for _, tt := range []struct {
		name, address string
		args          []string
		says          []string
	}{
		{"no permission", at(user("stranger"), s.database), nil, []string{"permission denied", "BENCHFLEET_SHORT"}},
		{"read-only role", at(user("reader", `GRANT SELECT ON "BENCHFLEET_SHORT" TO USER`), s.database), nil, []string{"accepts no writes", "_reader may neither insert"}},
		{"read-only session", at(user("cautious", all, "ALTER ROLE USER SET default_transaction_read_only = on"), s.database), nil, []string{"accepts no writes"}},
		{"a limit of connections", at(user("narrow", all, "ALTER ROLE USER CONNECTION LIMIT 7"), s.database), nil, []string{"needs 8 connections", "grants 7"}},
		{"more connections than the server has", super, []string{"--connections", "40"}, []string{"needs 122 connections"}},
		{"more connections than BOUNDED may come to", at(user("small", all, "ALTER ROLE USER CONNECTION LIMIT 97"), s.database),
			[]string{"--set", "load.workers=0", "--set", "load.connections=0", "--set", "load.think_time=0s", "--set", "load.scaling=BOUNDED", "--set", "load.max_workers=8", "--set", "load.mode=QPS", "--set", "load.rate=100"},
			[]string{"may grow to 258 connections", "grants 97", "lower load.max_workers to 2"}},
		{"no table", super, []string{"--set", "table.name=NOT_THERE"}, []string{"NOT_THERE does not exist", "benchfleet prepare"}},
		{"another's database", at(user("guest"), locked), nil, []string{"permission denied", locked}},
		{"no database", at(postgrestest.Superuser, "nowhere"), nil, []string{"nowhere", "does not exist"}},
		{"a wrong password", strings.Replace(super, postgrestest.Password, "an-other-secret", 1), nil, []string{"password authentication failed"}},
		{"nobody there", strings.Replace(super, fmt.Sprint(":", server.Server(t).Port), ":1", 1), nil, []string{"refused", ":1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			given := s.env
			defer func() { s.env = given }()
			s.with("BENCHFLEET_ENDPOINT_LOCAL=" + tt.address)
			o := s.do(append([]string{"run", "short"}, tt.args...)...)
			t.Log(o)
			is.Equal(o.code, 4)
			_, message, _ := strings.Cut(o.stderr, "benchfleet: refused: ")
			message, others, _ := strings.Cut(message, "benchfleet: refused: ")
			for _, text := range tt.says {
				is.True(strings.Contains(message, text)) // the first one says it
			}
			is.True(others == "" || tt.name == "read-only role") // whose statements are refused one by one, too
			is.True(!strings.Contains(o.stderr, postgrestest.Password))
			is.True(!strings.Contains(o.stderr, "an-other-secret"))
			is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS"), int64(0))
			is.Equal(s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS"), int64(0))
			is.Equal(len(s.workers("")), 0)
		})
	}
}

// TestAcceptancePostgresRestarted: a server that restarts costs the operations
// that were in flight, and each of them is counted; the connections come back.
func TestAcceptancePostgresRestarted(t *testing.T) {
	is := is.New(t)
	s := newServerSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "6s")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	is.Equal(s.sessions(run), "6")
	operations := func() int64 { return s.number(db, "SELECT TOTAL_OPS FROM RUN_STATUS WHERE RUN_ID = ?", run) }
	until(t, 10*time.Second, "operations are counted", func() bool { return operations() > 0 })
	is.NoErr(server.Server(t).Restart())
	before := operations()
	until(t, 10*time.Second, "the connections come back", func() bool { return s.sessions(run) == "6" })
	until(t, 10*time.Second, "they are used", func() bool { return operations() > before+100 })
	o := running.wait(30 * time.Second)
	t.Log(o)
	is.Equal(o.code, 0)
	c := s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
	is.True(c.Clean)
	is.Equal(c.Target, core.RunningCount{Known: true})
	s.checkConserved(t, db, run)
	is.Equal(s.sessions(run), "0")
	failed := s.number(db, "SELECT ERROR_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run)
	is.True(failed > 0)
	var errors []core.ErrorCount
	is.NoErr(json.Unmarshal([]byte(s.text(db, "SELECT ERRORS FROM TEST_RESULTS WHERE TEST_ID = ?", run)), &errors))
	var sum int64
	var classes []string
	for _, e := range errors {
		sum, classes = sum+int64(e.Count), append(classes, e.Class)
	}
	is.Equal(sum, failed) // by class
	t.Log(failed, "errors of", classes)
	is.True(strings.Contains(o.stdout, classes[0])) // and shown
}

// TestAcceptancePostgresStatementOfMinutes: a stop cancels what runs on the
// server over a connection of its own: the workers, which hear nothing, cannot
// have done it.
func TestAcceptancePostgresStatementOfMinutes(t *testing.T) {
	is := is.New(t)
	s := newServerSite(t)
	db := s.db()
	s.must("template", "import", "testdata/sleep.yaml")
	running := s.start("run", "sleep")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	until(t, 10*time.Second, "three statements run", func() bool { return s.sessions(run, "active") == "3" })
	workers := s.workers(run)
	is.Equal(len(workers), 3)
	for _, id := range workers {
		is.NoErr(fleet.witness.freeze(id))
	}
	s.must("stop", run, "--no-wait")
	until(t, 10*time.Second, "the server runs none of them", func() bool { return s.sessions(run, "active") == "0" })
	is.Equal(len(s.workers(run)), 3) // which are as they were
	for _, id := range workers {
		is.NoErr(fleet.witness.thaw(id))
	}
	o := running.wait(30 * time.Second)
	t.Log(o)
	is.Equal(o.code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.Equal(c.HighestRung, core.Cancel)
	is.Equal(c.Target, core.RunningCount{Known: true})
	for _, w := range c.Workers {
		is.True(w.Reported)
	}
	is.Equal(s.sessions(run), "0")
	is.True(s.balanced(db, run))
}

// TestAcceptancePostgresKilled: what a killed worker has left on the server ends
// with it.
func TestAcceptancePostgresKilled(t *testing.T) {
	is := is.New(t)
	s := newServerSite(t)
	db := s.db()
	s.must("template", "import", "testdata/sleep.yaml")
	running := s.start("run", "sleep")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	until(t, 10*time.Second, "three statements run", func() bool { return s.sessions(run, "active") == "3" })
	s.must("stop", run, "--kill")
	is.Equal(running.wait(20*time.Second).code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	t.Logf("%+v", c.Target)
	is.Equal(s.sessions(run, "active") == "0", c.Target.Known && c.Target.Count == 0) // it says what is
}
