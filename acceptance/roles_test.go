//go:build unix

package acceptance

import (
	"os"
	"regexp"
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
	_, err = c.StartRun(ctx, stopped.ID, "")
	is.NoErr(err)
	_, err = c.StartRun(ctx, stopped.ID, "")
	is.Equal(core.CodeOf(err), core.Refused)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	_, err = c.StopRun(ctx, stopped.ID, client.StopRun{Reason: "seen enough"})
	is.NoErr(err)
	s.endsAs(c, stopped.ID, core.Cancelled)
	s.checkEnded(t, db, stopped.ID, "CANCELLED", "USER_REQUESTED")

	runs, err := c.Runs(ctx, client.RunFilter{})
	is.NoErr(err)
	is.Equal(len(runs.Items), 2)
	is.Equal(runs.Items[0].ID, stopped.ID) // the newest first
}

// endsAs waits until the controller says that a run has ended.
func (s *site) endsAs(c *client.Client, id string, status core.Status) client.Run {
	s.t.Helper()
	var run client.Run
	until(s.t, 30*time.Second, "run "+id+" ends", func() bool {
		var err error
		if run, err = c.Run(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		return run.Status.Terminal()
	})
	if run.Status != status {
		s.t.Fatalf("run %s is %s (%s: %s), and not %s", id, run.Status, run.Reason, run.Detail, status)
	}
	return run
}
