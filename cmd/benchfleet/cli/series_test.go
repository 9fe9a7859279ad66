package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// TestSeriesUsage: what is wrong with a series is said before anything happens, with
// the flag, its value and what is allowed.
func TestSeriesUsage(t *testing.T) {
	dir := site(t)
	for _, tt := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"run", "oltp", "--repeat", "1"}, ExitUsage, []string{"--repeat is 1", "2 to 200"}},
		{[]string{"run", "oltp", "--repeat", "201"}, ExitUsage, []string{"--repeat is 201", "2 to 200"}},
		{[]string{"run", "oltp", "--repeat", "0"}, ExitUsage, []string{"--repeat is 0"}},
		{[]string{"run", "oltp", "--repeat", "2", "--detach"}, ExitUsage, []string{"--detach"}},
		{[]string{"run", "oltp", "--repeat", "2", "--pause", "-1s"}, ExitUsage, []string{"--pause is -1s", "0s to 1h"}},
		{[]string{"run", "oltp", "--repeat", "2", "--pause", "2h"}, ExitUsage, []string{"--pause is 2h0m0s"}},
		{[]string{"run", "oltp", "--repeat", "2", "--vary-seed", "--seed", "9223372036854775807"}, ExitUsage, []string{"load.seed", "9223372036854775806"}},
		{[]string{"run", "oltp", "--repeat", "2", "--controller", "http://127.0.0.1:1"}, ExitUsage, []string{"--repeat is not for --controller"}},
		{[]string{"run", "oltp", "--vary-seed"}, ExitUsage, []string{"--vary-seed is for --repeat"}},
		{[]string{"run", "oltp", "--pause", "1s"}, ExitUsage, []string{"--pause is for --repeat"}},
		{[]string{"run", "oltp", "--keep-going"}, ExitUsage, []string{"--keep-going is for --repeat"}},
		{[]string{"run", "oltp", "--output", "md"}, ExitUsage, []string{`--output is "md"`, "text, json"}},
		{[]string{"run", "oltp", "--output", "html"}, ExitUsage, []string{`--output is "html"`}},
		{[]string{"run", "nope", "--repeat", "2"}, ExitRefused, []string{"nope"}},
		{[]string{"ab", "oltp"}, ExitUsage, []string{"TEMPLATE_B is missing"}},
		{[]string{"ab", "oltp", "oltp", "--rounds", "0"}, ExitUsage, []string{"--rounds is 0", "1 to 100"}},
		{[]string{"ab", "oltp", "oltp", "--rounds", "101"}, ExitUsage, []string{"--rounds is 101"}},
		{[]string{"ab", "oltp", "oltp", "--metric", "p98"}, ExitUsage, []string{"--metric", `"p98"`, "throughput, p50"}},
		{[]string{"ab", "oltp", "oltp", "--metric", "NOPE p99"}, ExitUsage, []string{"NOPE"}},
		{[]string{"ab", "oltp", "oltp", "--set-b", "load.workres=2"}, ExitUsage, []string{"B: --set load.workres", "load.workers"}},
		{[]string{"ab", "oltp", "oltp", "--set-a", "load.workers=0"}, ExitUsage, []string{"A: ", "load.workers"}},
		{[]string{"ab", "oltp", "nope", "--set", "table.rows=100"}, ExitRefused, []string{"B is refused", "nope"}},
		{[]string{"ab", "oltp", "oltp", "--set-a", "table.rows=100", "--set-b", "table.name=OTHER"}, ExitRefused, []string{"B is refused", "OTHER"}},
		{[]string{"ab", "--of", "nothing"}, ExitUsage, []string{`"nothing"`, "benchfleet runs"}},
		{[]string{"ab", "--of", "nothing", "--rounds", "3"}, ExitUsage, []string{"--rounds", "--of"}},
		{[]string{"ab", "--of", "nothing", "--find-max", "rate"}, ExitUsage, []string{"--find-max", "--of"}},
		{[]string{"ab", "--of", "nothing", "oltp"}, ExitUsage, []string{"oltp"}},
		{[]string{"ab", "oltp", "oltp", "--endpoint", "other=" + dir}, ExitUsage, []string{`"other"`, "the templates name the endpoints"}},
		{[]string{"compare", "--group", "nothing"}, ExitUsage, []string{`"nothing"`}},
		{[]string{"compare", "--group", "nothing", "RUN"}, ExitUsage, []string{"no argument"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			got := run(t, nil, append([]string{"--dir", dir}, tt.args...)...)
			if got.code != tt.code {
				t.Errorf("exit %d, not %d: %s", got.code, tt.code, got.stderr)
			}
			for _, want := range tt.says {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("%q is not said in %s", want, got.stderr)
				}
			}
			if got.stdout != "" {
				t.Errorf("stdout has %q", got.stdout)
			}
		})
	}
	got := run(t, nil, "--dir", dir, "runs")
	if !strings.Contains(got.stdout, "there are no runs") {
		t.Errorf("something was left behind: %s", got.stdout)
	}
}

// TestSeriesExit: what the exit code of a series says, and which runs end it.
func TestSeriesExit(t *testing.T) {
	for _, tt := range []struct {
		name        string
		codes       []int
		interrupted bool
		err         error
		code        int
		over, keeps bool // after the last run, without and with --keep-going
	}{
		{name: "all well", code: ExitCompleted},
		{name: "an objective", codes: []int{ExitSLO}, code: ExitSLO},
		{name: "worth nothing", codes: []int{ExitSLO, ExitInvalid}, code: ExitInvalid},
		{name: "failed", codes: []int{ExitFailed, ExitInvalid}, code: ExitFailed, over: true},
		{name: "refused", codes: []int{ExitRefused}, code: ExitRefused, over: true},
		{name: "cancelled", codes: []int{ExitFailed, ExitCancelled}, code: ExitCancelled, over: true, keeps: true},
		{name: "interrupted in a pause", interrupted: true, code: ExitCancelled},
		{name: "a defect", err: errors.New("x"), over: true, keeps: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			e := ending{codes: tt.codes, interrupted: tt.interrupted, err: tt.err}
			is.Equal(e.code(), tt.code)
			is.Equal(e.over(false), tt.over)
			is.Equal(e.over(true), tt.keeps)
		})
	}
}

func TestOutlook(t *testing.T) {
	is := is.New(t)
	timed := core.Scenario{Load: core.ScenarioLoad{Warmup: core.Duration(2 * time.Second), Duration: core.Duration(10 * time.Second)}}
	plan, err := core.PlanAB(2, 1)
	is.NoErr(err)
	var entries []entry
	for _, slot := range plan {
		entries = append(entries, entry{core.Membership{Design: core.ABDesign, Slot: slot, Rounds: 2, Primary: "p95"}, timed})
	}
	is.Equal(outlook(entries, pacing{pause: time.Second}), "2 rounds of A and B, by turns; the primary metric is p95; at least 51s in all")
	twice := func(change func(*core.ScenarioLoad)) []entry {
		s := timed
		change(&s.Load)
		e := entry{core.Membership{Design: core.RepeatDesign, Rounds: 2}, s}
		return []entry{e, e}
	}
	is.Equal(outlook(twice(func(*core.ScenarioLoad) {}), pacing{}), "2 runs; at least 24s in all")
	is.Equal(outlook(twice(func(l *core.ScenarioLoad) { l.Duration, l.Operations = 0, 5 }), pacing{}), "2 runs")
	is.Equal(outlook(twice(func(l *core.ScenarioLoad) { l.Operations = 5 }), pacing{}), "2 runs")              // whichever comes first
	is.Equal(outlook(twice(func(l *core.ScenarioLoad) { l.Search = &core.LoadSearch{} }), pacing{}), "2 runs") // its duration is a limit
}
