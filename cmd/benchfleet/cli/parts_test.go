package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/live"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
)

func TestExitCode(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, ExitCompleted},
		{"one that carries its code", fmt.Errorf("run: %w", exitWith(ExitSLO, nil)), ExitSLO},
		{"a lost store", &runner.StoreLostError{Cause: core.ErrUnavailable}, ExitFailed},
		{"not found", fmt.Errorf("%w: x", core.ErrNotFound), ExitUsage},
		{"invalid", core.ErrInvalid, ExitUsage},
		{"denied", core.ErrDenied, ExitUsage},
		{"taken over", runner.ErrTakenOver, ExitUsage},
		{"internal", core.ErrInternal, ExitInternal},
		{"without a code", errors.New("x"), ExitInternal},
	} {
		t.Run(tt.name, func(t *testing.T) { is.New(t).Equal(exitCode(tt.err), tt.want) })
	}
}

func TestRunExit(t *testing.T) {
	completed := core.Run{Status: core.Completed, Reason: core.Elapsed}
	valid := core.Verdict{Level: core.Valid}
	missed := []core.SLOResult{{Met: true}, {Met: false}}
	for _, tt := range []struct {
		name   string
		run    core.Run
		result *core.Rollup
		want   int
	}{
		{"completed", completed, &core.Rollup{Verdict: valid}, ExitCompleted},
		{"degraded", completed, &core.Rollup{Verdict: core.Verdict{Level: core.Degraded}}, ExitCompleted},
		{"without a result", completed, nil, ExitInternal},
		{"an SLO missed", completed, &core.Rollup{Verdict: valid, SLOs: missed}, ExitSLO},
		{"an SLO of what a search has not met", completed, &core.Rollup{Verdict: valid, SLOs: []core.SLOResult{{Unknown: true}}}, ExitCompleted},
		{"invalid, whatever the SLOs", completed, &core.Rollup{Verdict: core.Verdict{Level: core.InvalidRun}, SLOs: missed}, ExitInvalid},
		{"cancelled", core.Run{Status: core.Cancelled, Reason: core.UserRequested}, &core.Rollup{SLOs: missed}, ExitCancelled},
		{"failed", core.Run{Status: core.Failed, Reason: core.WorkerLost}, nil, ExitFailed},
		{"refused", core.Run{Status: core.Failed, Reason: core.PreflightRefused}, nil, ExitRefused},
	} {
		t.Run(tt.name, func(t *testing.T) { is.New(t).Equal(runExit(tt.run, tt.result), tt.want) })
	}
}

func TestInterrupted(t *testing.T) {
	for _, tt := range []struct {
		nth   int
		at    stage
		leave bool
		rung  core.Rung
		says  string
	}{
		{1, working, false, core.Drain, "again to kill the workers"},
		{2, working, false, core.Kill, "again to leave"},
		{3, working, true, 0, ""},
		{1, storing, false, core.Drain, "is being stored; interrupt again to leave"},
		{2, storing, true, 0, ""},
		{1, ended, true, 0, ""},
	} {
		t.Run(fmt.Sprint(tt.nth, tt.at), func(t *testing.T) {
			is := is.New(t)
			var say bytes.Buffer
			request, ok := interrupted(&say, tt.nth, tt.at, "interrupt")
			is.Equal(!ok, tt.leave)
			is.True(strings.Contains(say.String(), tt.says))
			if ok {
				is.Equal(max(request.Rung, core.Drain), tt.rung)
				is.Equal(request.By, "signal interrupt")
				is.Equal(request.Reason, core.UserRequested)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two := file("one", "/one.db\n"), file("two", "  /two.db  ")
	for _, tt := range []struct {
		name, endpoint   string
		flags, environ   []string
		address, refused string
	}{
		{name: "local is a file of the data directory", endpoint: "local", address: filepath.Join(dir, "target.db")},
		{name: "the environment", endpoint: "prod-eu", environ: []string{"BENCHFLEET_ENDPOINT_PROD_EU=/env.db"}, address: "/env.db"},
		{name: "a file of the environment", endpoint: "prod", environ: []string{"BENCHFLEET_ENDPOINT_PROD_FILE=" + one}, address: "/one.db"},
		{name: "the value before the file", endpoint: "prod", environ: []string{"BENCHFLEET_ENDPOINT_PROD_FILE=" + one, "BENCHFLEET_ENDPOINT_PROD=/env.db"}, address: "/env.db"},
		{name: "the flag before the environment", endpoint: "prod", flags: []string{"other=" + one, "prod=" + two}, environ: []string{"BENCHFLEET_ENDPOINT_PROD=/env.db"}, address: "/two.db"},
		{name: "the flag before the default", endpoint: "local", flags: []string{"local=" + two}, address: "/two.db"},
		{name: "unknown", endpoint: "prod", refused: "BENCHFLEET_ENDPOINT_PROD"},
		{name: "empty", endpoint: "local", environ: []string{"BENCHFLEET_ENDPOINT_LOCAL="}, refused: "BENCHFLEET_ENDPOINT_LOCAL is empty"},
		{name: "no file", endpoint: "prod", flags: []string{"prod=" + dir + "/none"}, refused: "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			a := &app{dir: dir, endpoints: tt.flags, environ: tt.environ}
			e, err := a.endpoint("sqlite", tt.endpoint)
			if tt.refused != "" {
				is.True(err != nil)
				is.Equal(exitCode(err), ExitUsage)
				is.True(strings.Contains(err.Error(), tt.refused))
				return
			}
			is.NoErr(err)
			is.Equal(e.Name, tt.endpoint)
			is.Equal(e.DSN, tt.address)
		})
	}
}

// TestOverrides: what flags make of the bounds and the mode of a template.
func TestOverrides(t *testing.T) {
	const boundless = "boundless "
	for _, tt := range []struct {
		flags, template  string
		operations       int64
		duration, warmup core.Duration
		mode             string
		rate             float64
	}{
		{flags: "", duration: seconds(12), warmup: seconds(3)},
		{flags: "--duration 5s", duration: seconds(5), warmup: seconds(3)},
		{flags: "--operations 100", operations: 100, warmup: seconds(3)},
		{flags: "--operations 100 --warmup 1s", operations: 100, warmup: seconds(1)},
		{flags: "--operations 100 --duration 5s", operations: 100, duration: seconds(5), warmup: seconds(3)},
		{flags: "--warmup 0s", duration: seconds(12)},
		{flags: "--set load.warmup=0s --set load.duration=1m", duration: seconds(60)},
		{flags: "--duration 5s --set load.duration=6s", duration: seconds(6), warmup: seconds(3)},
		{flags: "--rate 100", duration: seconds(12), warmup: seconds(3), mode: core.ModeQPS, rate: 100},
		{flags: "--find-max rate", warmup: seconds(3), mode: core.ModeFindQPS},
		{flags: "--find-max rate --rate 20000", warmup: seconds(3), mode: core.ModeFindQPS, rate: 20000}, // its ceiling
		{flags: "--rate 20000 --find-max rate --duration 5s", duration: seconds(5), warmup: seconds(3), mode: core.ModeFindQPS, rate: 20000},
		{flags: "--find-max connections", warmup: seconds(3), mode: core.ModeFindConcurrency},
		{flags: "--find-max rate --set load.mode=CONCURRENCY", warmup: seconds(3), mode: core.ModeConcurrency}, // --set is the last word
		{template: boundless, flags: ""},
		{template: boundless, flags: "--warmup 0s", duration: seconds(10)}, // 2s would come with no duration
		{template: boundless, flags: "--warmup 1s", duration: seconds(10), warmup: seconds(1)},
		{template: boundless, flags: "--warmup 1s --operations 100", operations: 100, warmup: seconds(1)},
		{template: boundless, flags: "--warmup 5s --set load.mode=FIND_MAX_QPS", warmup: seconds(5), mode: core.ModeFindQPS}, // a search has a default of its own
		{template: boundless, flags: "--warmup 5s --find-max rate", warmup: seconds(5), mode: core.ModeFindQPS},
	} {
		t.Run(tt.template+tt.flags, func(t *testing.T) {
			is := is.New(t)
			template, err := library.Get("oltp")
			is.NoErr(err)
			if tt.template == boundless {
				template.Load = core.TemplateLoad{}
			}
			var o overrides
			cmd := &cobra.Command{}
			o.add(cmd)
			is.NoErr(cmd.Flags().Parse(strings.Fields(tt.flags)))
			changed, err := o.apply(template)
			is.NoErr(err)
			is.Equal(changed.Load.Operations, tt.operations)
			is.Equal(changed.Load.Duration, tt.duration)
			is.Equal(changed.Load.Warmup, tt.warmup)
			if tt.mode != "" || tt.template == boundless {
				is.Equal(changed.Load.Mode, tt.mode)
			}
			is.Equal(changed.Load.Rate, tt.rate)
		})
	}
}

func seconds(n int) core.Duration { return core.Duration(n) * core.Duration(1e9) }

func TestSpool(t *testing.T) {
	t.Run("in the data directory", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		var say bytes.Buffer
		is.NoErr(spoolIn(dir, &say)("certificate.json", []byte("{}")))
		text, err := os.ReadFile(filepath.Join(dir, "certificate.json"))
		is.NoErr(err)
		is.Equal(string(text), "{}")
		is.True(strings.Contains(say.String(), dir))
		entries, err := os.ReadDir(dir)
		is.NoErr(err)
		is.Equal(len(entries), 1) // and nothing half-written
	})
	t.Run("elsewhere when that is gone", func(t *testing.T) {
		is := is.New(t)
		t.Setenv("TMPDIR", t.TempDir())
		t.Setenv("TMP", os.Getenv("TMPDIR")) // on Windows
		var say bytes.Buffer
		is.NoErr(spoolIn(filepath.Join(t.TempDir(), "gone"), &say)("certificate.json", []byte("{}")))
		_, err := os.Stat(filepath.Join(os.TempDir(), "certificate.json"))
		is.NoErr(err)
		is.True(strings.Contains(say.String(), os.TempDir()))
	})
	t.Run("an error when nowhere can be written", func(t *testing.T) {
		is := is.New(t)
		gone := filepath.Join(t.TempDir(), "gone")
		t.Setenv("TMPDIR", gone)
		t.Setenv("TMP", gone)
		is.True(spoolIn(gone, &bytes.Buffer{})("certificate.json", nil) != nil)
	})
}

// TestDisplayChoice: a live view on a terminal, plain lines everywhere else, and
// colours where nobody has asked for none.
func TestDisplayChoice(t *testing.T) {
	is := is.New(t)
	a := &app{err: &bytes.Buffer{}, out: &bytes.Buffer{}}
	is.True(!a.terminal(a.err)) // a buffer
	is.Equal(len(a.layout()), 0)
	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	defer w.Close()
	is.True(!a.terminal(w)) // a pipe
	d := a.newDisplay()
	_, plain := d.Display.(*live.Terminal)
	is.True(!plain)
	is.NoErr(d.Close())
	is.True(a.colours())
	is.True((&app{environ: []string{"NO_COLOR="}}).colours()) // as its definition says
	is.True(!(&app{environ: []string{"NO_COLOR=1"}}).colours())
	if runtime.GOOS != "linux" {
		return
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine gives out no terminal: ", err)
	}
	defer terminal.Close()
	is.True(a.terminal(terminal))
	is.True(!(&app{environ: []string{"TERM=dumb"}}).terminal(terminal))
}

func TestGrouped(t *testing.T) {
	is := is.New(t)
	is.Equal(grouped(0), "0")
	is.Equal(grouped(999), "999")
	is.Equal(grouped(1000), "1,000")
	is.Equal(grouped(1234567), "1,234,567")
}

// TestInterruptEndsWaiting: a command that drives nothing ends at an interrupt,
// and says so.
func TestInterruptEndsWaiting(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	a := &app{dir: dir, store: "sqlite:" + filepath.Join(dir, "store.db"), output: "text", out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	template, err := library.Get("oltp")
	is.NoErr(err)
	target, _, err := a.openTarget(t.Context(), core.ScenarioTarget{Kind: "sqlite", Endpoint: "local"})
	is.NoErr(err)
	defer target.Close()
	ctx, cancel := context.WithCancel(t.Context())
	loader := cancelling{target, cancel}
	err = a.loadTable(ctx, loader, core.TemplateTable{Name: template.Table.Name, Rows: 50_000})
	is.Equal(exitCode(err), ExitCancelled)
	is.True(strings.Contains(err.Error(), "has 10,000 of 50,000 rows; the same command goes on there"))
	is.NoErr(a.loadTable(t.Context(), target, core.TemplateTable{Name: template.Table.Name, Rows: 50_000})) // and so it does
}

// cancelling is a loader whose user interrupts after the first batch.
type cancelling struct {
	targetAndLoader
	cancel context.CancelFunc
}

func (c cancelling) Load(ctx context.Context, table core.TemplateTable, progress func(int64)) error {
	return c.targetAndLoader.Load(ctx, table, func(rows int64) {
		progress(rows)
		c.cancel()
	})
}
