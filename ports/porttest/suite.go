package porttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// A Case is one test of a suite. H is the harness that opens what is tested.
type Case[H any] struct {
	Name string
	Run  func(t testing.TB, h H)
}

// A Suite is the cases of one port, in order.
type Suite[H any] []Case[H]

// Test runs every case as a subtest.
func (s Suite[H]) Test(t *testing.T, h H) {
	t.Helper()
	for _, c := range s {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, h) })
	}
}

// A Failure is a case that failed, and why.
type Failure struct {
	Case     string
	Messages []string
}

// String is the failure on one line.
func (f Failure) String() string { return f.Case + ": " + strings.Join(f.Messages, "; ") }

// Failing runs every case and returns those that failed, without failing t: it
// is how a suite is proved to notice what is broken.
func (s Suite[H]) Failing(t testing.TB, h H) []Failure {
	t.Helper()
	var failures []Failure
	for _, c := range s {
		r := &recorder{TB: t, name: t.Name() + "/" + c.Name}
		done := make(chan struct{})
		go func() { // FailNow ends the goroutine that calls it
			defer close(done)
			defer r.cleanUp()
			defer func() {
				if p := recover(); p != nil {
					r.Errorf("panic: %v", p)
				}
			}()
			c.Run(r, h)
		}()
		<-done
		if r.Failed() {
			failures = append(failures, Failure{Case: c.Name, Messages: r.messages})
		}
	}
	return failures
}

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB // for TempDir, Context and the like

	name     string
	mu       sync.Mutex
	failed   bool
	skipped  bool
	messages []string
	cleanups []func()
}

func (r *recorder) Name() string { return r.name }

func (r *recorder) record(failed bool, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = r.failed || failed
	if text != "" {
		r.messages = append(r.messages, strings.TrimSpace(text))
	}
}

func (r *recorder) Fail()                             { r.record(true, "") }
func (r *recorder) Error(args ...any)                 { r.record(true, fmt.Sprintln(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.record(true, fmt.Sprintf(format, args...)) }
func (r *recorder) Log(...any)                        {}
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Helper()                           {}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Skipped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped
}

// FailNow ends the case by ending its goroutine; so do the methods that use it.
func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	r.FailNow()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.FailNow()
}

func (r *recorder) SkipNow() {
	r.mu.Lock()
	r.skipped = true
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) Skip(...any)          { r.SkipNow() }
func (r *recorder) Skipf(string, ...any) { r.SkipNow() }

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// cleanUp runs what Cleanup was given, last first.
func (r *recorder) cleanUp() {
	for {
		r.mu.Lock()
		n := len(r.cleanups)
		if n == 0 {
			r.mu.Unlock()
			return
		}
		f := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		r.mu.Unlock()
		f()
	}
}

// caseTimeout bounds every case: an adapter that hangs fails.
const caseTimeout = 2 * time.Minute

// within is the context of a case.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	t.Cleanup(cancel)
	return ctx
}

// must ends the case on an error.
func must(t testing.TB, err error, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wantCode fails the case unless err carries the code.
func wantCode(t testing.TB, err error, code core.Code, what string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error, want code %s", what, code)
	case core.CodeOf(err) != code:
		t.Errorf("%s: code %s, want %s: %v", what, core.CodeOf(err), code, err)
	}
}

// wantEnded fails the case unless err says that the context had ended.
func wantEnded(t testing.TB, err error, ctx context.Context, what string) {
	t.Helper()
	if !errors.Is(err, ctx.Err()) {
		t.Errorf("%s with an ended context: %v, want an error that wraps %q", what, err, ctx.Err())
		return
	}
	wantCode(t, err, core.Unavailable, what+" with an ended context")
}

// same fails the case unless both values are the same as JSON.
func same(t testing.TB, got, want any, what string) {
	t.Helper()
	g, w := text(t, got), text(t, want)
	if g == w {
		return
	}
	from := 0
	for from < min(len(g), len(w)) && g[from] == w[from] {
		from++
	}
	from = max(0, from-60)
	t.Errorf("%s differs near byte %d:\n got …%s\nwant …%s", what, from, cut(g[from:]), cut(w[from:]))
}

func text(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err, "JSON of a value")
	return string(text)
}

func cut(s string) string {
	const most = 300
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// race runs f n times at once, and returns when all have ended.
func race(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}
