package report_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// intervals are those of a run of 3 s of warmup and 12 s of measurement: with an
// operation of the warmup that ended in the measurement, one interval missing,
// and one in which nothing succeeded.
func intervals() []ports.RunInterval {
	var list []ports.RunInterval
	for i := 1; i <= 15; i++ {
		iv := ports.RunInterval{
			RunID: "01JTEST", Phase: core.Measurement, Offset: float64(i), Start: at(float64(i)), Seconds: 1,
			Kinds:       []core.KindMetrics{kind("POINT_LOOKUP", "READ", 400+i, 16*time.Microsecond), kind("UPDATE", "WRITE", 40, 23*time.Microsecond)},
			Connections: 12, Target: 12, CPU: 20, Memory: 1, Healthy: 3,
		}
		switch {
		case i <= 3:
			iv.Phase = core.Warmup
		case i == 9:
			continue
		case i == 12:
			iv.Kinds = []core.KindMetrics{{Kind: "UPDATE", Access: "WRITE", Counts: core.Counts{Scheduled: 7, Started: 7, Errors: 7}}}
		}
		if i == 4 {
			late := iv
			late.Phase, late.Kinds = core.Warmup, []core.KindMetrics{kind("UPDATE", "WRITE", 1, time.Millisecond)}
			late.Kinds[0].Started = 0
			list = append(list, late)
		}
		list = append(list, iv)
	}
	return list
}

// totals are intervals as a store reads them without their histograms.
func totals(rows []ports.RunInterval) (list []ports.IntervalTotal) {
	for i := range rows {
		total := rows[i].Total()
		if i > 0 && rows[i-1].Offset == total.Offset || i+1 < len(rows) && rows[i+1].Offset == total.Offset {
			total.Kinds = rows[i].Kinds
		}
		list = append(list, total)
	}
	return list
}

// whole is a result with all that documents show.
func whole(r report.Result) report.Result {
	r.Points, r.Events, r.Made = report.PointsOf(totals(intervals())), events(), "made 2026-03-04 15:16:00Z by benchfleet test"
	return r
}

// documents are results of all sorts; made once, not to be changed.
var documents = sync.OnceValue(func() map[string]report.Result {
	hostile := whole(cancelled())
	evil := `<script>alert(1)</script>"><img src=x onerror=alert(1)>` + "\x1b[2J\u202e"
	hostile.Parent.Name, hostile.Location, hostile.Made = evil, evil, evil
	hostile.Parent.Verdict.Reasons = []string{evil}
	hostile.Parent.Environment = []core.Fact{{Name: evil, Value: evil}}
	hostile.Run.Findings = []core.Finding{{ID: evil, Severity: core.Severity(evil), Message: evil, Mend: evil}}
	hostile.Run.Detail = evil
	s := *hostile.Parent.Scenario
	s.Target = core.ScenarioTarget{Kind: evil, Endpoint: evil, Host: evil, Database: evil, User: evil}
	s.Table.Name, s.Tags = evil, map[string]string{evil: evil}
	s.Operations = []core.Operation{{Kind: evil, Access: evil, Statements: []core.Statement{{SQL: "SELECT '" + evil + "'"}}}}
	hostile.Parent.Scenario = &s
	hostile.Parent.Kinds[0].Kind = evil
	hostile.Parent.Kinds[1].Kind = "=HYPERLINK(\"http://x\")"
	hostile.Parent.Kinds[3].Failures[0] = core.ErrorCount{Class: evil, Count: 1, Example: evil}
	hostile.Parent.SLOs[0].Text = evil
	hostile.Children[0].WorkerID, hostile.Children[0].WorkerEnding = evil, evil
	hostile.Parent.Certificate.Workers[0].Ending = evil
	hostile.Events[4].By, hostile.Events[4].Detail = evil, evil
	hostile.Points[3].Phase = core.Phase(evil)
	only := whole(completed())
	only.Run = core.Run{}
	return map[string]report.Result{
		"completed": whole(completed()), "cancelled": whole(cancelled()), "refused": refused(), "lost": lost(),
		"no series": completed(), "rollup": only, "hostile": hostile,
	}
})

var (
	identifier = regexp.MustCompile(` id="([^"]*)"`)
	outside    = regexp.MustCompile(`(?i)(src|href|srcset|action|data|poster|background)\s*=|url\(|@import|https?:`)
	tag        = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*?(/?)>`)
)

// TestHTML holds every report to it: one file that refers to nothing outside, has
// no script, and whose policy allows its own style sheet and nothing else.
func TestHTML(t *testing.T) {
	for name, r := range documents() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var out bytes.Buffer
			is.NoErr(report.HTML(&out, r))
			text := out.String()
			_, rest, found := strings.Cut(text, "<style>")
			is.True(found)
			css, body, _ := strings.Cut(rest, "</style>")
			sum := sha256.Sum256([]byte(css))
			is.True(strings.Contains(text, `default-src &#39;none&#39;; style-src &#39;sha256-`+strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;")))
			is.True(!strings.Contains(css, "url(") && !strings.Contains(css, "@import"))
			for _, m := range tag.FindAllString(body, -1) {
				is.True(!outside.MatchString(strings.ReplaceAll(m, "data-label=", ""))) // refers to nothing
				is.True(!strings.Contains(m, " style=") && !strings.Contains(m, " on"))
			}
			ids := map[string]bool{}
			for _, m := range identifier.FindAllStringSubmatch(body, -1) {
				is.True(!ids[m[1]]) // unique
				ids[m[1]] = true
			}
			checkNesting(t, body)
			for _, evil := range []string{"<script", "<img", "\x1b", "\u202e", "onerror=alert(1)>\""} {
				is.True(!strings.Contains(body, evil))
			}
		})
	}
}

// checkNesting fails on an element that is not closed, or closed out of order.
func checkNesting(t *testing.T, body string) {
	t.Helper()
	var open []string
	for _, m := range tag.FindAllStringSubmatch("<body>"+body[strings.Index(body, "<body>")+6:strings.Index(body, "</body>")]+"</body>", -1) {
		switch {
		case m[3] == "/":
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("</%s> closes %v", m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
}

// TestHTMLShows names what the report of a run must show.
func TestHTMLShows(t *testing.T) {
	for name, want := range map[string][]string{
		"completed": {"COMPLETED", "verdict VALID", "4,500 op/s", "POINT_LOOKUP", ">COMMIT<", "Throughput", "WARMUP", "MEASUREMENT", "Latency at each percentile",
			"Balanced", "Stop certificate", "Clean:", "error_rate &lt; 0.1%", "target.version", "3.46.0", "sqlite:.benchfleet/store.db", "000000000000feed", "SET_PHASE", "12s"},
		"cancelled": {"PARTIAL RESULT: the run is CANCELLED", "verdict INVALID", "the run was CANCELLED", "SQLITE_BUSY", "database is locked", "NOT BALANCED", "Not clean.", "ORPHANS that may be alive: worker-2",
			"killed by signal 9", "unknown: the target did not answer within 5s", "MISSED", "service time", "synchronise the clocks", "61.00%"},
		"refused":   {"nothing was measured", "BENCHFLEET_OLTP does not exist", "benchfleet prepare oltp"},
		"lost":      {"what was measured is unknown", "without a final report"},
		"no series": {"verdict VALID"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var out bytes.Buffer
			is.NoErr(report.HTML(&out, documents()[name]))
			for _, w := range want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("it does not show %q", w)
				}
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	for _, name := range []string{"completed", "cancelled", "refused"} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".md", func(w io.Writer) error { return report.Markdown(w, documents()[name]) })
		})
	}
	is := is.New(t)
	var out bytes.Buffer
	is.NoErr(report.Markdown(&out, documents()["hostile"]))
	is.True(!strings.ContainsAny(strings.ReplaceAll(out.String(), "&nbsp;", ""), "<>\x1b"))
	is.True(!strings.Contains(out.String(), "http://"))
	for line := range strings.SplitSeq(out.String(), "\n") { // every row has the cells of its head
		if strings.HasPrefix(line, "|") && strings.Contains(line, "alert") {
			is.True(strings.HasSuffix(line, " |"))
		}
	}
}

func TestCSV(t *testing.T) {
	for _, name := range []string{"completed", "refused"} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".csv", func(w io.Writer) error { return report.CSV(w, documents()[name]) })
		})
	}
	for name, r := range documents() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var out bytes.Buffer
			is.NoErr(report.CSV(&out, r))
			rows, err := csv.NewReader(&out).ReadAll() // as many fields in each row
			is.NoErr(err)
			scopes := map[string]int{}
			for _, row := range rows[1:] {
				scopes[row[0]]++
				for _, field := range row {
					is.True(field == "" || !strings.ContainsRune("=+@", rune(field[0]))) // no formula
				}
			}
			is.Equal(scopes["INTERVAL"], len(r.Points))
			is.Equal(scopes["WORKER"], len(r.Children))
			if r.Parent != nil {
				is.Equal(scopes["RUN"], 1)
				is.Equal(scopes["KIND"], len(r.Parent.Kinds))
			}
		})
	}
}

func TestDocumentWriteErrors(t *testing.T) {
	is := is.New(t)
	for _, write := range []func(io.Writer, report.Result) error{report.HTML, report.Markdown, report.CSV} {
		is.True(write(broken{}, documents()["completed"]) != nil)
	}
}

// TestPointsOf: what ends in one interval is one point, whatever its phase, and its
// percentiles are those of the merge.
func TestPointsOf(t *testing.T) {
	is := is.New(t)
	points := report.PointsOf(totals(intervals()))
	is.Equal(len(points), 14)
	fourth := points[3]
	is.Equal(fourth.Phase, core.Measurement)
	is.Equal(fourth.OK, uint64(404+40+1))
	is.Equal(fourth.Throughput, 445.0)
	is.Equal(fourth.Max, 1.0*0.5) // ms: the late one is in it
	is.Equal(points[10].OK, uint64(0))
	is.Equal(points[10].Errors, uint64(7))
	is.Equal(points[10].P99, 0.0)
	is.Equal(report.PointsOf(nil), []report.Point{})

	bands := report.Phases(points)
	is.Equal(len(bands), 2)
	is.Equal(bands[0].To, 3.0)
	is.Equal(bands[1].To, 15.0)
}

// TestPlaceInTime: an interval is drawn where it was, though it is named by the end
// of the grid that it was cut on, and a coarse one that reaches back over others
// does not turn the line round.
func TestPlaceInTime(t *testing.T) {
	is := is.New(t)
	rows := intervals()[5:8] // three seconds of the measurement
	last := rows[2]
	last.Offset, last.Start, last.Seconds = last.Offset+1, last.Start.Add(1003*time.Millisecond), 0.4 // stopped in the middle
	coarse := last
	coarse.Offset, coarse.Seconds = last.Offset+1, 4
	points := report.PointsOf(totals(append(slices.Clone(rows), last, coarse)))
	line := report.ThroughputChart(points, nil).Series[0].Points
	is.Equal(len(line), 5) // no gap
	is.Equal(line[0].X, rows[0].Offset-0.5)
	is.Equal(line[3].X, rows[2].Offset+0.2)
	for i := range line[1:] {
		is.True(line[i+1].X > line[i].X)
	}
	is.Equal(report.Phases(points[:4])[0].To, rows[2].Offset+0.4)
	is.Equal(len(report.ThroughputChart(report.PointsOf(totals(intervals())), nil).Series[0].Points), 14+1) // a gap where one is missing
}

// TestSeriesOfIntervals: the points of intervals are the same, whether they were read
// with their histograms or without.
func TestSeriesOfIntervals(t *testing.T) {
	is := is.New(t)
	var series report.Series
	series.Add(intervals())
	is.Equal(series.Points, report.PointsOf(totals(intervals())))
}

// pages is a result store of more rows than one call returns.
type pages struct {
	ports.ResultStore
	rows []ports.RunInterval
	err  error
}

func (p pages) Aggregates(_ context.Context, _ string, after float64, _ int) ([]ports.RunInterval, error) {
	from := slices.IndexFunc(p.rows, func(r ports.RunInterval) bool { return r.Offset > after })
	if from < 0 {
		return nil, p.err
	}
	return p.rows[from:min(len(p.rows), from+10_000)], p.err
}

func (p pages) Totals(ctx context.Context, run string, after float64) ([]ports.IntervalTotal, error) {
	rows, err := p.Aggregates(ctx, run, after, 0)
	return totals(rows), err
}

// TestReadInPages: every row comes once, and those of one offset together, though
// a page of the store ends between them.
func TestReadInPages(t *testing.T) {
	is := is.New(t)
	var store pages
	for i := range 25_000 {
		store.rows = append(store.rows, ports.RunInterval{Offset: float64(1 + i/2), Phase: core.LoadPhases()[i%2]})
	}
	store.rows = slices.Insert(store.rows, 1, ports.RunInterval{Offset: 1, Phase: core.Cooldown}) // now a pair lies across each page's end
	got, err := report.ReadTotals(t.Context(), store, "run")
	is.NoErr(err)
	is.Equal(len(got), 25_001)
	is.Equal(len(report.PointsOf(got)), 12_500)
	series, err := report.ReadSeries(t.Context(), store, "run")
	is.NoErr(err)
	is.Equal(series.Points, report.PointsOf(got))
	series, err = report.ReadSeries(t.Context(), pages{}, "run")
	is.NoErr(err)
	is.Equal(series.Points, []report.Point{})
	_, err = report.ReadTotals(t.Context(), pages{err: core.ErrUnavailable}, "run")
	is.True(errors.Is(err, core.ErrUnavailable))
}

// TestPhaseOver: a phase that is over does not come back in a chart.
func TestPhaseOver(t *testing.T) {
	is := is.New(t)
	var points []report.Point
	for i, phase := range []core.Phase{core.Warmup, core.Measurement, core.Warmup, core.Measurement, core.Cooldown, core.Warmup} {
		points = append(points, report.Point{Elapsed: float64(i + 1), Seconds: 1, Phase: phase, OK: 1})
	}
	var names []string
	for _, b := range report.Phases(points) {
		names = append(names, b.Name)
	}
	is.Equal(names, []string{"WARMUP", "MEASUREMENT", "COOLDOWN"})
	is.Equal(report.Phases(points)[1].To, 4.0)
}
