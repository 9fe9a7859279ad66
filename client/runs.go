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

// StartRun starts a prepared run. With a key, a run that was started already is no
// error.
func (c *Client) StartRun(ctx context.Context, id, key string) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"runs", id, "start"}, key: key}, &run)
	return run, err
}

// StopRun publishes the stop of a run and does not wait for its end.
func (c *Client) StopRun(ctx context.Context, id string, stop StopRun) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"runs", id, "stop"}, send: stop}, &run)
	return run, err
}

// Run reads where a run stands.
func (c *Client) Run(ctx context.Context, id string) (run Run, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"runs", id}}, &run)
	return run, err
}

// RunFilter narrows a list of runs. Zero fields do not.
type RunFilter struct {
	Status []core.Status
	Limit  int
	Before string // id of the last run of the page before
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, f RunFilter) (list List[RunSummary], err error) {
	query := url.Values{}
	for _, s := range f.Status {
		query.Add("status", string(s))
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	if f.Before != "" {
		query.Set("before", f.Before)
	}
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"runs"}, query: query}, &list)
	return list, err
}
