//go:build unix

package acceptance

import (
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

func TestAcceptanceStopWhileStarting(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short")
	var held []string
	until(t, 10*time.Second, "a worker process to hold up", func() bool {
		held = s.workers("")
		return len(held) > 0
	})
	is.NoErr(fleet.witness.freeze(held[0])) // it cannot become ready
	run := s.reaches(db, "STARTING", "")
	s.must("stop", run, "--no-wait")
	is.NoErr(fleet.witness.thaw(held[0]))
	o := running.wait(20 * time.Second)
	is.Equal(o.code, 3)
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", run), int64(0)) // it never began
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
