package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func TestCapabilities(t *testing.T) {
	is := is.New(t)
	is.Equal(open(t, "odd").Capabilities(), ports.Capabilities{
		Name: "plugin:odd", HostBound: true, StartTimeout: 2 * time.Second, Grace: 3 * time.Second, MaxWorkers: 4,
	})
}

// A severity that the protocol does not know keeps the gate shut.
func TestFindings(t *testing.T) {
	is := is.New(t)
	findings, err := open(t, "odd").Check(t.Context(), 7)
	is.NoErr(err)
	is.Equal(len(findings), 5)
	is.Equal(findings[0].ID, "plugin.process")
	is.Equal(findings[1], core.Finding{ID: "odd.ok", Severity: core.SeverityOK, Message: "7"})
	is.Equal(findings[2], core.Finding{ID: "odd.warning", Severity: core.SeverityWarning, Message: "w", Mend: "m"})
	is.Equal(findings[3].Severity, core.SeverityError)
	is.Equal(findings[4].Severity, core.SeverityError)
}

func TestSpecArrives(t *testing.T) {
	is := is.New(t)
	spec := ports.WorkerSpec{
		Key: core.WorkerKey{RunID: "run", WorkerID: "expires", Epoch: 3}, GroupID: 1, GroupCount: 2,
		Environment: []ports.EnvVar{{Name: "A", Value: "b=c"}}, Secrets: []ports.EnvVar{{Name: "S", Value: "s"}},
		ExpiresAt: time.Date(2031, 4, 5, 6, 7, 8, 9, time.UTC),
	}
	l := open(t, "odd")
	for _, spec.ExpiresAt = range []time.Time{spec.ExpiresAt, {}} {
		handle, err := l.Launch(t.Context(), spec)
		is.NoErr(err)
		var got ports.WorkerSpec
		is.NoErr(json.Unmarshal(handle.Data, &got))
		is.Equal(got, spec)
	}
}

func TestErrorCodes(t *testing.T) {
	l := open(t, "odd")
	for _, code := range []core.Code{
		core.NotFound, core.Conflict, core.Invalid, core.Refused, core.Unsupported, core.Unavailable, core.Denied, core.Internal,
	} {
		t.Run(string(code), func(t *testing.T) {
			is := is.New(t)
			_, err := l.Launch(t.Context(), key("fail "+string(code)))
			is.True(errors.Is(err, core.SentinelOf(code)))
			is.Equal(core.CodeOf(err), code)
			is.Equal(err.Error(), core.SentinelOf(code).Error()+": plugin "+l.path+": odd: the reason")
		})
	}
	t.Run("no code", func(t *testing.T) {
		is := is.New(t)
		_, err := l.Launch(t.Context(), key("plain"))
		is.Equal(core.CodeOf(err), core.Internal)
		is.True(strings.HasSuffix(err.Error(), ": odd: no code"))
	})
	t.Run("long, and no UTF-8", func(t *testing.T) {
		is := is.New(t)
		_, err := l.Launch(t.Context(), key("long"))
		is.Equal(core.CodeOf(err), core.Refused)
		is.True(len(err.Error()) < maxText+500)
		is.True(strings.Contains(err.Error(), ": \uFFFDüü"))
	})
	t.Run("the launcher's own deadline", func(t *testing.T) {
		is := is.New(t)
		_, err := l.Launch(t.Context(), key("own"))
		is.Equal(core.CodeOf(err), core.Unavailable)
		is.True(strings.Contains(err.Error(), "odd: its own"))
	})
	t.Run("text that the wire cannot carry", func(t *testing.T) {
		is := is.New(t)
		_, err := l.Launch(t.Context(), key("\xff"))
		is.Equal(core.CodeOf(err), core.Invalid)
		_, err = l.List(t.Context(), "\xff")
		is.Equal(core.CodeOf(err), core.Invalid)
		is.Equal(core.CodeOf(l.Stop(t.Context(), core.Handle{Launcher: "\xff"}, ports.Hard)), core.Invalid)
	})
	is.New(t).Equal(core.CodeOf(l.Stop(t.Context(), core.Handle{Launcher: "odd"}, "rude")), core.Invalid)
}

// A call ends with its context, whatever the launcher does.
func TestContextEnds(t *testing.T) {
	l := open(t, "odd", func(o *Options) { o.CallTimeout = 300 * time.Millisecond })
	for _, worker := range []string{"obey", "hang"} {
		t.Run(worker+" deadline", func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err := l.Launch(ctx, key(worker))
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.Equal(core.CodeOf(err), core.Unavailable)
			is.True(time.Since(begin) < 10*time.Second)
		})
		t.Run(worker+" cancelled", func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			_, err := l.Launch(ctx, key(worker))
			is.True(errors.Is(err, context.Canceled))
			is.Equal(core.CodeOf(err), core.Unavailable)
		})
		t.Run(worker+" without a deadline", func(t *testing.T) {
			is := is.New(t)
			_, err := l.Launch(context.Background(), key(worker))
			is.Equal(core.CodeOf(err), core.Unavailable)
		})
	}
	is := is.New(t)
	first := pid(t, l) // those who hang disturb nobody
	is.Equal(pid(t, l), first)
}

// Answers that break the contract are errors, and break nothing else.
func TestNonsense(t *testing.T) {
	l := open(t, "odd")
	begin := pid(t, l)
	ask := func(data string) []core.Handle { return []core.Handle{{Launcher: "odd", Data: []byte(data)}} }
	for name, f := range map[string]func(context.Context) error{
		"no handle":        func(ctx context.Context) error { _, err := l.Launch(ctx, key("nothing")); return err },
		"too few answers":  func(ctx context.Context) error { _, err := l.Inspect(ctx, ask("too few")); return err },
		"unknown state":    func(ctx context.Context) error { _, err := l.Inspect(ctx, ask("state")); return err },
		"listed state":     func(ctx context.Context) error { _, err := l.List(ctx, "state"); return err },
		"listed handle":    func(ctx context.Context) error { _, err := l.List(ctx, "handle"); return err },
		"more than a log":  func(ctx context.Context) error { _, err := l.Logs(ctx, ask("greedy")[0], 3<<20); return err },
		"a message so big": func(ctx context.Context) error { _, err := l.List(ctx, "huge"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			err := f(t.Context())
			is.Equal(core.CodeOf(err), core.Internal)
			is.True(strings.Contains(err.Error(), l.path))
		})
	}
	is.New(t).Equal(pid(t, l), begin) // it lives on
}

// A log may be bigger than any message.
func TestBigLogs(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	for _, limit := range []int{0, 1, logPiece, logPiece + 1, maxMessage + 5} {
		log, err := l.Logs(t.Context(), core.Handle{Launcher: "odd"}, limit)
		is.NoErr(err)
		is.Equal(len(log), limit)
		for _, i := range []int{0, limit / 2, limit - 1} {
			is.True(limit == 0 || log[max(i, 0)] == byte(i%251))
		}
	}
	_, err := l.Logs(t.Context(), core.Handle{Launcher: "odd"}, -1)
	is.Equal(core.CodeOf(err), core.Invalid)
}

func TestConcurrentCalls(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	var wg sync.WaitGroup
	errs := make([]error, 64)
	for i := range errs {
		wg.Go(func() {
			id := "worker-" + strconv.Itoa(i)
			handle, err := l.Launch(t.Context(), key(id))
			if err == nil && string(handle.Data) != id {
				err = errors.New("the answer of another call: " + string(handle.Data))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	is.NoErr(errors.Join(errs...))
}
