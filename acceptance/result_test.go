//go:build unix

package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// document is what is looked at of a result in JSON.
type document struct {
	RunID   string `json:"run_id"`
	Name    string `json:"test_name"`
	Status  string
	Reason  string
	Verdict *struct {
		Level   string
		Reasons []string
	}
	Operation string `json:"operation_hash"`
	Total     *struct {
		Operations, OK, Errors int64
		Throughput             float64 `json:"ops_per_second"`
	}
	Kinds []struct {
		Kind       string
		Operations int64
	}
	Ledger   *struct{ Balanced bool }
	Findings []struct{ Severity, Message string }
}

// result reads stdout, which must be one JSON document and nothing else.
func (o outcome) result(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
		t.Fatalf("%v: %v", err, o)
	}
	return d
}

// TestAcceptanceSameOperations: a run that is bounded by operations makes the
// same ones, however many workers share its connections.
func TestAcceptanceSameOperations(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	same := func(workers, connections, seed int) document {
		o := s.must("run", "short", "--operations", "900", "--warmup", "0s", "--output", "json", "--seed", fmt.Sprint(seed),
			"--workers", fmt.Sprint(workers), "--connections", fmt.Sprint(connections))
		d := o.result(t)
		is.Equal(d.Status, "COMPLETED")
		is.Equal(d.Reason, "OPERATIONS_DONE")
		is.Equal(d.Total.Operations, int64(900)) // all, and no more
		is.Equal(d.Total.Errors, int64(0))
		is.Equal(len(d.Operation), 16)
		return d
	}
	one := same(1, 6, 7)
	for _, shape := range [][2]int{{2, 3}, {3, 2}} {
		d := same(shape[0], shape[1], 7)
		is.Equal(d.Operation, one.Operation)
		is.Equal(d.Kinds, one.Kinds)
	}
	is.True(same(3, 2, 8).Operation != one.Operation) // another seed, other operations
}

// TestAcceptanceVerdicts: a missed objective and a result that is worth nothing
// have exit codes of their own.
func TestAcceptanceVerdicts(t *testing.T) {
	once(t)
	s := newSite(t)
	s.must("template", "import", s.templates("verdicts.yaml"))
	for _, tt := range []struct {
		template, verdict string
		code              int
	}{{"missed", "", 6}, {"met", "", 0}, {"failing", "INVALID", 7}} {
		t.Run(tt.template, func(t *testing.T) {
			is := is.New(t)
			o := s.do("run", tt.template, "--output", "json")
			is.Equal(o.code, tt.code)
			d := o.result(t)
			is.Equal(d.Status, "COMPLETED")
			if tt.verdict != "" {
				is.Equal(d.Verdict.Level, tt.verdict)
				is.Equal(d.Total.OK, int64(0))
			}
			is.Equal(s.must("result", d.RunID, "--output", "json").result(t), d) // and is read again as it was shown
			is.Equal(s.do("watch", d.RunID).code, tt.code)                       // a watcher learns it too
		})
	}
}

// TestAcceptanceJSON: every reading command writes one JSON document, and
// nothing else, on stdout.
func TestAcceptanceJSON(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	s.with("BENCHFLEET_OUTPUT=json", "BENCHFLEET_DURATION=500ms")
	run := s.must("run", "short").result(t).RunID
	for _, args := range [][]string{
		{"runs"}, {"status", run}, {"result", run}, {"events", run}, {"logs", run}, {"watch", run}, {"stop", run},
		{"stop", run, "--no-wait"}, {"preflight", "short"}, {"schema", "check"}, {"template", "list"},
		{"template", "show", "short"}, {"template", "schema"}, {"version"}, {"gc"},
	} {
		o := s.must(args...)
		if !json.Valid([]byte(o.stdout)) {
			t.Errorf("%v is no JSON: %v", args, o)
		}
	}
	for line := range strings.Lines(s.must("logs", run, "--follow").stdout) { // one for each line
		is.True(json.Valid([]byte(line)))
	}
	refused := s.do("run", "short", "--set", "table.name=NOT_THERE")
	is.Equal(refused.code, 4)
	d := refused.result(t)
	is.Equal(d.Status+" "+d.Reason+" "+d.Name, "FAILED PREFLIGHT_REFUSED short")
	is.True(len(d.Findings) > 0)
	is.True(strings.Contains(refused.stderr, "benchfleet prepare")) // people read stderr
}

// TestAcceptanceExample: the example as its reader runs it: interrupted, then to
// its end.
func TestAcceptanceExample(t *testing.T) {
	needs(t, launcherFlag, "local", "the example starts subprocesses")
	needs(t, targetFlag, "sqlite", "the example has a target of its own")
	is := is.New(t)
	example := filepath.Join(t.TempDir(), "local")
	build := exec.Command("go", "build", "-o", example, "../examples/local")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := emptySite(t, filepath.Join(t.TempDir(), "data"))
	start := func() *running {
		r := s.command()
		r.cmd.Path, r.cmd.Args = example, []string{example, "--dir", s.dir, "--duration", "1s"}
		return r.begin()
	}
	first := start()
	first.says("3 workers healthy")
	is.Equal(len(s.workers("")), 3)
	first.signal(syscall.SIGINT)
	o := first.wait(20 * time.Second)
	is.Equal(o.code, 3)
	for _, want := range []string{"CANCELLED (USER_REQUESTED)", "PARTIAL RESULT", "stop     asked", "3 workers, 12 connections"} {
		is.True(strings.Contains(o.stdout, want))
	}
	is.Equal(len(s.workers("")), 0)
	o = start().wait(40 * time.Second)
	t.Log(o)
	is.Equal(o.code, 0)
	for _, want := range []string{"COMPLETED (ELAPSED)", "TRANSFER", "verdict", "ledger"} {
		is.True(strings.Contains(o.stdout, want))
	}
	is.Equal(len(s.workers("")), 0)
	is.True(strings.Contains(s.must("runs").stdout, "CANCELLED")) // the command reads the same store
	entries, err := os.ReadDir(s.dir)
	is.NoErr(err)
	for _, e := range entries { // and nothing is left lying about
		is.True(strings.HasPrefix(e.Name(), "store.db") || strings.HasPrefix(e.Name(), "target.db"))
	}
}
