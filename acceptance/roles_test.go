//go:build unix

package acceptance

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// servesAt is how a controller says where it serves.
var servesAt = regexp.MustCompile(`the controller serves (http://[^ ]+/) on`)

// controller starts a controller and returns a client of it.
func (s *site) controller(args ...string) (*running, *client.Client) {
	s.t.Helper()
	r := s.start(append([]string{"controller", "--listen", "127.0.0.1:0"}, args...)...)
	r.says("the controller serves")
	c, err := client.New(servesAt.FindStringSubmatch(r.stderr.String())[1], client.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return r, c
}

// atHand skips what has only been tried with a store on this machine.
func atHand(t *testing.T) {
	t.Helper()
	needs(t, storeFlag, "sqlite", "its limits are those of a store at hand")
}

// pace is the length of a run in which an orchestrator dies, and the leases by which
// that is seen: a store that is far away is looked at once a second.
func (s *site) pace() (seconds int, set []string) {
	if s.schema != "" {
		return 30, []string{"load.duration=30s", "limits.owner_lease=4s", "limits.worker_lease=24s"}
	}
	return 14, []string{"load.duration=14s", "limits.owner_lease=2s", "limits.worker_lease=8s"}
}

// TestAcceptanceRolesOneProcess: the controller alone takes a template, and starts,
// shows, stops and ends runs of it.
func TestAcceptanceRolesOneProcess(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	s := newSite(t)
	db := s.db()
	_, c := s.controller()

	text, err := os.ReadFile(s.templates("sleep.yaml"))
	is.NoErr(err)
	_, err = c.CreateTemplate(ctx, text)
	is.NoErr(err)
	_, err = c.CreateTemplate(ctx, text)
	is.Equal(core.CodeOf(err), core.Conflict)
	list, err := c.Templates(ctx)
	is.NoErr(err)
	is.Equal(len(list.Items), 3)

	whole, err := c.CreateRun(ctx, client.NewRun{Template: "short", Set: []string{"load.duration=1s"}, Start: true}, "")
	is.NoErr(err)
	s.endsAs(c, whole.ID, core.Completed)
	s.checkEnded(t, db, whole.ID, "COMPLETED", "ELAPSED")
	s.checkConserved(t, db, whole.ID)

	stopped, err := c.CreateRun(ctx, client.NewRun{Template: "short", Set: []string{"load.duration=1m"}}, "")
	is.NoErr(err)
	is.Equal(stopped.Status, core.Prepared)
	_, err = c.CheckRun(ctx, stopped.ID) // by the orchestrator, and nothing else
	is.NoErr(err)
	until(t, 20*time.Second, "the checks are made", func() bool {
		stopped, err = c.Run(ctx, stopped.ID)
		is.NoErr(err)
		return stopped.CheckedAt != nil
	})
	is.Equal(stopped.Status, core.Prepared)
	is.Equal(core.Refusal(stopped.Findings), "")
	is.True(stopped.Owner == "" && stopped.Sequence == 0)
	_, err = c.StartRun(ctx, stopped.ID, "")
	is.NoErr(err)
	_, err = c.StartRun(ctx, stopped.ID, "")
	is.Equal(core.CodeOf(err), core.Refused)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	until(t, 20*time.Second, "what a living worker logs is stored", func() bool {
		lines, err := c.Logs(ctx, stopped.ID, "worker-0", "", 100)
		is.NoErr(err)
		return len(lines.Items) > 0
	})
	_, err = c.StopRun(ctx, stopped.ID, client.StopRun{Reason: "seen enough"})
	is.NoErr(err)
	s.endsAs(c, stopped.ID, core.Cancelled)
	s.checkEnded(t, db, stopped.ID, "CANCELLED", "USER_REQUESTED")

	runs, err := c.Runs(ctx, client.RunFilter{})
	is.NoErr(err)
	is.Equal(len(runs.Items), 2)
	is.Equal(runs.Items[0].ID, stopped.ID) // the newest first
}

// TestAcceptanceRolesApart: controller, two orchestrators and the workers are
// processes of their own, and each that is killed is made up for.
func TestAcceptanceRolesApart(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	s := newSite(t)
	db := s.db()
	front, c := s.controller("--no-orchestrator")
	first, second := s.start("orchestrator"), s.start("orchestrator")
	first.says("the orchestrator drives")
	second.says("the orchestrator drives")

	seconds, set := s.pace()
	run, err := c.CreateRun(ctx, client.NewRun{Template: "short", Start: true, Set: append(set, "limits.on_loss=degrade")}, "")
	is.NoErr(err)
	s.reaches(db, "RUNNING", "MEASUREMENT")

	front.signal(syscall.SIGKILL) // nobody needs it for the run to go on
	front.wait(5 * time.Second)
	_, c = s.controller("--no-orchestrator")
	seen, err := c.Run(ctx, run.ID)
	is.NoErr(err)
	is.Equal(seen.Status, core.Running)

	owner, other := first, second
	if seen.Owner != "" && strings.Contains(seen.Owner, fmt.Sprintf("/%d/", second.cmd.Process.Pid)) {
		owner, other = second, first
	}
	is.True(strings.Contains(seen.Owner, fmt.Sprintf("/%d/", owner.cmd.Process.Pid)))
	workers := s.workers(run.ID)
	is.Equal(len(workers), 3)
	owner.signal(syscall.SIGKILL)
	owner.wait(5 * time.Second)
	until(t, 10*time.Second, "the other orchestrator has taken over", func() bool {
		seen, err = c.Run(ctx, run.ID)
		is.NoErr(err)
		return strings.Contains(seen.Owner, fmt.Sprintf("/%d/", other.cmd.Process.Pid))
	})
	is.Equal(seen.Status, core.Running)
	is.Equal(seen.OwnerEpoch, 2)
	is.Equal(s.workers(run.ID), workers) // the same ones
	takenAt := seen.Now.Sub(*seen.LoadFrom).Seconds()

	until(t, 10*time.Second, "measured by the new owner", func() bool {
		newest, err := c.Snapshots(ctx, run.ID, "", takenAt)
		is.NoErr(err)
		return len(newest.Items) > 1
	})
	is.NoErr(fleet.witness.kill(s.worker(run.ID, "worker-1")))
	s.endsAs(c, run.ID, core.Completed)
	s.checkEnded(t, db, run.ID, "COMPLETED", "ELAPSED")
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'OWNER_CHANGED'", run.ID), int64(1))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'WORKER_LOST'", run.ID), int64(1))
	s.withoutGap(c, run.ID, seconds)
}

// TestAcceptanceRolesByCommand: the command does through a controller what it does
// by itself, and ends with the same exit codes.
func TestAcceptanceRolesByCommand(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	tokens := filepath.Join(s.dir, "tokens")
	token := strings.TrimSpace(s.must("token", "ada", "--token-file", tokens).stdout)
	front := s.start("controller", "--listen", "127.0.0.1:0", "--token-file", tokens, "--prefix", "/bench")
	front.says("the controller serves")
	at := strings.TrimSuffix(servesAt.FindStringSubmatch(front.stderr.String())[1], "/")
	is.Equal(s.do("runs", "--controller", at).code, 2) // without a token
	// Where workers run is the controller's to say: it alone knows the path of a plugin.
	s.with("BENCHFLEET_CONTROLLER="+at, "BENCHFLEET_CONTROLLER_TOKEN="+token, "BENCHFLEET_LAUNCHER=")

	o := s.must("run", "short", "--duration", "1s", "--workers", "3", "--output", "json")
	var result struct {
		RunID  string `json:"run_id"`
		Status string
	}
	is.NoErr(json.Unmarshal([]byte(o.stdout), &result))
	is.Equal(result.Status, "COMPLETED")
	is.True(strings.Contains(o.stderr, "MEASUREMENT"))
	s.checkEnded(t, db, result.RunID, "COMPLETED", "ELAPSED")
	is.True(strings.Contains(s.must("result", result.RunID).stdout, "COMPLETED"))
	is.True(strings.HasPrefix(s.must("result", result.RunID, "--output", "html").stdout, "<!DOCTYPE html>"))

	id := strings.TrimSpace(s.must("run", "short", "--duration", "1m", "--detach").stdout)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	watch := s.start("watch", id)
	watch.says("op/s")
	is.True(strings.Contains(s.must("stop", id, "--reason", "seen enough").stdout, "CANCELLED"))
	is.Equal(watch.wait(20*time.Second).code, 3) // as run would have
	s.checkEnded(t, db, id, "CANCELLED", "USER_REQUESTED")
	is.True(strings.Contains(s.must("runs").stdout, id))

	stopped := s.start("run", "short", "--duration", "1m")
	stopped.says("MEASUREMENT")
	stopped.signal(syscall.SIGINT)
	is.Equal(stopped.wait(20*time.Second).code, 3)
	s.checkEnded(t, db, s.newest(db), "CANCELLED", "USER_REQUESTED")

	refused := s.do("run", "short", "--set", "table.name=NOT_THERE")
	is.Equal(refused.code, 4)
	is.True(strings.Contains(refused.stderr, "NOT_THERE"))
	is.Equal(s.do("run", "nothing").code, 2)
	is.Equal(s.do("result", "nothing").code, 2)
	is.Equal(s.do("run", "short", "--workers", "0").code, 2)
	is.True(!strings.Contains(front.stderr.String(), token))
}

// withoutGap checks that an interval follows upon the other, for so many seconds at
// least.
func (s *site) withoutGap(c *client.Client, id string, seconds int) {
	s.t.Helper()
	list, err := c.Snapshots(s.t.Context(), id, "", -1)
	if err != nil {
		s.t.Fatal(err)
	}
	ends := map[float64]bool{}
	last := 0.0
	for _, i := range list.Items {
		ends[math.Round(i.Elapsed)] = true
		last = max(last, math.Round(i.Elapsed))
	}
	for second := 1.0; second <= last; second++ {
		if !ends[second] {
			s.t.Errorf("no interval ends at second %g of %g", second, last)
		}
	}
	if last < float64(seconds) {
		s.t.Errorf("the last interval ends at second %g", last)
	}
}

// TestAcceptanceRolesArbitrate: two orchestrators that look for runs at the same
// time drive each of them once. Four runs at once take all of a small machine, so it
// also shows that a load does not go on because its orchestrator gets no processor.
func TestAcceptanceRolesArbitrate(t *testing.T) {
	atHand(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	_, c := s.controller("--no-orchestrator")
	for range 2 {
		s.start("orchestrator").says("the orchestrator drives")
	}
	var ids []string
	for i := range 4 {
		run, err := c.CreateRun(t.Context(), client.NewRun{Template: "short", Set: []string{"load.duration=1s"}, Start: true}, fmt.Sprint("arbitrate ", i))
		is.NoErr(err)
		again, err := c.CreateRun(t.Context(), client.NewRun{Template: "short", Set: []string{"load.duration=1s"}, Start: true}, fmt.Sprint("arbitrate ", i))
		is.NoErr(err)
		is.Equal(again.ID, run.ID) // one run for one key
		ids = append(ids, run.ID)
	}
	for _, id := range ids {
		run := s.endsAs(c, id, core.Completed)
		is.Equal(run.OwnerEpoch, 1)
		s.checkEnded(t, db, id, "COMPLETED", "ELAPSED")
	}
	is.Equal(len(s.runs()), 4)
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE EVENT_TYPE = 'OWNER_CHANGED'"), int64(0))
}

// TestAcceptanceRolesRefused: what an orchestrator cannot open is said by the run.
func TestAcceptanceRolesRefused(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	_, c := s.controller()
	run, err := c.CreateRun(t.Context(), client.NewRun{Template: "short", Start: true, Set: []string{"target.endpoint=nowhere"}}, "")
	is.NoErr(err)
	refused := s.endsAs(c, run.ID, core.Failed)
	is.Equal(refused.Reason, core.PreflightRefused)
	is.True(strings.Contains(refused.Detail, "BENCHFLEET_ENDPOINT_NOWHERE"))
	is.True(len(refused.Findings) > 0)
}

// endsAs waits until the controller says that a run has ended.
func (s *site) endsAs(c *client.Client, id string, status core.Status) client.Run {
	s.t.Helper()
	var run client.Run
	until(s.t, time.Minute, "run "+id+" ends", func() bool {
		var err error
		if run, err = c.Run(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		return run.Status.Terminal()
	})
	if run.Status != status {
		s.t.Fatalf("run %s is %s (%s: %s), and not %s\n%s", id, run.Status, run.Reason, run.Detail, status, s.do("logs", id).stdout)
	}
	return run
}
