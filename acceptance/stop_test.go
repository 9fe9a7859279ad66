//go:build unix

package acceptance

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

func TestAcceptanceNaturalEnd(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	o := s.do("run", "short")
	t.Log(o)
	is.Equal(o.code, 0)
	run := s.newest(db)
	c := s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
	is.True(c.Clean)
	is.Equal(c.HighestRung, core.Drain)
	s.checkConserved(t, db, run)
	for _, want := range []string{"POINT_LOOKUP", "RANGE_SCAN", "UPDATE", "INSERT", "p99.9", "verdict", run} {
		is.True(strings.Contains(o.stdout, want)) // the summary says it
	}
	is.True(s.text(db, "SELECT VERDICT FROM TEST_RESULTS WHERE TEST_ID = ?", run) != "INVALID") // a busy machine may degrade it
	is.True(s.number(db, "SELECT COUNT(*) FROM QUERY_EXECUTIONS WHERE RUN_ID = ?", run) > 0)    // sampled executions
	o = s.do("run", "short")                                                                    // it works twice
	is.Equal(o.code, 0)
	is.True(s.newest(db) != run)
}

// TestAcceptanceStopByCommand is the operations checklist of a stop.
func TestAcceptanceStopByCommand(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "1m")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	is.Equal(len(s.workers(run)), 3) // three worker processes make load
	until(t, 5*time.Second, "operations are counted", func() bool {
		return s.number(db, "SELECT TOTAL_OPS FROM RUN_STATUS WHERE RUN_ID = ?", run) > 0
	})
	stop := s.start("stop", run, "--reason", "seen enough")
	var statuses []string
	until(t, 15*time.Second, "CANCELLED", func() bool {
		status := s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run)
		if !slices.Contains(statuses, status) {
			statuses = append(statuses, status)
		}
		return status == "CANCELLED"
	})
	stopped, ended := stop.wait(15*time.Second), running.wait(15*time.Second)
	is.Equal(stopped.code, 0)
	is.Equal(ended.code, 3)
	is.True(slices.Contains(statuses, "CANCELLING")) // first CANCELLING, then CANCELLED
	is.Equal(statuses[len(statuses)-1], "CANCELLED")
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(c.Clean)
	is.True(c.RequestedBy != "")
	is.True(c.Stages.LastNewOperation != nil && c.Stages.WorkersGone != nil)
	is.True(strings.Contains(s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run), "seen enough"))
	s.checkConserved(t, db, run)
	is.True(strings.Contains(ended.stdout, "CANCELLED")) // the partial result is printed
	is.Equal(s.must("stop", run).code, 0)                // a second stop changes nothing
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'STOP'", run), int64(1))
}

// heldUp starts a run of three workers, the last of which is frozen before it is ready.
// Where it was quicker, that is done again.
func (s *site) heldUp(db *sql.DB, args ...string) (running *running, run, held string) {
	s.t.Helper()
	for range 5 {
		running = s.start(args...)
		until(s.t, 20*time.Second, "a worker to hold up", func() bool {
			held = fleet.witness.find(s, "", "worker-2")
			return held != ""
		})
		if err := fleet.witness.freeze(held); err != nil {
			s.t.Fatal(err)
		}
		run = s.newest(db)
		var lives []core.Life
		until(s.t, 20*time.Second, "the others are ready", func() bool {
			lives = s.lives(db, run)
			return len(lives) == 3 && lives[0] == core.Ready && lives[1] == core.Ready
		})
		if lives[2] != core.Ready {
			return running, run, held
		}
		if err := fleet.witness.thaw(held); err != nil {
			s.t.Fatal(err)
		}
		s.must("stop", run)
		running.wait(20 * time.Second)
	}
	s.t.Fatal("worker-2 was always ready before it could be frozen")
	return nil, "", ""
}

// lives are the lives of a run's workers.
func (s *site) lives(db *sql.DB, run string) (lives []core.Life) {
	s.t.Helper()
	var state struct{ Run core.Run }
	if text := s.text(db, "SELECT STATE FROM RUN_STATUS WHERE RUN_ID = ?", run); text != "" {
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			s.t.Fatal(err)
		}
	}
	for i := range state.Run.Workers {
		lives = append(lives, state.Run.Workers[i].Life)
	}
	return lives
}

func TestAcceptanceStopWhileStarting(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running, run, held := s.heldUp(db, "run", "short")
	s.must("stop", run, "--no-wait")
	is.NoErr(fleet.witness.thaw(held))
	o := running.wait(20 * time.Second)
	is.Equal(o.code, 3)
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", run), int64(0)) // it never began
}

// TestAcceptanceWorkerThatCannotOpen: a worker that cannot open its connections, though
// preflight could, ends the run before START, with the target's own words.
func TestAcceptanceWorkerThatCannotOpen(t *testing.T) {
	needs(t, launcherFlag, "local", "the target's file is taken away in between")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	there, away := filepath.Join(s.dir, "target.db"), filepath.Join(s.dir, "away.db")
	for range 5 {
		running, run, held := s.heldUp(db, "run", "short")
		is.NoErr(os.Rename(there, away))
		is.NoErr(fleet.witness.thaw(held))
		o := running.wait(20 * time.Second)
		is.NoErr(os.Rename(away, there))
		if o.code == 0 { // it had opened them before it was frozen
			continue
		}
		t.Log(o)
		is.Equal(o.code, 5)
		s.checkEnded(t, db, run, "FAILED", string(core.WorkerLost))
		is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", run), int64(0))
		detail := s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run)
		is.True(strings.HasPrefix(detail, "worker-2 ended before the stop: the connections to the target could not be opened: connection "))
		is.True(strings.HasSuffix(detail, ": no such file or directory")) // the target's own words, once
		is.Equal(strings.Count(detail, "could not be opened"), 1)
		is.Equal(s.workers(""), nil)
		return
	}
	t.Fatal("worker-2 had always opened its connections before it was frozen")
}

func TestAcceptanceStopWhileWarmingUp(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--warmup", "1m")
	run := s.reaches(db, "RUNNING", "WARMUP")
	s.must("stop", run)
	is.Equal(running.wait(15*time.Second).code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(c.Clean)
}

func TestAcceptanceStopWhileStopping(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "slow")
	run := s.reaches(db, "STOPPING", "")
	s.must("stop", run)
	is.Equal(running.wait(30*time.Second).code, 3)
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'STOP_RAISED'", run), int64(1))
}

func TestAcceptanceInterrupt(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "1m")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	running.signal(syscall.SIGINT)
	o := running.wait(15 * time.Second)
	is.Equal(o.code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(c.Clean)
	is.True(strings.Contains(o.stdout, "CANCELLED"))
}

// TestAcceptanceEndOfSession: a platform's SIGTERM and a terminal that goes away
// stop the run as an interrupt does.
func TestAcceptanceEndOfSession(t *testing.T) {
	s := newSite(t)
	db := s.db()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			is := is.New(t)
			running := s.start("run", "short", "--duration", "1m")
			run := s.reaches(db, "RUNNING", "MEASUREMENT")
			running.signal(signal)
			is.Equal(running.wait(20*time.Second).code, 3)
			c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
			is.True(strings.Contains(c.RequestedBy, signal.String()))
		})
	}
}

func TestAcceptanceSecondInterruptKillsAtOnce(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "slow", "--duration", "1m", "--set", "mix[0].parameters[0].value=2000000000")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	running.signal(syscall.SIGINT)
	s.reaches(db, "CANCELLING", "") // it drains statements that last for minutes
	running.signal(syscall.SIGINT)
	o := running.wait(10 * time.Second)
	is.Equal(o.code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.Equal(c.HighestRung, core.Kill)
	is.True(!c.Clean)
}

func TestAcceptanceWorkerThatIgnoresEverythingIsKilled(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "1m", "--set", "limits.drain_timeout=500ms")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	is.NoErr(fleet.witness.freeze(s.worker(run, "worker-1"))) // it hears nothing, not even SIGTERM
	s.must("stop", run, "--no-wait")
	is.Equal(running.wait(20*time.Second).code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(c.Workers[0].Reported && c.Workers[2].Reported) // the others ended by themselves
	if *launcherFlag == "docker" && c.Workers[1].Rung == core.Terminate {
		is.True(c.Workers[1].Reported) // the daemon thaws what is paused for SIGTERM, and it may be quick then
		return
	}
	is.Equal(c.HighestRung, core.Kill)
	is.Equal(c.Workers[1].Rung, core.Kill)
	is.True(!c.Workers[1].Reported)
	killed := "signal 9"
	if *launcherFlag == "spcs" { // a job is dropped, and its exit code with it
		killed = "killed"
	}
	t.Log(c.Workers[1].Ending)
	is.True(strings.Contains(c.Workers[1].Ending, killed))
	is.True(!c.Clean)
}
