package controller

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// The inputs of operations that read what a run has left.
type (
	ofEvents struct {
		Run   string `path:"run" maxLength:"200"`
		After int64  `query:"after" minimum:"0" doc:"Sequence of the last event of the page before"`
	}
	ofSnapshots struct {
		Run    string  `path:"run" maxLength:"200"`
		After  float64 `query:"after" minimum:"-1" doc:"Only those that end later than this, in seconds since the load began"`
		Worker string  `query:"worker" maxLength:"100" doc:"Of this worker only; absent: of all together"`
	}
	ofExecutions struct {
		Run   string `path:"run" maxLength:"200"`
		After string `query:"after" maxLength:"200" doc:"Id of the last operation of the page before"`
		Limit int    `query:"limit" minimum:"1" maximum:"10000" default:"100"`
	}
	ofLogs struct {
		Run    string    `path:"run" maxLength:"200"`
		Worker string    `query:"worker" maxLength:"100" doc:"Of this worker only"`
		After  time.Time `query:"after" doc:"Only lines that are newer"`
		Limit  int       `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
	}
)

// maxEvents is how many control events the store returns at once.
const maxEvents = 1000

// reading registers an operation that reads one thing of a run.
func reading[T any](a *api, id, path, summary string, read func(ctx context.Context, run string) (T, error)) {
	operation(a, huma.Operation{OperationID: id, Method: http.MethodGet, Path: "/runs/{run}/" + path, Tags: []string{"results"}, Summary: summary},
		func(ctx context.Context, in *ofRun) (*answer[T], error) { return answered(read(ctx, in.Run)) })
}

func (a *api) measured() {
	tags := []string{"results"}
	reading(a, "get-scenario", "scenario", "Read what a run was resolved to", a.Scenario)
	reading(a, "get-certificate", "certificate", "Read the stop certificate of a run", a.Certificate)
	reading(a, "list-workers", "workers", "Read how the workers of a run are", func(ctx context.Context, run string) (client.List[client.Worker], error) {
		list, err := a.Workers(ctx, run)
		return client.List[client.Worker]{Items: list}, err
	})
	reading(a, "list-steps", "steps", "Read the steps of the search of a run: the load that was set, what was measured under it, and what followed", func(ctx context.Context, run string) (client.List[client.Step], error) {
		list, err := a.Steps(ctx, run)
		return client.List[client.Step]{Items: list}, err
	})
	operation(a, huma.Operation{OperationID: "list-events", Method: http.MethodGet, Path: "/runs/{run}/events", Tags: tags, Summary: "Read the control events of a run"},
		func(ctx context.Context, in *ofEvents) (*answer[client.List[core.ControlEvent]], error) {
			list, err := a.Events(ctx, in.Run, in.After)
			page := client.List[core.ControlEvent]{Items: append([]core.ControlEvent{}, list...)}
			if len(list) == maxEvents {
				page.Next = strconv.FormatInt(list[len(list)-1].Sequence, 10)
			}
			return answered(page, err)
		})
	operation(a, huma.Operation{OperationID: "list-snapshots", Method: http.MethodGet, Path: "/runs/{run}/snapshots", Tags: tags, Summary: "Read what was measured in each interval"},
		func(ctx context.Context, in *ofSnapshots) (*answer[client.List[client.Interval]], error) {
			list, err := a.snapshots(ctx, in)
			return answered(client.List[client.Interval]{Items: list}, err)
		})
	operation(a, huma.Operation{OperationID: "list-executions", Method: http.MethodGet, Path: "/runs/{run}/executions", Tags: tags, Summary: "Read sampled operations by start time"},
		func(ctx context.Context, in *ofExecutions) (*answer[client.List[core.Execution]], error) {
			list, err := a.Executions(ctx, in.Run, in.After, in.Limit)
			page := client.List[core.Execution]{Items: append([]core.Execution{}, list...)}
			if len(list) == in.Limit {
				page.Next = list[len(list)-1].ID
			}
			return answered(page, err)
		})
	operation(a, huma.Operation{OperationID: "list-logs", Method: http.MethodGet, Path: "/runs/{run}/logs", Tags: tags, Summary: "Read the stored lines of the orchestrator's and the workers' logs"},
		func(ctx context.Context, in *ofLogs) (*answer[client.List[client.LogLine]], error) {
			list, err := a.Logs(ctx, in.Run, in.Worker, in.After, in.Limit)
			page := client.List[client.LogLine]{Items: list}
			if len(list) == in.Limit {
				page.Next = list[len(list)-1].Time.Format(time.RFC3339Nano)
			}
			return answered(page, err)
		})
	a.histograms()
	a.documents()
}

func (a *api) snapshots(ctx context.Context, in *ofSnapshots) ([]client.Interval, error) {
	if in.Worker != "" {
		return a.WorkerSnapshots(ctx, in.Run, in.Worker)
	}
	return a.Snapshots(ctx, in.Run, in.After)
}

// histograms registers what has histograms in it, whose text the document does not
// describe.
func (a *api) histograms() {
	described := map[string]*huma.Response{"200": {
		Description: "The rows of the result, with their histograms",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
	}}
	operation(a, huma.Operation{OperationID: "get-rollup", Method: http.MethodGet, Path: "/runs/{run}/rollup", Tags: []string{"results"}, Summary: "Read the stored rows of the result", Responses: described},
		func(ctx context.Context, in *ofRun) (*text, error) { return asJSON(a.Rollup(ctx, in.Run)) })
}

// The inputs of operations that make documents.
type (
	resultAs struct {
		Run    string `path:"run" maxLength:"200"`
		Format string `query:"format" enum:"json,text,html,csv,md" default:"json"`
	}
	statusAs struct {
		Run    string `path:"run" maxLength:"200"`
		Format string `query:"format" enum:"json,text" default:"json"`
	}
	compareAs struct {
		Runs   []string `query:"run,explode" minItems:"2" maxItems:"5" maxLength:"200" doc:"Ids of the runs; the first is what the others are held against"`
		Format string   `query:"format" enum:"json,text,html,md" default:"json"`
	}
	download struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Body        []byte
	}
)

// downloaded is a document that a browser keeps, and does not open as a page of this
// server.
func downloaded(d Document, err error) (*download, error) {
	if err != nil {
		return nil, err
	}
	out := &download{ContentType: d.Media, Body: d.Body}
	if d.Media != "application/json" {
		out.Disposition = fmt.Sprintf("attachment; filename=%q", d.Name)
	}
	return out, nil
}

// forms describes the answer of an operation that makes documents.
func (a *api) forms(of reflect.Type, name string, others ...string) map[string]*huma.Response {
	content := map[string]*huma.MediaType{"application/json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(of, true, name)}}
	for _, media := range others {
		content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return map[string]*huma.Response{"200": {Description: "The document", Content: content}}
}

func (a *api) documents() {
	tags := []string{"results"}
	operation(a, huma.Operation{OperationID: "get-result", Method: http.MethodGet, Path: "/runs/{run}/result", Tags: tags, Summary: "Read the result of a run, as benchfleet result --output has it",
		Responses: a.forms(reflect.TypeFor[report.ResultDocument](), "ResultDocument", "text/plain", "text/html", "text/csv", "text/markdown")},
		func(ctx context.Context, in *resultAs) (*download, error) {
			return downloaded(a.Document(ctx, in.Run, in.Format))
		})
	operation(a, huma.Operation{OperationID: "get-status", Method: http.MethodGet, Path: "/runs/{run}/status", Tags: tags, Summary: "Read where a run stands, as benchfleet status --output has it",
		Responses: a.forms(reflect.TypeFor[report.StatusDocument](), "StatusDocument", "text/plain")},
		func(ctx context.Context, in *statusAs) (*download, error) {
			return downloaded(a.StatusDocument(ctx, in.Run, in.Format))
		})
	operation(a, huma.Operation{OperationID: "compare-runs", Method: http.MethodGet, Path: "/compare", Tags: tags, Summary: "Compare two to five runs, with confidence intervals",
		Responses: a.forms(reflect.TypeFor[report.ComparisonDocument](), "ComparisonDocument", "text/plain", "text/html", "text/markdown")},
		func(ctx context.Context, in *compareAs) (*download, error) {
			return downloaded(a.CompareDocument(ctx, in.Runs, in.Format))
		})
}
