//go:build unix

package acceptance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// experiment is what is looked at of a group in JSON.
type experiment struct {
	Group         string
	Design        string
	PlannedRuns   int `json:"planned_runs"`
	CountedRuns   int `json:"counted_runs"`
	PlannedRounds int `json:"planned_rounds"`
	CountedRounds int `json:"counted_rounds"`
	Primary       string
	Same          bool
	Metrics       []struct {
		Kind, Metric, Outcome, Why string
		Primary                    bool
		Mean, Low, High            *float64
		ChangePercent              *float64 `json:"change_percent"`
		LowPercent                 *float64 `json:"low_percent"`
		HighPercent                *float64 `json:"high_percent"`
		SmallestPercent            *float64 `json:"smallest_percent"`
	}
	Unlike []struct{ What string }
	Runs   []struct {
		Number, Round int
		Side          string
		RunID         string `json:"run_id"`
		Status        string
		Counts        bool
		Seed          int64
		Total         struct{ Operations, OK int64 }
	}
	Reservations []string
}

func (o outcome) experiment(t *testing.T) (e experiment) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.stdout), &e); err != nil {
		t.Fatalf("%v: %v", err, o)
	}
	return e
}

// TestAcceptanceRepeat: the same again and again makes the same operations, is found by
// its group, and reads the same again.
func TestAcceptanceRepeat(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	short := []string{"run", "short", "--operations", "600", "--warmup", "0s", "--output", "json", "--repeat", "3"}
	o := s.do(short...)
	is.Equal(o.code, 0)
	e := o.experiment(t)
	is.Equal(fmt.Sprintf("%s %d %d %d", e.Design, e.PlannedRuns, e.CountedRuns, len(e.Runs)), "REPEAT 3 3 3")
	hashes := map[string]bool{}
	for i, r := range e.Runs {
		is.Equal(r.RunID, fmt.Sprintf("%s-%03d", e.Group, i+1))
		is.Equal(r.Total.Operations, int64(600))
		is.Equal(r.Seed, e.Runs[0].Seed)
		hashes[s.must("result", r.RunID, "--output", "json").result(t).Operation] = true
	}
	is.Equal(len(hashes), 1) // the same operations
	m := e.Metrics[0]
	is.Equal(m.Metric, "throughput")
	is.True(*m.Low <= *m.Mean && *m.Mean <= *m.High)
	is.Equal(s.must("compare", "--group", e.Group, "--output", "json").experiment(t), e)
	var listed []struct {
		RunID string `json:"run_id"`
	}
	is.NoErr(json.Unmarshal([]byte(s.must("runs", "--group", e.Group, "--output", "json").stdout), &listed))
	is.Equal(len(listed), 3)
	for _, want := range []string{"run 2 of 3", "run 3 of 3: " + e.Group + "-003 COMPLETED", "benchfleet compare --group " + e.Group} {
		is.True(strings.Contains(o.stderr, want))
	}

	varied := s.must(append(short, "--repeat", "2", "--vary-seed", "--seed", "7")...).experiment(t)
	is.Equal([]int64{varied.Runs[0].Seed, varied.Runs[1].Seed}, []int64{7, 8})
	is.True(varied.Group != e.Group)
	is.True(strings.Contains(s.must("compare", "--group", varied.Group).stdout, "2 runs count: an interval needs 3"))
}

// TestAcceptanceAA: of an A/A is asserted what no chance can change: order, pairing,
// that it knows itself as one, and that what it says fits its intervals. How often it
// finds something is the business of task bench:aa.
func TestAcceptanceAA(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	s.with("BENCHFLEET_OUTPUT=json")
	e := s.must("ab", "short", "short", "--rounds", "6", "--duration", "300ms", "--warmup", "0s", "--pause", "0s", "--workers", "1").experiment(t)
	is.Equal(fmt.Sprintf("%s %d %d %s", e.Design, e.PlannedRounds, len(e.Runs), e.Primary), "AB 6 12 throughput")
	is.True(e.Same)
	first := map[string]int{}
	for i, r := range e.Runs {
		is.Equal([]int{r.Number, r.Round}, []int{i + 1, i/2 + 1})
		is.Equal(r.RunID, fmt.Sprintf("%s-%03d", e.Group, i+1))
		if i%2 == 0 {
			first[r.Side]++
			is.True(r.Side != e.Runs[i+1].Side) // each round has both
		}
	}
	is.Equal(first, map[string]int{"A": 3, "B": 3})
	is.True(e.CountedRounds >= 3) // a busy machine may degrade runs, and that is all
	known := 0
	for _, m := range e.Metrics {
		if m.LowPercent == nil {
			is.True(m.Why != "")
			continue
		}
		known++
		is.True(*m.LowPercent <= *m.ChangePercent && *m.ChangePercent <= *m.HighPercent && *m.SmallestPercent > 0)
		if *m.LowPercent <= 0 && *m.HighPercent >= 0 {
			is.Equal(m.Outcome, "NO_DIFFERENCE")
		}
	}
	is.True(known >= 3)
	is.Equal(s.must("ab", "--of", e.Group).experiment(t), e)
	is.Equal(s.must("compare", "--group", e.Group).experiment(t), e)
}

// TestAcceptanceAB: with a think time B makes fewer operations, and that is seen.
func TestAcceptanceAB(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	o := s.must("ab", "short", "short", "--set-a", "load.think_time=1ms", "--set-b", "load.think_time=30ms", "--rounds", "3", "--workers", "1",
		"--duration", "400ms", "--warmup", "0s", "--pause", "0s", "--output", "json")
	e := o.experiment(t)
	is.Equal(e.CountedRounds, 3)
	m := e.Metrics[0]
	is.True(m.Primary && m.Metric == "throughput")
	is.Equal(m.Outcome, "LOWER")
	is.True(*m.HighPercent < -50)
	is.True(!e.Same)
	is.True(slices.ContainsFunc(e.Unlike, func(u struct{ What string }) bool { return u.What == "think time" }))
	text := s.must("ab", "--of", e.Group).stdout
	is.True(strings.Contains(text, "lower, worse") && strings.Contains(text, "primary metric"))

	code := s.do("ab", "short", "short", "--set-b", "table.name=NOT_THERE", "--output", "json")
	is.Equal(code.code, 4) // B is refused before A has run
	is.True(strings.Contains(code.stderr, "B is refused, and no run was made"))
	is.Equal(len(s.runs()), 6)
}

// TestAcceptanceInterruptAB: an interrupt in round 2 ends the present run cleanly and
// the experiment, and what there is can be read.
func TestAcceptanceInterruptAB(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("ab", "short", "short", "--rounds", "3", "--duration", "1500ms", "--warmup", "0s", "--pause", "0s", "--output", "json")
	running.says("run 3 of 6: round 2")
	group := ""
	for line := range strings.Lines(running.stderr.String()) {
		if rest, ok := strings.CutPrefix(line, "group "); ok {
			group, _, _ = strings.Cut(rest, ":")
		}
	}
	third := group + "-003"
	until(t, 20*time.Second, "the third run makes load", func() bool {
		return s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", third) == "RUNNING"
	})
	running.signal(syscall.SIGINT)
	o := running.wait(30 * time.Second)
	is.Equal(o.code, 3)
	e := o.experiment(t)
	is.Equal(len(e.Runs), 3)
	is.Equal(e.CountedRounds, 1)
	is.Equal(e.Runs[2].Status, "CANCELLED")
	is.True(!e.Runs[2].Counts)
	c := s.checkEnded(t, db, third, "CANCELLED", "USER_REQUESTED")
	is.True(c.Clean)
	is.Equal(len(s.runs()), 3)
	is.True(strings.Contains(strings.Join(e.Reservations, "\n"), "round 2 is left out"))
	is.Equal(e.Metrics[0].Outcome, "UNKNOWN")
	is.True(strings.Contains(e.Metrics[0].Why, "an interval needs 3"))
	is.Equal(s.must("ab", "--of", group, "--output", "json").experiment(t), e)
}

// TestAcceptanceInterruptPause: between two runs an interrupt ends the series too.
func TestAcceptanceInterruptPause(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	running := s.start("run", "short", "--repeat", "3", "--duration", "300ms", "--warmup", "0s", "--pause", "1m", "--output", "json")
	running.says("run 1 of 3: ")
	running.signal(syscall.SIGTERM)
	o := running.wait(30 * time.Second)
	is.Equal(o.code, 3)
	e := o.experiment(t)
	is.Equal(len(e.Runs), 1)
	is.Equal(len(s.runs()), 1)
	is.True(strings.Contains(strings.Join(e.Reservations, "\n"), "1 of 3 runs were made"))
}

// TestAcceptanceFailedRepeat: a run that fails ends a series unless it is to keep
// going, and the exit code says so either way.
func TestAcceptanceFailedRepeat(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	failing := []string{"run", "short", "--repeat", "2", "--duration", "20s", "--warmup", "0s", "--set", "slos=[p50 < 1ns abort]", "--output", "json"}
	o := s.do(failing...)
	is.Equal(o.code, 5)
	e := o.experiment(t)
	is.Equal(len(e.Runs), 1)
	is.Equal(e.Runs[0].Status, "FAILED")
	o = s.do(append(failing, "--keep-going")...)
	is.Equal(o.code, 5)
	is.Equal(len(o.experiment(t).Runs), 2)
}
