package runner_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

func TestLogLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	line := func(sequence int64, at time.Time, level, message string) ports.LogLine {
		return ports.LogLine{RunID: "run", WorkerID: "worker-1", Sequence: sequence, Time: at, Level: level, Message: message}
	}
	for _, tc := range []struct {
		name string
		text string
		want []ports.LogLine
	}{
		{"nothing", "", nil},
		{"only line ends", "\n\n", nil},
		{"plain", "hello\nworld\n", []ports.LogLine{line(1, time.Time{}, "INFO", "hello"), line(2, time.Time{}, "INFO", "world")}},
		{"JSON", `{"time":"2026-01-02T04:04:05.6+01:00","level":"WARN","msg":"slow"}`, []ports.LogLine{line(1, at, "WARN", "slow")}},
		{"further keys are kept, in order", `{"time":"2026-01-02T03:04:05.6Z","level":"INFO","msg":"opened","n":3,"b":"x"}`, []ports.LogLine{line(1, at, "INFO", `opened {"b":"x","n":3}`)}},
		{"who said it is known", `{"time":"2026-01-02T03:04:05.6Z","level":"INFO","msg":"m","run_id":"run","worker_id":"worker-1"}`, []ports.LogLine{line(1, at, "INFO", "m")}},
		{"a panic behind JSON takes its time", "{\"time\":\"2026-01-02T03:04:05.6Z\",\"level\":\"INFO\",\"msg\":\"m\"}\npanic: oh\n\ngoroutine 1\n",
			[]ports.LogLine{line(1, at, "INFO", "m"), line(2, at, "INFO", "panic: oh"), line(4, at, "INFO", "goroutine 1")}},
		{"JSON that is no object", `[1]` + "\n" + `"x"` + "\nnull", []ports.LogLine{line(1, time.Time{}, "INFO", "[1]"), line(2, time.Time{}, "INFO", `"x"`), line(3, time.Time{}, "INFO", "null")}},
		{"JSON without a message", `{"level":"INFO"}`, []ports.LogLine{line(1, time.Time{}, "INFO", `{"level":"INFO"}`)}},
		{"a time that is none", `{"time":"yesterday","level":"INFO","msg":"m"}`, []ports.LogLine{line(1, time.Time{}, "INFO", "m")}},
		{"numbered lines are the same wherever they are read", "cut off\n" + `{"seq":7,"level":"INFO","msg":"m"}` + "\npanic: oh\n\ngoroutine 1\n" + `{"seq":8,"level":"INFO","msg":"n"}`,
			[]ports.LogLine{line(1, time.Time{}, "INFO", "cut off"), line(7_000_000, time.Time{}, "INFO", "m"), line(7_000_001, time.Time{}, "INFO", "panic: oh"),
				line(7_000_003, time.Time{}, "INFO", "goroutine 1"), line(8_000_000, time.Time{}, "INFO", "n")}},
		{"a number that is none", `{"seq":"x","level":"INFO","msg":"m"}` + "\n" + `{"seq":-1,"level":"INFO","msg":"n"}`, []ports.LogLine{line(1, time.Time{}, "INFO", "m"), line(2, time.Time{}, "INFO", "n")}},
		{"half a line", `{"time":"2026-01-02T03:04`, []ports.LogLine{line(1, time.Time{}, "INFO", `{"time":"2026-01-02T03:04`)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(runner.LogLines("run", "worker-1", []byte(tc.text)), tc.want)
		})
	}
}

// What slog writes is what is read.
func TestLogLinesOfSlog(t *testing.T) {
	is := is.New(t)
	var text bytes.Buffer
	slog.New(slog.NewJSONHandler(&text, nil)).Error("it broke", "error", "x")
	lines := runner.LogLines("run", "w", text.Bytes())
	is.Equal(len(lines), 1)
	is.Equal(lines[0].Level, "ERROR")
	is.Equal(lines[0].Message, `it broke {"error":"x"}`)
	is.True(time.Since(lines[0].Time).Abs() < time.Minute)
}

// The newest part of every worker's log is in the store when the run has ended,
// and its launcher has forgotten it.
func TestLogsAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-1": {crash: true}})
		b.seen = func(p *memory.Process) {
			fmt.Fprintf(p, "{\"time\":\"2026-01-02T03:04:05Z\",\"level\":\"INFO\",\"msg\":\"hello from %s\"}\n", p.Spec().Key.WorkerID)
		}
		run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, longLoad))
		is.Equal(run.Status, core.Failed)
		lines, err := b.store.Logs().Read(context.Background(), "run", "", time.Time{}, 0)
		is.NoErr(err)
		lines = slices.DeleteFunc(lines, func(l ports.LogLine) bool { return l.WorkerID == "" })
		is.Equal(len(lines), 2)
		for i, l := range lines {
			is.True(strings.HasPrefix(l.Message, "hello from worker-"+string(rune('0'+i))))
		}
	})
}
