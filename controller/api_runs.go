package controller

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The inputs of operations on runs.
type (
	ofRun struct {
		Run string `path:"run" maxLength:"200" doc:"Id of the run"`
	}
	listRuns struct {
		Status   []core.Status `query:"status" enum:"PREPARED,STARTING,RUNNING,STOPPING,CANCELLING,COMPLETED,CANCELLED,FAILED" doc:"Only these; separated by commas"`
		Search   string        `query:"search" maxLength:"200" doc:"Only those with this in id or name, in whatever case"`
		Launcher string        `query:"launcher" maxLength:"100" doc:"Only those of this launcher"`
		Template string        `query:"template" maxLength:"200" doc:"Only those of the template with this id"`
		Limit    int           `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		Before   string        `query:"before" maxLength:"200" doc:"Id of the last run of the page before"`
	}
	createRun struct {
		Key  string `header:"Idempotency-Key" maxLength:"200" doc:"Calling again with the same key makes no second run"`
		Body client.NewRun
	}
	startRun struct {
		Run string `path:"run" maxLength:"200"`
		Key string `header:"Idempotency-Key" maxLength:"200" doc:"With a key, that the run was started already is no error"`
	}
	stopRun struct {
		Run  string `path:"run" maxLength:"200"`
		Body client.StopRun
	}
)

func (a *api) runs() {
	tags := []string{"runs"}
	operation(a, huma.Operation{OperationID: "list-runs", Method: http.MethodGet, Path: "/runs", Tags: tags, Summary: "List runs, newest first"}, a.listRuns)
	operation(a, huma.Operation{OperationID: "create-run", Method: http.MethodPost, Path: "/runs", Tags: tags, Summary: "Prepare a run", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *createRun) (*answer[client.Run], error) {
			return answered(a.CreateRun(ctx, in.Body, CallerOf(ctx).Name, in.Key))
		})
	operation(a, huma.Operation{OperationID: "preflight-run", Method: http.MethodPost, Path: "/preflight", Tags: tags, Summary: "Make the checks that need no target and no launcher, and store nothing",
		Description: "The other checks are those of check-run; they are made as well when a run is started, before anything is launched."},
		func(ctx context.Context, in *createRun) (*answer[client.List[core.Finding]], error) {
			list, err := a.Preflight(ctx, in.Body)
			return answered(client.List[core.Finding]{Items: list}, err)
		})
	operation(a, huma.Operation{OperationID: "get-run", Method: http.MethodGet, Path: "/runs/{run}", Tags: tags, Summary: "Read where a run stands"},
		func(ctx context.Context, in *ofRun) (*answer[client.Run], error) { return answered(a.Run(ctx, in.Run)) })
	operation(a, huma.Operation{OperationID: "start-run", Method: http.MethodPost, Path: "/runs/{run}/start", Tags: tags, Summary: "Start a prepared run", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *startRun) (*answer[client.Run], error) {
			return answered(a.StartRun(ctx, in.Run, CallerOf(ctx).Name, in.Key))
		})
	operation(a, huma.Operation{OperationID: "check-run", Method: http.MethodPost, Path: "/runs/{run}/preflight", Tags: tags, Summary: "Make the checks of a prepared run that need its target and its launcher, and nothing else", DefaultStatus: http.StatusAccepted,
		Description: "An orchestrator that has the run's launcher makes them; until then check_at is set. What it finds is in findings, and checked_at says when. The run stays PREPARED, whatever is found."},
		func(ctx context.Context, in *ofRun) (*answer[client.Run], error) {
			return answered(a.CheckRun(ctx, in.Run, CallerOf(ctx).Name))
		})
	operation(a, huma.Operation{OperationID: "stop-run", Method: http.MethodPost, Path: "/runs/{run}/stop", Tags: tags, Summary: "Stop a run, and do not wait for its end", DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *stopRun) (*answer[client.Run], error) {
			return answered(a.StopRun(ctx, in.Run, in.Body, CallerOf(ctx).Name))
		})
	operation(a, huma.Operation{OperationID: "delete-run", Method: http.MethodDelete, Path: "/runs/{run}", Tags: tags, Summary: "Remove a run that has ended", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, in *ofRun) (*struct{}, error) {
			return nil, a.DeleteRun(ctx, in.Run, CallerOf(ctx).Name)
		})
}

func (a *api) listRuns(ctx context.Context, in *listRuns) (*answer[client.List[client.RunSummary]], error) {
	list, err := a.Runs(ctx, ports.RunFilter{
		Status: in.Status, Search: in.Search, Launcher: in.Launcher, Template: in.Template, Limit: in.Limit, Before: in.Before,
	})
	page := client.List[client.RunSummary]{Items: list}
	if len(list) == in.Limit {
		page.Next = list[len(list)-1].ID
	}
	return answered(page, err)
}
