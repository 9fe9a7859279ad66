package report

import (
	"bytes"
	"encoding/json"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func searchedRollup() *core.Rollup {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	rate, gain := 80.0, 0.5
	return &core.Rollup{
		RunID: "r", Status: core.Completed, Reason: core.TargetFound, Verdict: core.Verdict{Level: core.Valid},
		Search: &core.SearchResult{
			Mode: core.ModeFindQPS, Kind: core.TrueMax, Load: 40, Missed: 80, Why: "p95", Resolution: 5, Sentence: "at most 40 \x1b[2J operations per second: TRUE_MAX",
			Throughput: 39.5, PlusMinus: 0.25, P95: 12 * time.Millisecond, Borne: 4, Windows: 4,
			Steps: []core.ControllerStep{
				{Number: 1, Direction: core.StepStart, ToConnections: 16, Start: at, End: at.Add(7 * time.Second), Operations: 200, QPS: 40, P95: 12 * time.Millisecond, Outcome: "BORNE", QueueDetected: true},
				{Number: 2, Direction: core.StepUp, ToConnections: 16, TargetQPS: &rate, QPSVsPrior: &gain, Start: at.Add(7 * time.Second), End: at.Add(14 * time.Second),
					Operations: 300, QPS: 60, P95: 90 * time.Millisecond, Errors: 3, Outcome: "SLO_MISSED", StopReason: "=cmd"},
			},
		},
	}
}

// Of a step without a window nothing was measured, which is not zero.
func TestStepWithoutAWindow(t *testing.T) {
	is := is.New(t)
	var b bytes.Buffer
	r := Result{Parent: searchedRollup()}
	r.Parent.Search.Steps[1] = core.ControllerStep{Number: 2, Direction: core.StepUp, ToConnections: 16, Outcome: string(core.StepUnfinished), StopReason: "the time limit"}
	is.NoErr(Text(&b, r))
	line := b.String()[strings.Index(b.String(), "UP"):]
	is.Equal(strings.Fields(line)[1:10], []string{"16", "connections", "-", "-", "-", "-", "-", "0", "UNFINISHED"})
}

// Every view has the answer of a search, and its steps.
func TestSearchInEveryView(t *testing.T) {
	is := is.New(t)
	r := Result{Parent: searchedRollup()}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text": func(b *bytes.Buffer) error { return Text(b, r) }, "html": func(b *bytes.Buffer) error { return HTML(b, r) },
		"markdown": func(b *bytes.Buffer) error { return Markdown(b, r) },
	} {
		var b bytes.Buffer
		is.NoErr(write(&b))
		text := html.UnescapeString(strings.ReplaceAll(b.String(), `\_`, "_"))
		for _, want := range []string{"operations per second: TRUE_MAX", "BORNE, queues", "SLO_MISSED", "80.0/s", "16 connections", "+50.0%", "every step of the search"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		is.True(!strings.Contains(text, "\x1b"))
	}
	var b bytes.Buffer
	is.NoErr(JSON(&b, r))
	var d ResultDocument
	is.NoErr(json.Unmarshal(b.Bytes(), &d))
	is.Equal(d.Search.Kind, "TRUE_MAX")
	is.Equal(d.Search.P95, 12.0)
	is.Equal(len(d.Search.Steps), 2)
	is.Equal(*d.Search.Steps[1].Rate, 80.0)
	b.Reset()
	is.NoErr(CSV(&b, r))
	is.True(strings.Contains(b.String(), "\nSTEP,r,2 SLO_MISSED,MEASUREMENT,2026-05-04T10:00:07Z,,7,,300,3,,,60,"))
	plain := Result{Parent: &core.Rollup{RunID: "r"}}
	b.Reset()
	is.NoErr(Text(&b, plain))
	is.True(!strings.Contains(b.String(), "step"))
}
