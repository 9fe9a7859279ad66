//go:build unix

package acceptance

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// ownCloud is a site with a stand-in of its own, so that what is done to it harms
// no other test.
func ownCloud(t *testing.T, options snowflaketest.Options) *site {
	t.Helper()
	needs(t, storeFlag, "snowflake", "Snowflake is what goes wrong")
	needs(t, targetFlag, "snowflake", "Snowflake is what goes wrong")
	needs(t, launcherFlag, "local", "the launcher is not in question")
	s := emptySite(t, t.TempDir())
	s.kind, s.own = "snowflake", snowflaketest.Start(t, options)
	s.fill()
	return s
}

// in is the same site in a subtest.
func (s *site) in(t *testing.T) *site {
	sub := *s
	sub.t = t
	return &sub
}

// ofStore matches the statements of a kind that the site's store sends.
func (s *site) ofStore(kinds string) string { return "(?s)^(" + kinds + ")\\b.*" + s.schema }

// checkSurvived checks that a run took no harm: it completed, with every event
// once, every interval, a balanced ledger and workers that ended by themselves.
func (s *site) checkSurvived(t *testing.T, db *sql.DB, run string) core.Certificate {
	t.Helper()
	is := is.New(t)
	c := s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
	is.Equal(c.HighestRung, core.Drain)
	is.Equal(len(c.Workers), 3)
	for _, w := range c.Workers {
		is.True(w.Reported)
	}
	s.checkConserved(t, db, run)
	for _, once := range []string{"EVENT_TYPE = 'START'", "EVENT_TYPE = 'STOP'", "EVENT_TYPE = 'SET_PHASE' AND EVENT_DATA LIKE '%MEASUREMENT%'"} {
		if n := s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND "+once, run); n != 1 {
			t.Errorf("%d events with %s", n, once)
		}
	}
	is.Equal(s.number(db, "SELECT COUNT(*) - COUNT(DISTINCT SEQUENCE_ID) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ?", run), int64(0))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE IN ('OWNER_CHANGED', 'WORKER_LOST')", run), int64(0))
	t.Logf("run %s: %d operations, %d of them errors, %s", run, s.number(db, "SELECT TOTAL_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run),
		s.number(db, "SELECT ERROR_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run), s.text(db, "SELECT VERDICT FROM TEST_RESULTS WHERE TEST_ID = ?", run))
	return c
}

// disturbed is a run that lasts, and has time for what comes late at its end: the
// driver waits for a second and more before it asks again, and a busy stand-in has
// a long history to look through.
func disturbed(duration string) []string {
	return []string{"run", "short", "--duration", duration, "--set", "limits.drain_timeout=15s", "--set", "limits.cancel_timeout=5s"}
}

// measured is the exit code of a run that came to its end: what was disturbed may
// have been too little, or too slow, for a verdict.
func measured(code int) bool { return code == 0 || code == 7 }

// TestAcceptanceCloudFaults: what goes wrong between us and Snowflake in the
// middle of a run.
func TestAcceptanceCloudFaults(t *testing.T) {
	s := ownCloud(t, snowflaketest.Options{})
	t.Run("replies lost", func(t *testing.T) { s.in(t).loseReplies() })
	t.Run("sessions ended", func(t *testing.T) { s.in(t).endSessions() })
	t.Run("latency", func(t *testing.T) { s.in(t).slowDown() })
}

// loseReplies loses replies to what the store wrote, once each and several in a
// row, in each part of a run.
func (s *site) loseReplies() {
	t, is, server := s.t, is.New(s.t), s.own
	db, after := s.db(), server.Received(t)
	lose := func(kinds string, count, skip int64) {
		server.Break(t, snowflaketest.Fault{Kind: snowflaketest.DropAfter, Match: s.ofStore(kinds), Count: count, Skip: skip})
	}
	server.Break(t, snowflaketest.Fault{Kind: snowflaketest.DropAfter, Match: "^COMMIT$", Count: 3})
	lose("UPDATE|INSERT", 3, 0) // while it is made
	running := s.start(disturbed("10s")...)
	run := s.reachesWithin(time.Minute, db, "RUNNING", "MEASUREMENT") // the driver's pauses are long, and drawn at random
	lose("UPDATE", 1, 2)
	lose("MERGE", 4, 1)
	until(t, 15*time.Second, "the middle of the run", func() bool { return s.snapshots(db, run) >= 9 })
	lose("UPDATE", 3, 0) // and those to the driver's next tries
	lose("INSERT", 2, 0)
	s.reaches(db, "STOPPING", "")
	lose("UPDATE|INSERT", 3, 0) // at its end
	o := running.wait(60 * time.Second)
	server.Mend(t)
	t.Log(o)
	is.True(measured(o.code))
	is.True(s.checkSurvived(t, db, run).Clean)
	statements, _ := server.Statements(t, after)
	again := map[string]int{}
	for _, x := range statements {
		again[x.Kind] += x.Retries
	}
	t.Logf("asked again after a lost reply: %v", again)
	is.True(again["UPDATE"] >= 2)
	is.True(again["MERGE"] >= 2)
	is.True(again["INSERT"] >= 2)
	mustSendNoDDL(t, statements)
}

// snapshots is how many intervals of workers are stored.
func (s *site) snapshots(db *sql.DB, run string) int64 {
	s.t.Helper()
	return s.number(db, "SELECT COUNT(*) FROM WORKER_METRICS_SNAPSHOTS WHERE RUN_ID = ? AND PHASE = 'MEASUREMENT'", run)
}

// endSessions lets the tokens of sessions expire, and then ends every session of
// the run, those of the store and those of the load.
func (s *site) endSessions() {
	t, is, server := s.t, is.New(s.t), s.own
	db := s.db()
	s.text(db, "SELECT 1")
	ours := ids(server.Sessions(t)) // of this test, which looks on
	running := s.start(disturbed("10s")...)
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	theirs := func() []int64 {
		return slices.DeleteFunc(ids(server.Sessions(t)), func(id int64) bool { return slices.Contains(ours, id) })
	}
	for _, kind := range []string{snowflaketest.SessionExpired, snowflaketest.SessionGone} {
		n := int64(len(theirs()))
		server.Break(t, snowflaketest.Fault{Kind: kind, Match: "BENCHFLEET_SHORT", Count: n},
			snowflaketest.Fault{Kind: kind, Match: s.ofStore("SELECT .*WORKER_TARGETS|MERGE|UPDATE"), Count: n})
		seen := s.snapshots(db, run)
		until(t, 15*time.Second, "two more intervals of each worker, after "+kind, func() bool { return s.snapshots(db, run) >= seen+6 })
	}
	before := theirs()
	until(t, 10*time.Second, "every session of before has ended", func() bool {
		left := slices.DeleteFunc(theirs(), func(id int64) bool { return !slices.Contains(before, id) })
		return len(left) == 0
	})
	o := running.wait(60 * time.Second)
	server.Mend(t)
	t.Log(o)
	is.True(measured(o.code))
	is.True(s.checkSurvived(t, db, run).Clean)
}

func ids(sessions []snowflaketest.Session) (ids []int64) {
	for _, x := range sessions {
		ids = append(ids, x.ID)
	}
	return ids
}

// slowDown makes every request 200 ms longer, logins too.
func (s *site) slowDown() {
	t, is, server := s.t, is.New(s.t), s.own
	db := s.db()
	server.Break(t, snowflaketest.Fault{Kind: snowflaketest.Latency, DelayMS: 200})
	begun := time.Now()
	running := s.start(disturbed("1m")...)
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	started := time.Since(begun)
	until(t, 10*time.Second, "operations are counted", func() bool {
		return s.number(db, "SELECT TOTAL_OPS FROM RUN_STATUS WHERE RUN_ID = ?", run) > 0
	})
	begun = time.Now()
	is.Equal(s.must("stop", run).code, 0)
	is.Equal(running.wait(20*time.Second).code, 3)
	stopped := time.Since(begun)
	server.Mend(t)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(c.Clean)
	is.Equal(c.HighestRung, core.Drain)
	s.checkConserved(t, db, run)
	is.Equal(s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS WHERE TEST_ID = ? AND P50_LATENCY_MS >= 200", run), int64(1)) // it was measured
	last := c.Stages.LastNewOperation.Std()
	t.Logf("with 200 ms on each request: load %.1fs after the command, last new operation %s after the stop, everything ended %.1fs after it",
		started.Seconds(), last.Round(time.Millisecond), stopped.Seconds())
	is.True(last <= 3*time.Second) // drain_timeout
}

// TestAcceptanceCloudRestarted kills the stand-in in the middle of a run, and
// brings it back with the same data at the same address; then with tokens that
// live for seconds, so that every session of a run expires again and again.
func TestAcceptanceCloudRestarted(t *testing.T) {
	is := is.New(t)
	data := t.TempDir()
	is.NoErr(os.Chmod(filepath.Dir(data), 0o755)) // its server runs as another user
	s := ownCloud(t, snowflaketest.Options{Data: data})
	again := snowflaketest.Options{Data: data, Listen: net.JoinHostPort(s.own.Host, strconv.Itoa(s.own.Port))}
	db := s.openStore()
	running := s.start(disturbed("12s")...)
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	until(t, 15*time.Second, "an interval of each worker", func() bool { return s.snapshots(db, run) >= 3 })
	begun := time.Now()
	s.own.Kill(t)
	db.Close() // its sessions are gone
	s.own = snowflaketest.Start(t, again)
	t.Logf("away for %.1fs", time.Since(begun).Seconds())
	o := running.wait(60 * time.Second)
	t.Log(o)
	is.True(measured(o.code))
	s.checkSurvived(t, s.db(), run)

	is.NoErr(s.own.Stop())
	again.Config = map[string]any{"SessionTokenSeconds": 1.5, "MasterTokenSeconds": 4}
	s.own = snowflaketest.Start(t, again)
	idle, err := s.db().Conn(t.Context())
	is.NoErr(err)
	is.NoErr(answers(t, idle))
	o = s.do(disturbed("10s")...)
	t.Log(o)
	is.True(measured(o.code))
	is.True(answers(t, idle) != nil) // what was idle meanwhile has expired for good
	db = s.db()
	is.True(s.checkSurvived(t, db, s.newest(db)).Clean)
}

func answers(t *testing.T, conn *sql.Conn) error {
	t.Helper()
	var n int
	return conn.QueryRowContext(t.Context(), "SELECT 1").Scan(&n)
}
