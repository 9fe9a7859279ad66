package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// texts are all text views of all fixtures.
func texts() map[string]func(io.Writer, ...report.Option) error {
	result := func(r report.Result) func(io.Writer, ...report.Option) error {
		return func(w io.Writer, o ...report.Option) error { return report.Text(w, r, o...) }
	}
	interim := completed()
	interim.Run.Status, interim.Run.Reason = core.Stopping, core.Elapsed
	only := completed()
	only.Run = core.Run{}
	return map[string]func(io.Writer, ...report.Option) error{
		"completed": result(completed()),
		"cancelled": result(cancelled()),
		"refused":   result(refused()),
		"lost":      result(lost()),
		"interim":   result(interim),
		"rollup":    result(only),
		"runs":      func(w io.Writer, o ...report.Option) error { return report.RunsText(w, runs(), o...) },
		"no_runs":   func(w io.Writer, o ...report.Option) error { return report.RunsText(w, nil, o...) },
		"events":    func(w io.Writer, o ...report.Option) error { return report.EventsText(w, events(), o...) },
		"ended": func(w io.Writer, o ...report.Option) error {
			r := completed()
			return report.StatusText(w, report.Status{Run: r.Run, Scenario: scenario(), Now: at(99)}, o...)
		},
		"running":   func(w io.Writer, o ...report.Option) error { return report.StatusText(w, running(), o...) },
		"stopping":  func(w io.Writer, o ...report.Option) error { return report.StatusText(w, stopping(), o...) },
		"findings":  func(w io.Writer, o ...report.Option) error { return report.FindingsText(w, findings(), o...) },
		"passed":    func(w io.Writer, o ...report.Option) error { return report.FindingsText(w, findings()[:1], o...) },
		"templates": func(w io.Writer, o ...report.Option) error { return report.TemplatesText(w, templates(), o...) },
		"comparison": func(w io.Writer, o ...report.Option) error {
			return report.CompareText(w, comparison(), o...)
		},
		"interval": func(w io.Writer, o ...report.Option) error {
			return report.IntervalLine(w, scenario().Plan(), interval(), o...)
		},
		"log": func(w io.Writer, o ...report.Option) error {
			return report.LogLine(w, ports.LogLine{WorkerID: "worker-1", Time: at(1), Level: "INFO", Message: "ready\x1b[1m\tnow"}, o...)
		},
	}
}

func TestText(t *testing.T) {
	for name, write := range texts() {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", func(w io.Writer) error { return write(w) })
		})
	}
}

func TestTextOfRunThatGoesOn(t *testing.T) {
	is := is.New(t)
	r := refused()
	r.Run.Status, r.Run.Reason, r.Run.Findings = core.Running, "", nil
	var text strings.Builder
	is.NoErr(report.Text(&text, r))
	is.True(strings.Contains(text.String(), "there is no result yet: the run is RUNNING"))
}

func TestNarrowText(t *testing.T) {
	for _, name := range []string{"cancelled", "running", "findings", "templates"} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+"_80.txt", func(w io.Writer) error { return texts()[name](w, report.Width(80)) })
		})
	}
}

// TestTextIsSafe holds every view, at every width, to it: no line is wider, and
// nothing that a store holds can move a cursor or hide.
func TestTextIsSafe(t *testing.T) {
	for name, write := range texts() {
		for _, width := range []int{0, 48, 60, 80, 120} {
			t.Run(fmt.Sprintf("%s %d", name, width), func(t *testing.T) {
				is := is.New(t)
				var out bytes.Buffer
				is.NoErr(write(&out, report.Width(width)))
				for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\n"), "\n") {
					for _, r := range line {
						is.True(unicode.IsPrint(r)) // visible
					}
					if width > 0 && len([]rune(line)) > width {
						t.Errorf("%d columns: %s", len([]rune(line)), line)
					}
				}
			})
		}
	}
}

func TestColours(t *testing.T) {
	for name, write := range texts() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var plain, coloured bytes.Buffer
			is.NoErr(write(&plain, report.Width(80)))
			is.NoErr(write(&coloured, report.Width(80), report.Colours()))
			text := coloured.String()
			for _, code := range []string{"\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"} {
				text = strings.ReplaceAll(text, code, "")
			}
			is.Equal(text, plain.String()) // the same, and every colour is ended
			is.True(strings.Count(coloured.String(), "\x1b[0m")*2 >= strings.Count(coloured.String(), "\x1b["))
		})
	}
}

func TestJSON(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"completed": func(w io.Writer) error { return report.JSON(w, completed()) },
		"cancelled": func(w io.Writer) error { return report.JSON(w, cancelled()) },
		"refused":   func(w io.Writer) error { return report.JSON(w, refused()) },
		"lost":      func(w io.Writer) error { return report.JSON(w, lost()) },
		"runs":      func(w io.Writer) error { return report.RunsJSON(w, runs()) },
		"no_runs":   func(w io.Writer) error { return report.RunsJSON(w, nil) },
		"events":    func(w io.Writer) error { return report.EventsJSON(w, events()) },
		"running":   func(w io.Writer) error { return report.StatusJSON(w, running()) },
		"stopping":  func(w io.Writer) error { return report.StatusJSON(w, stopping()) },
		"findings":  func(w io.Writer) error { return report.FindingsJSON(w, findings()) },
		"templates": func(w io.Writer) error { return report.TemplatesJSON(w, templates()) },
		"intervals": func(w io.Writer) error { return report.IntervalsJSON(w, []ports.RunInterval{interval()}) },
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".json", write)
		})
	}
}

// TestJSONKeys holds every key of every document to the rules of the package
// comment, and every time to UTC.
func TestJSONKeys(t *testing.T) {
	is := is.New(t)
	files, err := os.ReadDir("testdata")
	is.NoErr(err)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		data, err := os.ReadFile("testdata/" + f.Name())
		is.NoErr(err)
		var document any
		is.NoErr(json.Unmarshal(data, &document))
		checkKeys(t, f.Name(), document)
	}
}

func checkKeys(t *testing.T, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if strings.ToLower(key) != key || strings.ContainsAny(key, "- ") {
				t.Errorf("%s.%s is not in snake_case", path, key)
			}
			checkKeys(t, path+"."+key, value)
		}
	case []any:
		for i, item := range v {
			checkKeys(t, fmt.Sprintf("%s[%d]", path, i), item)
		}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil && at.Location() != time.UTC {
			t.Errorf("%s: %s is not in UTC", path, v)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrors(t *testing.T) {
	for name, write := range texts() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.True(write(broken{}) != nil)
		})
	}
	is.New(t).True(report.JSON(broken{}, completed()) != nil)
}

func TestUnits(t *testing.T) {
	is := is.New(t)
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 1000: "1.00µs", 9994: "9.99µs", 9996: "10.0µs", 12345: "12.3µs", 99949: "99.9µs", 99951: "100µs",
		999_499: "999µs", 999_500: "1.00ms", 1_234_567: "1.23ms", 999_600_000: "1.00s", 12 * time.Second: "12.0s", -1500: "-1.50µs",
		1234 * time.Second: "1234s",
	} {
		is.Equal(report.Latency(d), want)
	}
	is.Equal(report.Count(0), "0")
	is.Equal(report.Count(999), "999")
	is.Equal(report.Count(1000), "1,000")
	is.Equal(report.Count(int64(-1234567)), "-1,234,567")
	is.Equal(report.Count(uint64(1)<<63), "9,223,372,036,854,775,808")
	for v, want := range map[float64]string{0: "0", 0.5: "0.50", 1.234: "1.23", 12.34: "12.3", 99.96: "100", 1234.5: "1,235", 1e18: "1.00e+18"} {
		is.Equal(report.Rate(v), want)
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 850 * time.Millisecond: "850ms", 12300 * time.Millisecond: "12.3s", 12 * time.Second: "12s", 250 * time.Second: "4m10s",
		7500 * time.Second: "2h05m", -time.Second: "-1s", 59960 * time.Millisecond: "1m00s",
	} {
		is.Equal(report.Span(d), want)
	}
}

func TestStageOf(t *testing.T) {
	base := running().Run
	with := func(change func(*core.Run)) core.Run {
		r := base
		change(&r)
		return r
	}
	for _, test := range []struct {
		name string
		run  core.Run
		now  float64
		want string
		left float64 // seconds; -1: not known
	}{
		{"measurement", base, 6, "MEASUREMENT", 10},
		{"measurement over", base, 20, "MEASUREMENT", 0},
		{"measurement not yet", base, 3.5, "WARMUP", 0.5},
		{"warmup", with(func(r *core.Run) { r.Phase, r.PhaseAt = core.Warmup, at(1) }), 2, "WARMUP", 2},
		{"cooldown not yet", with(func(r *core.Run) { r.Phase, r.PhaseAt, r.Until = core.Cooldown, at(16), at(18) }), 15, "MEASUREMENT", 1},
		{"cooldown", with(func(r *core.Run) { r.Phase, r.PhaseAt, r.Until = core.Cooldown, at(16), at(18) }), 17, "COOLDOWN", 1},
		{"by operations", with(func(r *core.Run) { r.Plan.Duration = 0 }), 6, "MEASUREMENT", -1},
		{"prepared", core.NewRun("r", base.Plan), 0, "PREPARING", -1},
		{"starting", with(func(r *core.Run) { r.Status, r.Deadline = core.Starting, at(60) }), 10, "STARTING", 50},
		{"stopping", stopping().Run, 10, "CANCEL", 1.03},
		{"processing", with(func(r *core.Run) { r.Status, r.Phase, r.Deadline = core.Stopping, core.Processing, at(9) }), 8, "PROCESSING", 1},
		{"ended", completed().Run, 99, "COMPLETED", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			stage := report.StageOf(test.run, at(test.now))
			is.Equal(stage.Name, test.want)
			left, ok := stage.Left(at(test.now))
			is.Equal(ok, test.left >= 0)
			if ok {
				is.Equal(left, time.Duration(test.left*float64(time.Second)))
			}
		})
	}
	is := is.New(t)
	share, ok := report.StageOf(base, at(7)).Share(at(7))
	is.True(ok)
	is.Equal(share, 0.25)
}

func ExampleText() {
	report.RunsText(os.Stdout, []ports.RunSummary{{ID: "01JX", Name: "oltp", Status: core.Running, Workers: 3, TotalOps: 12345}})
	// Output:
	// run   name  status   started  took  workers   count  errors  op/s  reason
	// 01JX  oltp  RUNNING  -           -        3  12,345       0     0
}
