package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/benchfleet/benchfleet/core"
)

// CreateRun prepares a run. With a key, which is any text that the caller makes up
// once, calling again with the same key makes no second run.
func (c *Client) CreateRun(ctx context.Context, n NewRun, key string) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"runs"}, send: n, key: key}, &run)
	return run, err
}

// Preflight makes the checks of a run that need no target and no launcher, and stores
// nothing. The others are made when it is started.
func (c *Client) Preflight(ctx context.Context, n NewRun) (list List[core.Finding], err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"preflight"}, send: n}, &list)
	return list, err
}

// StartRun starts a prepared run. With a key, a run that was started already is no
// error.
func (c *Client) StartRun(ctx context.Context, id, key string) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"runs", id, "start"}, key: key}, &run)
	return run, err
}

// CheckRun asks for the checks of a prepared run that need its target and its
// launcher, and does not wait for them. An orchestrator makes them: then the run has
// a CheckedAt and its findings, and is prepared as before.
func (c *Client) CheckRun(ctx context.Context, id string) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"runs", id, "preflight"}}, &run)
	return run, err
}

// StopRun publishes the stop of a run and does not wait for its end.
func (c *Client) StopRun(ctx context.Context, id string, stop StopRun) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"runs", id, "stop"}, send: stop}, &run)
	return run, err
}

// DeleteRun removes a run that has ended.
func (c *Client) DeleteRun(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"runs", id}}, nil)
}

// Run reads where a run stands.
func (c *Client) Run(ctx context.Context, id string) (run Run, err error) {
	err = c.ofRun(ctx, id, "", nil, &run)
	return run, err
}

// RunFilter narrows a list of runs. Zero fields do not.
type RunFilter struct {
	Status   []core.Status
	Search   string // in id or name
	Launcher string
	Template string // its id
	Limit    int    // default 100, at most 1000
	Before   string // id of the last run of the page before
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, f RunFilter) (list List[RunSummary], err error) {
	query := values("search", f.Search, "launcher", f.Launcher, "template", f.Template, "before", f.Before, "limit", number(f.Limit))
	status := ""
	for _, s := range f.Status {
		if status != "" {
			status += ","
		}
		status += string(s)
	}
	if status != "" {
		query.Set("status", status)
	}
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"runs"}, query: query}, &list)
	return list, err
}

// Scenario reads what a run was resolved to.
func (c *Client) Scenario(ctx context.Context, id string) (s core.Scenario, err error) {
	err = c.ofRun(ctx, id, "scenario", nil, &s)
	return s, err
}

// Workers reads how the workers of a run are.
func (c *Client) Workers(ctx context.Context, id string) (list List[Worker], err error) {
	err = c.ofRun(ctx, id, "workers", nil, &list)
	return list, err
}

// Events reads control events of a run after a sequence, at most 1000.
func (c *Client) Events(ctx context.Context, id string, after int64) (list List[core.ControlEvent], err error) {
	err = c.ofRun(ctx, id, "events", values("after", number(int(after))), &list)
	return list, err
}

// Steps reads the steps of the run's search, one type after another, at most 1000.
func (c *Client) Steps(ctx context.Context, id string) (list List[Step], err error) {
	err = c.ofRun(ctx, id, "steps", nil, &list)
	return list, err
}

// Snapshots reads what was measured in each interval after an offset in seconds
// since the load began: by all workers, or by one.
func (c *Client) Snapshots(ctx context.Context, id, worker string, after float64) (list List[Interval], err error) {
	query := values("worker", worker)
	if after != 0 {
		query.Set("after", strconv.FormatFloat(after, 'f', -1, 64))
	}
	err = c.ofRun(ctx, id, "snapshots", query, &list)
	return list, err
}

// Executions reads sampled operations by start time, beginning after an id.
func (c *Client) Executions(ctx context.Context, id, after string, limit int) (list List[core.Execution], err error) {
	err = c.ofRun(ctx, id, "executions", values("after", after, "limit", number(limit)), &list)
	return list, err
}

// Logs reads stored lines of the logs of a run, or of one worker. after is the Next
// of the page before.
func (c *Client) Logs(ctx context.Context, id, worker, after string, limit int) (list List[LogLine], err error) {
	err = c.ofRun(ctx, id, "logs", values("worker", worker, "after", after, "limit", number(limit)), &list)
	return list, err
}

// Result reads the result of a run as benchfleet result --output has it: json, text,
// html, csv or md.
func (c *Client) Result(ctx context.Context, id, format string) (document []byte, err error) {
	err = c.ofRun(ctx, id, "result", values("format", format), &document)
	return document, err
}

// Status reads where a run stands as benchfleet status --output has it: json or text.
func (c *Client) Status(ctx context.Context, id, format string) (document []byte, err error) {
	err = c.ofRun(ctx, id, "status", values("format", format), &document)
	return document, err
}

// Compare compares two to five runs with the first of them: as json, text, html or
// md.
func (c *Client) Compare(ctx context.Context, ids []string, format string) (document []byte, err error) {
	query := values("format", format)
	query["run"] = ids
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"compare"}, query: query}, &document)
	return document, err
}

// Rollup reads the stored rows of the result. Errors: NotFound while there is none.
func (c *Client) Rollup(ctx context.Context, id string) (r Rollup, err error) {
	err = c.ofRun(ctx, id, "rollup", nil, &r)
	return r, err
}

// Certificate reads the stop certificate of a run. Errors: NotFound when no stop was
// requested.
func (c *Client) Certificate(ctx context.Context, id string) (cert core.Certificate, err error) {
	err = c.ofRun(ctx, id, "certificate", nil, &cert)
	return cert, err
}

// Version reads what the controller is.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"version"}}, &v)
	return v, err
}

// Health reads whether the controller does its work.
func (c *Client) Health(ctx context.Context) (h Health, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"health"}}, &h)
	return h, err
}

// ofRun reads one thing of a run.
func (c *Client) ofRun(ctx context.Context, id, what string, query url.Values, into any) error {
	path := []string{"runs", id}
	if what != "" {
		path = append(path, what)
	}
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query}, into)
}

// values are those of the pairs that have one.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
