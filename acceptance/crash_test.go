//go:build unix

package acceptance

import (
	"database/sql"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/matryer/is"
)

// shortLeases makes the leases of a run short enough to be waited for. Where
// nobody waits for one, the defaults let a busy machine take its time.
func shortLeases(args ...string) []string {
	return append(args, "--set", "limits.owner_lease=2s", "--set", "limits.worker_lease=6s")
}

func TestAcceptanceWorkerKilled(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "1m")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	is.NoErr(fleet.witness.kill(s.worker(run, "worker-1")))
	o := running.wait(20 * time.Second)
	is.Equal(o.code, 5)
	c := s.checkEnded(t, db, run, "FAILED", "WORKER_LOST")
	is.True(strings.Contains(s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run), "worker-1"))
	is.True(c.Workers[1].BeforeStop)
	is.True(!c.Clean)
}

func TestAcceptanceOrchestratorKilledAndLeftAlone(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start(shortLeases("run", "short", "--duration", "1m")...)
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	if *launcherFlag == "docker" { // without an owner, containers have nobody to report to
		until(t, 10*time.Second, "some intervals are stored", func() bool {
			return s.number(db, "SELECT COUNT(*) FROM METRICS_SNAPSHOTS WHERE RUN_ID = ? AND PHASE = 'MEASUREMENT'", run) > 2
		})
	}
	running.signal(syscall.SIGKILL)
	running.wait(5 * time.Second)
	is.True(len(s.workers(run)) > 0) // the workers outlive it, for a while
	until(t, 30*time.Second, "the workers end by their lease", func() bool { return len(s.workers(run)) == 0 })
	is.Equal(s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run), "RUNNING") // nobody has closed it yet
	is.True(strings.Contains(s.collected("gc"), run))
	s.checkEnded(t, db, run, "FAILED", "WORKER_LOST")
	if *launcherFlag == "docker" {
		// What was in flight at the last beat was started, never reported, and is lost: it
		// is in the result, and in no interval.
		lost := s.number(db, "SELECT COALESCE(SUM(json_extract(value, '$.lost')), 0) FROM TEST_RESULTS, json_each(KINDS) WHERE TEST_ID = ?", run)
		result := s.number(db, "SELECT TOTAL_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run) - lost
		is.True(result > 0 && lost <= s.number(db, "SELECT CONCURRENT_CONNECTIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run))
		if series := s.number(db, "SELECT SUM(TOTAL_QUERIES) FROM METRICS_SNAPSHOTS WHERE RUN_ID = ? AND PHASE = 'MEASUREMENT'", run); result > series {
			t.Errorf("the result counts %d operations, the time series %d; per worker %s; beats %s", result, series,
				s.text(db, `SELECT group_concat(WORKER_ID || ' ' || SEQUENCE || ' ' || PHASE || ' ' || ELAPSED_SECONDS || ': ' || TOTAL_QUERIES || iif(COARSE, ' coarse', ''), '; ')
					FROM WORKER_METRICS_SNAPSHOTS WHERE RUN_ID = ?`, run),
				s.text(db, `SELECT group_concat(WORKER_ID || ' beat ' || HEARTBEAT_COUNT || ' ' || STATUS || ' acknowledged ' || ACKED_SEQUENCE || ': ' || QUERIES_PROCESSED, '; ')
					FROM WORKER_HEARTBEATS WHERE RUN_ID = ?`, run))
		}
		is.True(s.balanced(db, run))
	} else {
		s.checkConserved(t, db, run) // the workers reported before they ended
	}
	is.Equal(s.collected("gc"), "")
}

func TestAcceptanceOrchestratorKilledAndTakenOver(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "6s", "--set", "limits.owner_lease=2s")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	running.signal(syscall.SIGKILL)
	running.wait(5 * time.Second)
	successor := s.start("orchestrator", "--run", run)
	o := successor.wait(30 * time.Second)
	t.Log(o)
	is.Equal(o.code, 0)
	c := s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
	is.True(c.Clean)
	s.checkConserved(t, db, run)
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'OWNER_CHANGED'", run), int64(1))
}

func TestAcceptanceOrchestratorKilledWhileStopping(t *testing.T) {
	s := newSite(t)
	db := s.db()
	running := s.start(shortLeases("run", "slow")...)
	run := s.reaches(db, "STOPPING", "")
	running.signal(syscall.SIGKILL)
	running.wait(5 * time.Second)
	s.must("stop", run) // drives the run to its end itself
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
}

// TestAcceptanceStoreUnwritable keeps the store from being written for longer than
// an owner lease, as a full disk, a stuck backup or a network that is away would.
func TestAcceptanceStoreUnwritable(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start(shortLeases("run", "short", "--duration", "1m")...)
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	restore := s.holdStore()
	until(t, 20*time.Second, "the workers are ended from memory", func() bool { return len(s.workers(run)) == 0 })
	restore()
	o := running.wait(30 * time.Second)
	is.Equal(o.code, 5)
	is.True(strings.Contains(o.stderr, "the store could not be written"))
	is.Equal(s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run), "FAILED") // stored once it could be
	is.Equal(s.text(db, "SELECT REASON FROM RUN_STATUS WHERE RUN_ID = ?", run), "GUARDRAIL")
}

// holdStore keeps everybody from writing to the store until it is called.
func (s *site) holdStore() (restore func()) {
	s.t.Helper()
	if s.schema != "" {
		cloud.Server(s.t).Break(s.t, snowflaketest.Fault{Kind: snowflaketest.Status, Status: 503, Match: "(INSERT|UPDATE|MERGE|DELETE)(?s:.*)" + s.schema})
		return func() { cloud.Server(s.t).Mend(s.t) }
	}
	locker, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "store.db")+"?_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { locker.Close() })
	lock, err := locker.Begin()
	if err == nil {
		_, err = lock.Exec("UPDATE RUN_STATUS SET TEST_NAME = TEST_NAME")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := lock.Rollback(); err != nil {
			s.t.Error(err)
		}
	}
}
