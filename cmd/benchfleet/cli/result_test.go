package cli

import (
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
)

// endedRun stores a run of 20 s that has ended, with its intervals and its result:
// about n operations a second.
func endedRun(t *testing.T, dir, id string, n int) {
	t.Helper()
	is := is.New(t)
	store, err := openStore(t.Context(), "sqlite:"+filepath.Join(dir, "store.db"), nil)
	is.NoErr(err)
	defer store.Close()
	template, err := library.Get("oltp")
	is.NoErr(err)
	scenario, err := template.Resolve(core.Resolution{Launcher: "local", StartTimeout: time.Minute})
	is.NoErr(err)
	record, err := store.Create(t.Context(), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
	is.NoErr(err)
	next, events, err := record.Run.Fold(
		core.OwnerClaimed{At: record.Now, Owner: "me", Until: record.Now.Add(time.Minute)},
		core.StopRequested{At: record.Now, Reason: core.UserRequested, By: "ana"},
	)
	is.NoErr(err)
	_, err = store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
	is.NoErr(err)

	parent := core.Rollup{
		RunID: id, Name: scenario.Name, Status: core.Completed, Reason: core.Elapsed, Start: record.Now, End: record.Now.Add(20 * time.Second), Seconds: 20,
		Connections: 12, Coverage: 1, Scenario: &scenario, Verdict: core.Verdict{Level: core.Valid},
	}
	var aggregates []ports.RunInterval
	for i := range 20 {
		k := core.KindMetrics{Kind: "POINT_LOOKUP", Access: core.AccessRead}
		for j := range n + i*7%5 {
			k.Service.Record(time.Millisecond + time.Duration(j)*time.Microsecond)
			k.OK++
		}
		k.Scheduled, k.Started = k.OK, k.OK
		parent.Kinds = core.MergeKinds(parent.Kinds, []core.KindMetrics{k})
		aggregates = append(aggregates, ports.RunInterval{
			RunID: id, Phase: core.Measurement, Offset: float64(i + 1), Start: record.Now.Add(time.Duration(i) * time.Second), Seconds: 1, Kinds: []core.KindMetrics{k}, Healthy: 3,
		})
	}
	counts := core.Total(parent.Kinds).Counts
	parent.Throughput, parent.Ledger = float64(counts.OK)/20, core.BalanceLedger(counts)
	is.NoErr(store.AppendSnapshots(t.Context(), nil, aggregates))
	is.NoErr(store.PutRollup(t.Context(), parent, nil))
}

// TestResultDocuments: the outputs of result and compare come from the store, each
// in its form, and nothing else is on stdout.
func TestResultDocuments(t *testing.T) {
	dir := site(t)
	endedRun(t, dir, "first", 200)
	endedRun(t, dir, "second", 150)
	endedRun(t, dir, "third", 200)
	for _, tt := range []struct {
		args  []string
		begin string
		says  []string
	}{
		{[]string{"result", "first"}, "run first  oltp", []string{"VALID"}},
		{[]string{"result", "first", "-o", "json"}, "{", []string{`"verdict"`}},
		{[]string{"result", "first", "-o", "html"}, "<!DOCTYPE html>", []string{"Throughput", "MEASUREMENT", "<svg", "POINT_LOOKUP", "by benchfleet "}},
		{[]string{"result", "first", "-o", "md"}, "# run oltp", []string{"| POINT\\_LOOKUP |"}},
		{[]string{"result", "first", "-o", "csv"}, "scope,run_id", []string{"\nINTERVAL,first"}},
		{[]string{"compare", "first", "second"}, "   run", []string{"lower, worse", "B beside A"}},
		{[]string{"compare", "first", "second", "third", "-o", "html"}, "<!DOCTYPE html>", []string{"C beside A", "no difference seen", "lower, worse"}},
		{[]string{"compare", "first", "third", "-o", "md"}, "# comparison", []string{"no difference seen"}},
		{[]string{"compare", "first", "third", "-o", "json"}, "{", []string{`"NO_DIFFERENCE"`}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			is := is.New(t)
			got := run(t, nil, append(tt.args, "--dir", dir)...)
			is.Equal(got.code, 0)
			is.Equal(got.stderr, "")
			is.True(strings.HasPrefix(got.stdout, tt.begin))
			for _, want := range tt.says {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			switch tt.args[len(tt.args)-1] {
			case "json":
				is.True(json.Valid([]byte(got.stdout)))
			case "csv":
				rows, err := csv.NewReader(strings.NewReader(got.stdout)).ReadAll()
				is.NoErr(err)
				is.Equal(len(rows), 1+1+1+20) // head, run, kind, intervals
			}
		})
	}
}

func TestResultUsage(t *testing.T) {
	dir := site(t)
	endedRun(t, dir, "first", 20)
	deadRun(t, dir, "going", "local", ports.Home{})
	for args, says := range map[string]string{
		"result first -o xml":           "allowed: text, json, html, csv, md",
		"runs -o html":                  "allowed: text, json",
		"compare first second -o csv":   "allowed: text, json, html, md",
		"compare first":                 "takes 2 to 5 runs, got 1",
		"compare a b c d e f":           "takes 2 to 5 runs, got 6",
		"compare first first":           "run first is to be compared with itself",
		"compare first nothing":         "see: benchfleet runs",
		"compare first going":           "run going has no result to compare: it is STARTING",
		"result nothing --output html":  "see: benchfleet runs",
		"compare first nothing -o html": "see: benchfleet runs",
	} {
		t.Run(args, func(t *testing.T) {
			is := is.New(t)
			got := run(t, nil, append(strings.Fields(args), "--dir", dir)...)
			is.Equal(got.code, ExitUsage)
			is.Equal(got.stdout, "")
			if !strings.Contains(got.stderr, says) {
				t.Errorf("%q, want %q", got.stderr, says)
			}
		})
	}
	is := is.New(t)
	got := run(t, nil, "result", "going", "--dir", dir, "-o", "html") // of a run that goes on
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, "there is no result yet: the run is STARTING"))
}
