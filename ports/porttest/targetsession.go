package porttest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// soon is how quickly a cancelled statement must have ended, far below what
// TargetHarness.Slow takes.
const soon = 10 * time.Second

func targetDefaults(t testing.TB, h TargetHarness) {
	session := h.session(t, h.loaded(t))
	execute(t, session, 1, lookUp, int64(5))
	execute(t, session, 0, lookUp, int64(-1))
	execute(t, session, 100, scan, int64(10), int64(109))
	execute(t, session, 10, scan, int64(targetRows-10), int64(targetRows+89))
	execute(t, session, 0, scan, int64(10), int64(9))
	key := core.InsertRange + 17
	execute(t, session, 1, insert, rowArgs(key)...)
	execute(t, session, 1, lookUp, key)
	execute(t, session, 1, update, int64(123), "CLOSED", key)
	execute(t, session, 0, update, int64(123), "CLOSED", key+1)
	execute(t, session, 1, remove, key)
	execute(t, session, 0, remove, key)
	execute(t, session, 0, lookUp, key)
	if session.ID() == "" {
		t.Error("the session has no id")
	}
}

func targetErrors(t testing.TB, h TargetHarness) {
	session := h.session(t, h.loaded(t))
	refused := func(what string, code core.Code, statement int, args ...any) {
		t.Helper()
		_, err := session.Exec(within(t), statement, args)
		wantCode(t, err, code, what)
		if core.ErrorClass(err) == "" {
			t.Errorf("%s: an error without a class: %v", what, err)
		}
		execute(t, session, 1, lookUp, int64(1))
	}
	refused("INSERT of a key that is there", core.Conflict, insert, rowArgs(3)...)
	refused("too few arguments", core.Invalid, insert, int64(1))
	refused("too many arguments", core.Invalid, lookUp, int64(1), int64(2))
	refused("a statement that was not prepared", core.Invalid, extra)
	refused("statement -1", core.Invalid, -1)
}

func targetTypes(t testing.TB, h TargetHarness) {
	if h.Echo.SQL == "" {
		t.Skip("the harness has no statement that takes any type")
	}
	session := h.session(t, h.loaded(t), h.Echo)
	for _, arg := range []any{
		int64(0), int64(-1 << 63), int64(1<<63 - 1), 0.5, -1e300, "", odd, true, false, nil,
		time.Date(2025, 12, 31, 23, 59, 59, 123456000, time.UTC), time.Date(2025, 6, 1, 0, 0, 0, 0, time.FixedZone("", 3600)),
	} {
		execute(t, session, 1, extra, arg)
	}
	for _, arg := range []any{struct{}{}, []int{1}, make(chan int)} {
		_, err := session.Exec(within(t), extra, []any{arg})
		wantCode(t, err, core.Invalid, "an argument of a strange type")
	}
	args := []any{"mine"}
	if _, err := session.Exec(within(t), extra, args); err != nil || args[0] != "mine" {
		t.Errorf("the caller's arguments are %v after Exec (%v)", args, err)
	}
}

func targetTransactions(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	one, two := h.session(t, target), h.session(t, target)
	must(t, one.Rollback(within(t)), "Rollback outside a transaction")
	change := func() {
		t.Helper()
		must(t, one.Begin(within(t)), "Begin")
		execute(t, one, 1, insert, rowArgs(5000)...)
		execute(t, one, 1, remove, int64(6))
		execute(t, one, 1, lookUp, int64(5000))
		execute(t, one, 0, lookUp, int64(6))
		if h.Isolated {
			execute(t, two, 0, lookUp, int64(5000))
			execute(t, two, 1, lookUp, int64(6))
		}
	}
	change()
	must(t, one.Rollback(within(t)), "Rollback")
	must(t, one.Rollback(within(t)), "Rollback twice")
	for _, session := range []ports.Session{one, two} {
		execute(t, session, 0, lookUp, int64(5000))
		execute(t, session, 1, lookUp, int64(6))
	}
	change()
	must(t, one.Commit(within(t)), "Commit")
	must(t, one.Rollback(within(t)), "Rollback after Commit")
	for _, session := range []ports.Session{two, one} {
		execute(t, session, 1, lookUp, int64(5000))
		execute(t, session, 0, lookUp, int64(6))
	}
	execute(t, two, 1, update, int64(1), "NEW", int64(5000)) // no lock is left
}

func targetBrokenTransaction(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	one, two := h.session(t, target), h.session(t, target)
	must(t, one.Begin(within(t)), "Begin")
	execute(t, one, 1, insert, rowArgs(5000)...)
	_, err := one.Exec(within(t), insert, rowArgs(3))
	wantCode(t, err, core.Conflict, "INSERT of a key that is there")
	must(t, one.Rollback(within(t)), "Rollback after an error")
	execute(t, one, 0, lookUp, int64(5000))
	execute(t, two, 0, lookUp, int64(5000))
	execute(t, two, 1, insert, rowArgs(5001)...) // no lock is left
	must(t, one.Begin(within(t)), "Begin again")
	execute(t, one, 1, insert, rowArgs(5000)...)
	must(t, one.Commit(within(t)), "Commit")
	execute(t, two, 1, lookUp, int64(5000))
}

func targetSessions(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	const sessions, each = 8, 25
	ids := make([]string, sessions)
	race(sessions, func(i int) {
		session, err := target.Open(within(t), ports.SessionOptions{Table: h.table(), Statements: defaultStatements()})
		if err != nil {
			t.Errorf("Open: %v", err)
			return
		}
		ids[i] = session.ID()
		for n := range each {
			key := int64(10_000 + i*each + n)
			for statement, args := range [][]any{lookUp: {key % targetRows}, insert: rowArgs(key), update: {int64(i), "ACTIVE", key}} {
				if args == nil {
					continue
				}
				if rows, err := session.Exec(within(t), statement, args); err != nil || rows != 1 {
					t.Errorf("statement %d of session %d: %d rows, %v", statement, i, rows, err)
				}
			}
		}
		if err := session.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	slices.Sort(ids)
	if distinct := len(slices.Compact(slices.Clone(ids))); distinct != sessions || ids[0] == "" {
		t.Errorf("%d sessions have the ids %q", sessions, ids)
	}
	execute(t, h.session(t, target), sessions*each, scan, int64(10_000), int64(20_000))
}

func targetClose(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	session := h.session(t, target)
	must(t, session.Begin(within(t)), "Begin")
	execute(t, session, 1, insert, rowArgs(5000)...)
	must(t, session.Close(), "Close inside a transaction")
	must(t, session.Close(), "Close twice")
	_, err := session.Exec(within(t), lookUp, []any{int64(1)})
	wantCode(t, err, core.Unavailable, "Exec after Close")
	if err := session.Begin(within(t)); err == nil {
		t.Error("Begin after Close succeeds")
	}
	other := h.session(t, target)
	execute(t, other, 0, lookUp, int64(5000))
	execute(t, other, 1, insert, rowArgs(5000)...)
	if err := target.CancelSessions(within(t), []string{session.ID()}); err != nil && core.CodeOf(err) != core.Unsupported {
		t.Errorf("CancelSessions of a session that is gone: %v", err)
	}
	wantRunning(t, target, 0, session, other)
}

// wantRunning fails the case when the count is known and another.
func wantRunning(t testing.TB, target ports.Target, want int, sessions ...ports.Session) {
	t.Helper()
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.ID())
	}
	count, err := target.Running(within(t), ids)
	must(t, err, "Running")
	switch {
	case !count.Known && count.Why == "":
		t.Error("Running does not know, and does not say why")
	case count.Known && count.Count != want:
		t.Errorf("Running says %d, want %d", count.Count, want)
	}
}

// slow executes the slow statement in a goroutine of its own, and returns when
// the target sees it run, where that can be known.
func (h TargetHarness) slow(t testing.TB, ctx context.Context, target ports.Target, session ports.Session) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	var begun atomic.Bool
	go func() {
		begun.Store(true)
		_, err := session.Exec(ctx, extra, nil)
		done <- err
	}()
	for {
		count, err := target.Running(within(t), []string{session.ID()})
		must(t, err, "Running")
		if count.Count > 0 || !count.Known && begun.Load() {
			return done
		}
		select {
		case err := <-done:
			t.Fatalf("the slow statement ended by itself: %v", err)
		default:
		}
	}
}

// endedSoon waits for a statement that was cancelled.
func endedSoon(t testing.TB, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(soon):
		t.Fatalf("a cancelled statement still runs after %s", soon)
		return nil
	}
}

func (h TargetHarness) needSlow(t testing.TB) {
	t.Helper()
	if h.Slow.SQL == "" {
		t.Skip("the harness has no slow statement")
	}
}

func targetCancel(t testing.TB, h TargetHarness) {
	h.needSlow(t)
	target := h.loaded(t)
	session, other := h.session(t, target, h.Slow), h.session(t, target)
	ctx, cancel := context.WithCancel(within(t))
	done := h.slow(t, ctx, target, session)
	execute(t, other, 1, lookUp, int64(1)) // others go on meanwhile
	cancel()
	wantCut(t, session, endedSoon(t, done), ctx, "a cancelled statement")
	wantRunning(t, target, 0, session, other)
	execute(t, other, 1, lookUp, int64(1))

	late := h.session(t, target, h.Slow)
	ctx, cancel = context.WithTimeout(within(t), 20*time.Millisecond)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := late.Exec(ctx, extra, nil)
		failed <- err
	}()
	wantCut(t, late, endedSoon(t, failed), ctx, "a statement past its deadline")

	inside := h.session(t, target, h.Slow)
	must(t, inside.Begin(within(t)), "Begin")
	execute(t, inside, 1, insert, rowArgs(5000)...)
	ctx, cancel = context.WithCancel(within(t))
	done = h.slow(t, ctx, target, inside)
	cancel()
	wantCut(t, inside, endedSoon(t, done), ctx, "a cancelled statement of a transaction")
	must(t, inside.Close(), "Close")
	execute(t, other, 0, lookUp, int64(5000))
	execute(t, other, 1, insert, rowArgs(5000)...) // no lock is left
}

// wantCut fails the case unless err says that the context of a statement has
// ended, and leaves the session either whole (Refused) or broken (Unavailable).
func wantCut(t testing.TB, session ports.Session, err error, ctx context.Context, what string) {
	t.Helper()
	if core.CodeOf(err) != core.Refused {
		wantEnded(t, err, ctx, what)
		return
	}
	if !errors.Is(err, ctx.Err()) {
		t.Errorf("%s: %v, want an error that wraps %q", what, err, ctx.Err())
	}
	execute(t, session, 1, lookUp, int64(1))
}

func targetRunning(t testing.TB, h TargetHarness) {
	h.needSlow(t)
	target := h.loaded(t)
	idle, busy := h.session(t, target), h.session(t, target, h.Slow)
	wantRunning(t, target, 0, idle, busy)
	wantRunning(t, target, 0)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	done := h.slow(t, ctx, target, busy)
	wantRunning(t, target, 1, idle, busy)
	wantRunning(t, target, 0, idle)
	cancel()
	wantCut(t, busy, endedSoon(t, done), ctx, "a cancelled statement")
	wantRunning(t, target, 0, idle, busy)
}

func targetCancelSessions(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	must(t, target.CancelSessions(within(t), nil), "CancelSessions of none")
	h.needSlow(t)
	session := h.session(t, target, h.Slow)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	done := h.slow(t, ctx, target, session)
	err := target.CancelSessions(within(t), []string{session.ID()})
	if core.CodeOf(err) == core.Unsupported {
		cancel()
		wantCut(t, session, endedSoon(t, done), ctx, "a cancelled statement")
		return
	}
	must(t, err, "CancelSessions")
	if err := endedSoon(t, done); err == nil {
		t.Error("a statement that CancelSessions ended succeeds")
	}
	wantRunning(t, target, 0, session)
}

func targetContexts(t testing.TB, h TargetHarness) {
	target := h.loaded(t)
	session := h.session(t, target)
	for _, ctx := range endedContexts(t) {
		_, err := target.Describe(ctx, h.table())
		wantEnded(t, err, ctx, "Describe")
		wantEnded(t, target.Explain(ctx, h.table(), defaultStatements()[lookUp]), ctx, "Explain")
		_, err = target.Open(ctx, ports.SessionOptions{Table: h.table(), Statements: defaultStatements()})
		wantEnded(t, err, ctx, "Open")
		_, err = target.Running(ctx, []string{session.ID()})
		wantEnded(t, err, ctx, "Running")
		wantEnded(t, target.Create(ctx, h.table()), ctx, "Create")
		wantEnded(t, target.Load(ctx, h.table(), nil), ctx, "Load")
		wantEnded(t, target.Drop(ctx, h.table()), ctx, "Drop")
		_, err = session.Exec(ctx, insert, rowArgs(5000))
		wantCut(t, session, err, ctx, "Exec with an ended context")
		wantCut(t, session, session.Begin(ctx), ctx, "Begin with an ended context")
	}
	wantTable(t, target, h.table(), true, targetRows)
	fresh := h.session(t, target)
	execute(t, fresh, 0, lookUp, int64(5000))
	execute(t, fresh, 1, insert, rowArgs(5000)...)
}
