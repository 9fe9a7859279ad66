package controller_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// TestTemplates: the life of a template, by the client.
func TestTemplates(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	s := newSite(t, controller.ServerOptions{Prefix: "/bench"})
	c := s.client

	v, err := c.ValidateTemplate(ctx, []byte(strings.Replace(short, "workers: 2", "wrokers: 2", 1)))
	is.NoErr(err)
	is.True(!v.Valid)
	is.Equal(v.Problems[0].Line, 4)
	is.True(strings.Contains(v.Problems[0].Message, "load.workers"))
	_, err = c.CreateTemplate(ctx, []byte("name: 'x"))
	is.Equal(core.CodeOf(err), core.Invalid)
	_, err = c.Template(ctx, "short")
	is.Equal(core.CodeOf(err), core.NotFound)

	made, err := c.CreateTemplate(ctx, []byte(short))
	is.NoErr(err)
	is.Equal(made.Version, 1)
	_, err = c.CreateTemplate(ctx, []byte(short))
	is.Equal(core.CodeOf(err), core.Conflict)
	changed := []byte(strings.Replace(short, "10s", "11s", 1))
	_, err = c.PutTemplate(ctx, "other", changed, 0)
	is.Equal(core.CodeOf(err), core.Invalid) // another name
	_, err = c.PutTemplate(ctx, "short", changed, 7)
	is.Equal(core.CodeOf(err), core.Conflict) // another version
	put, err := c.PutTemplate(ctx, "short", changed, 1)
	is.NoErr(err)
	is.Equal(put.Version, 2)

	is.NoErr(s.store.Templates().Used(ctx, put.ID))
	_, err = c.PutTemplate(ctx, "short", []byte(short), 0)
	is.Equal(core.CodeOf(err), core.Refused) // locked
	_, err = c.PutTemplate(ctx, "short", changed, 0)
	is.NoErr(err) // that changes nothing
	copied, err := c.CopyTemplate(ctx, put.ID, "mine")
	is.NoErr(err)
	is.True(!copied.Locked)
	is.Equal(copied.Config.Load.Duration, core.Duration(11*time.Second))
	_, err = c.CopyTemplate(ctx, "short", "mine")
	is.Equal(core.CodeOf(err), core.Conflict)
	_, err = c.CopyTemplate(ctx, "short", "../x")
	is.Equal(core.CodeOf(err), core.Invalid)
	text, err := c.TemplateText(ctx, "mine")
	is.NoErr(err)
	is.True(strings.HasPrefix(string(text), "name: mine\n"))

	list, err := c.Templates(ctx)
	is.NoErr(err)
	is.Equal(len(list.Items), 2)
	is.NoErr(c.DeleteTemplate(ctx, "mine"))
	is.Equal(core.CodeOf(c.DeleteTemplate(ctx, "mine")), core.NotFound)

	built := s.ask(http.MethodGet, "/api/v1/library/oltp", "")
	is.Equal(built.header.Get("Content-Type"), "application/yaml")
	is.True(strings.Contains(built.body, "#")) // with its comments
}

// TestRuns: the life of a run, by the client, and what it may not do.
func TestRuns(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	s := newSite(t, controller.ServerOptions{})
	c := s.client
	_, err := c.CreateRun(ctx, client.NewRun{Template: "short"}, "")
	is.Equal(core.CodeOf(err), core.NotFound)
	run := s.run()
	is.Equal(run.Status, core.Prepared)

	for _, n := range []client.NewRun{
		{Template: "short", Launcher: "podman"}, {Template: "short", Set: []string{"load.wrokers=1"}},
		{Template: "short", Set: []string{"load.workers=0"}}, {Template: "short", Set: []string{"x"}}, {Template: ""},
	} {
		_, err := c.CreateRun(ctx, n, "")
		is.Equal(core.CodeOf(err), core.Invalid)
	}
	found, err := c.Preflight(ctx, client.NewRun{Template: "short", Set: []string{"load.workers=0"}})
	is.NoErr(err)
	is.True(strings.Contains(core.Refusal(found.Items), "load.workers"))
	found, err = c.Preflight(ctx, client.NewRun{Template: "short"})
	is.NoErr(err)
	is.Equal(core.Refusal(found.Items), "")
	docker, err := c.CreateRun(ctx, client.NewRun{Template: "short", Launcher: "docker"}, "")
	is.NoErr(err)
	record, err := s.store.Store.Load(ctx, docker.ID)
	is.NoErr(err)
	is.Equal(record.Home, ports.Home{Gateway: ":4000"})
	record, err = s.store.Store.Load(ctx, run.ID)
	is.NoErr(err)
	is.Equal(record.Home, ports.Home{Host: "here"})

	started, err := c.StartRun(ctx, run.ID, "")
	is.NoErr(err)
	is.True(started.StartedAt != nil)
	_, err = c.StartRun(ctx, run.ID, "")
	is.Equal(core.CodeOf(err), core.Refused)
	_, err = c.StartRun(ctx, run.ID, "key")
	is.NoErr(err) // it may be the same call again
	is.Equal(core.CodeOf(c.DeleteRun(ctx, run.ID)), core.Refused)

	stopped, err := c.StopRun(ctx, run.ID, client.StopRun{Reason: "wrong table"})
	is.NoErr(err)
	is.Equal(stopped.Status, core.Cancelled) // nothing was launched
	is.Equal(stopped.Detail, "wrong table")
	is.Equal(stopped.StopBy, "local")
	again, err := c.StopRun(ctx, run.ID, client.StopRun{})
	is.NoErr(err) // of one that has ended: nothing changes
	is.Equal(again.Version, stopped.Version)
	_, err = c.StartRun(ctx, run.ID, "")
	is.Equal(core.CodeOf(err), core.Refused)
	is.NoErr(c.DeleteRun(ctx, run.ID))
	_, err = c.Run(ctx, run.ID)
	is.Equal(core.CodeOf(err), core.NotFound)
}

// TestIdempotency: a call that is made again with its key makes nothing new, even
// when both are made at once, and a key is for one call.
func TestIdempotency(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	s.run()
	ask := client.NewRun{Template: "short", Set: []string{"load.workers=3"}, Start: true}
	ids := make(chan string, 8)
	for range cap(ids) {
		go func() {
			run, err := s.client.CreateRun(t.Context(), ask, "once")
			if err != nil {
				t.Error(err)
			}
			ids <- run.ID
		}()
	}
	first := <-ids
	for range cap(ids) - 1 {
		is.Equal(<-ids, first)
	}
	list, err := s.client.Runs(t.Context(), client.RunFilter{})
	is.NoErr(err)
	is.Equal(len(list.Items), 2)
	ask.Set = []string{"load.workers=4"}
	_, err = s.client.CreateRun(t.Context(), ask, "once")
	is.Equal(core.CodeOf(err), core.Invalid)
	other, err := s.client.CreateRun(t.Context(), ask, "twice")
	is.NoErr(err)
	is.True(other.ID != first)
	theirs, err := s.service.CreateRun(t.Context(), ask, "somebody else", "twice")
	is.NoErr(err)
	is.True(theirs.ID != other.ID) // keys are each caller's own
	timed, err := s.client.CreateRun(t.Context(), ask, "20261128-211046-3f9a1c")
	is.NoErr(err)
	is.True(strings.HasPrefix(timed.ID, "20261128-211046-")) // as other ids of runs
	again, err := s.client.CreateRun(t.Context(), ask, "20261128-211046-3f9a1c")
	is.NoErr(err)
	is.Equal(again.ID, timed.ID)
}

// A connection that a browser has opened in advance and not used holds nothing up.
func TestShutdownWithSilentConnections(t *testing.T) {
	is := is.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	var log lockedBuffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- controller.Serve(ctx, listener, http.NotFoundHandler(), slog.New(slog.NewTextHandler(&log, nil)))
	}()
	idle, err := net.Dial("tcp", listener.Addr().String())
	is.NoErr(err)
	defer idle.Close()
	response, err := http.Get("http://" + listener.Addr().String()) // accepted after the other
	is.NoErr(err)
	response.Body.Close()
	stop()
	is.NoErr(<-ended)
	is.Equal(log.String(), "") // nothing was cut off
}

// TestListRuns: filters and pages.
func TestListRuns(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	var ids []string
	for range 5 {
		ids = append(ids, s.run().ID)
	}
	_, err := s.client.StopRun(t.Context(), ids[1], client.StopRun{})
	is.NoErr(err)
	var pages []string
	for before := ""; ; {
		page, err := s.client.Runs(t.Context(), client.RunFilter{Limit: 2, Before: before})
		is.NoErr(err)
		for _, r := range page.Items {
			pages = append(pages, r.ID)
		}
		if before = page.Next; before == "" {
			break
		}
	}
	slices.Reverse(pages)
	is.Equal(pages, ids)
	ended, err := s.client.Runs(t.Context(), client.RunFilter{Status: []core.Status{core.Cancelled, core.Failed}})
	is.NoErr(err)
	is.Equal(len(ended.Items), 1)
	found, err := s.client.Runs(t.Context(), client.RunFilter{Search: "RUN-3"})
	is.NoErr(err)
	is.Equal(len(found.Items), 1)
	is.Equal(found.Items[0].ID, ids[2])
}

// TestMeasured: everything that a run leaves can be read.
func TestMeasured(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	s := newSite(t, controller.ServerOptions{})
	c := s.client
	run := s.begin(s.run().ID)
	s.interval(run, 1)
	s.interval(run, 2)
	s.must(s.store.AppendExecutions(ctx, []core.Execution{
		{ID: "e-1", RunID: run.ID, WorkerID: "worker-0", Kind: core.PointLookup, Start: time.Now(), Success: true},
		{ID: "e-2", RunID: run.ID, WorkerID: "worker-0", Kind: core.PointLookup, Start: time.Now().Add(time.Second), Error: "boom"},
	}))
	s.must(s.store.Logs().Append(ctx, []ports.LogLine{
		{RunID: run.ID, Sequence: 1, Time: time.Now(), Level: "INFO", Message: "one"},
		{RunID: run.ID, WorkerID: "worker-1", Sequence: 1, Time: time.Now().Add(time.Second), Level: "WARN", Message: "two"},
	}))

	workers, err := c.Workers(ctx, run.ID)
	is.NoErr(err)
	is.Equal(len(workers.Items), 2)
	is.Equal(workers.Items[0].Life, "READY")
	events, err := c.Events(ctx, run.ID, 1)
	is.NoErr(err)
	is.Equal(len(events.Items), int(run.Sequence)-1)
	snapshots, err := c.Snapshots(ctx, run.ID, "", 1)
	is.NoErr(err)
	is.Equal(len(snapshots.Items), 1)
	is.Equal(len(snapshots.Items[0].Kinds), 4)
	_, err = c.Snapshots(ctx, run.ID, "worker-9", 0)
	is.Equal(core.CodeOf(err), core.NotFound)
	executions, err := c.Executions(ctx, run.ID, "", 1)
	is.NoErr(err)
	is.Equal(executions.Next, "e-1")
	executions, err = c.Executions(ctx, run.ID, executions.Next, 1)
	is.NoErr(err)
	is.Equal(executions.Items[0].Error, "boom")
	logs, err := c.Logs(ctx, run.ID, "", "", 1)
	is.NoErr(err)
	is.Equal(logs.Items[0].Message, "one")
	logs, err = c.Logs(ctx, run.ID, "", logs.Next, 1)
	is.NoErr(err)
	is.Equal(logs.Items[0].Message, "two")
	scenario, err := c.Scenario(ctx, run.ID)
	is.NoErr(err)
	is.Equal(scenario.Load.Workers, 2)

	_, err = c.Certificate(ctx, run.ID)
	is.Equal(core.CodeOf(err), core.NotFound) // no stop was requested
	_, err = c.Rollup(ctx, run.ID)
	is.Equal(core.CodeOf(err), core.NotFound)
	_, err = c.StopRun(ctx, run.ID, client.StopRun{Kill: true})
	is.NoErr(err)
	certificate, err := c.Certificate(ctx, run.ID)
	is.NoErr(err)
	is.Equal(certificate.HighestRung, core.Kill)
	for _, format := range []string{"json", "text", "html", "csv", "md"} {
		document, err := c.Result(ctx, run.ID, format)
		is.NoErr(err)
		is.True(strings.Contains(string(document), run.ID))
	}
	html := s.ask(http.MethodGet, "/api/v1/runs/"+run.ID+"/result?format=html", "")
	is.Equal(html.header.Get("Content-Disposition"), `attachment; filename="result-run-1.html"`)
	_, err = c.Compare(ctx, []string{run.ID, run.ID}, "json")
	is.True(core.CodeOf(err) != "") // none of them has a result
	body := s.ask(http.MethodGet, "/api/v1/runs/"+run.ID, "").body
	is.True(!strings.Contains(body, "handle")) // which is its orchestrator's alone
}

// TestCheckRun: checks are asked for, made by whoever has the launcher, and leave the
// run as it was.
func TestCheckRun(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	id := s.run().ID
	run, err := s.client.CheckRun(t.Context(), id)
	is.NoErr(err)
	is.Equal(run.Status, core.Prepared)
	is.True(run.CheckAt != nil && run.CheckedAt == nil)
	_, err = s.client.CheckRun(t.Context(), id) // again is no error
	is.NoErr(err)
	found := []core.Finding{{ID: "target.table", Severity: core.SeverityError, Message: "no table", Mend: "prepare it"}}
	s.fold(id, func(now time.Time) []core.Event {
		return []core.Event{core.OwnerClaimed{At: now, Owner: "here/1/a", Until: now.Add(time.Minute)}, core.PreflightFinished{At: now, Findings: found}}
	})
	run, err = s.client.Run(t.Context(), id)
	is.NoErr(err)
	is.Equal(run.Status, core.Prepared) // refused, and yet there
	is.Equal(run.Findings, found)
	is.True(run.CheckAt == nil && run.CheckedAt != nil && !run.OwnerAlive)
	_, err = s.client.StartRun(t.Context(), id, "")
	is.NoErr(err)
	_, err = s.client.CheckRun(t.Context(), id)
	is.Equal(core.CodeOf(err), core.Refused) // the start makes them
	_, err = s.client.CheckRun(t.Context(), "none")
	is.Equal(core.CodeOf(err), core.NotFound)
}

// TestOpenAPI: the document describes every operation, and each has a problem as its
// error.
func TestOpenAPI(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{Prefix: "/bench"})
	got := s.ask(http.MethodGet, "/api/openapi.json", "")
	is.Equal(got.status, http.StatusOK)
	var d struct {
		OpenAPI string
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	is.NoErr(json.Unmarshal([]byte(got.body), &d))
	is.True(strings.HasPrefix(d.OpenAPI, "3.1"))
	is.Equal(d.Servers[0].URL, "/bench/api/v1")
	var operations []string
	for path, methods := range d.Paths {
		for method, o := range methods {
			operations = append(operations, o.OperationID)
			if _, ok := o.Responses["default"].Content["application/problem+json"]; !ok {
				t.Errorf("%s %s does not say that it may answer a problem", method, path)
			}
		}
	}
	slices.Sort(operations)
	is.Equal(strings.Join(operations, " "), "check-run compare-runs copy-template create-run create-template delete-run delete-template "+
		"get-built-in get-caller get-certificate get-health get-result get-rollup get-run get-scenario get-status get-template get-template-text get-version "+
		"list-built-in list-events list-executions list-logs list-runs list-snapshots list-steps list-templates list-workers "+
		"preflight-run put-template start-run stop-run validate-template watch-run")
	is.True(d.Components.Schemas["ErrorModel"] == nil)
	is.True(d.Components.Schemas["Problem"] != nil)
}

// TestAbout: what the controller says of itself.
func TestAbout(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	v, err := s.client.Version(t.Context())
	is.NoErr(err)
	is.Equal(v, client.Version{Version: "build-1", GoVersion: "go1", Store: "memory", Launchers: []string{"local", "docker"}})
	h, err := s.client.Health(t.Context())
	is.NoErr(err)
	is.True(h.Live && h.Ready)
	is.NoErr(s.store.Store.Close())
	until(t, "it is not ready without its store", func() bool {
		return s.ask(http.MethodGet, "/health", "").status == http.StatusServiceUnavailable
	})
}
