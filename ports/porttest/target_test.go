package porttest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// brokenTarget is a memory target that breaks one promise: what is not nil is
// called instead.
type brokenTarget struct {
	porttest.LoadableTarget

	describe func(ports.TargetInfo) ports.TargetInfo
	running  func() (core.RunningCount, error)
	create   func(err error) error
	load     func(table *core.TemplateTable)
	sample   func([]any) []any
	session  func(ports.Session) ports.Session
}

func (b brokenTarget) Describe(ctx context.Context, table core.TemplateTable) (ports.TargetInfo, error) {
	info, err := b.LoadableTarget.Describe(ctx, table)
	if b.describe != nil && err == nil {
		info = b.describe(info)
	}
	return info, err
}

func (b brokenTarget) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	if b.running != nil && ctx.Err() == nil {
		return b.running()
	}
	return b.LoadableTarget.Running(ctx, sessions)
}

func (b brokenTarget) Create(ctx context.Context, table core.TemplateTable) error {
	err := b.LoadableTarget.Create(ctx, table)
	if b.create != nil {
		err = b.create(err)
	}
	return err
}

func (b brokenTarget) Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) ([]any, error) {
	values, err := b.LoadableTarget.Sample(ctx, table, spec)
	if b.sample != nil {
		values = b.sample(values)
	}
	return values, err
}

func (b brokenTarget) Load(ctx context.Context, table core.TemplateTable, progress func(int64)) error {
	if b.load != nil {
		b.load(&table)
	}
	return b.LoadableTarget.Load(ctx, table, progress)
}

func (b brokenTarget) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	session, err := b.LoadableTarget.Open(ctx, options)
	if err == nil && b.session != nil {
		session = b.session(session)
	}
	return session, err
}

// brokenSession breaks one promise of a session.
type brokenSession struct {
	ports.Session

	id       string
	exec     func(rows int64, err error) (int64, error)
	rollback func(ports.Session) error
	deaf     bool
}

func (b brokenSession) ID() string {
	if b.id != "" {
		return b.id
	}
	return b.Session.ID()
}

func (b brokenSession) Exec(ctx context.Context, statement int, args []any) (int64, error) {
	if b.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	rows, err := b.Session.Exec(ctx, statement, args)
	if b.exec != nil {
		return b.exec(rows, err)
	}
	return rows, err
}

func (b brokenSession) Rollback(ctx context.Context) error {
	if b.rollback != nil {
		return b.rollback(b.Session)
	}
	return b.Session.Rollback(ctx)
}

func targetHarness(broken brokenTarget) porttest.TargetHarness {
	return porttest.TargetHarness{Open: func(testing.TB) porttest.LoadableTarget {
		b := broken
		b.LoadableTarget = memory.NewTarget(memory.TargetOptions{})
		return b
	}}
}

func TestTargetSuitePassesWhatWorks(t *testing.T) {
	porttest.TestTarget(t, targetHarness(brokenTarget{}))
}

func TestTargetSuiteNoticesWhatIsBroken(t *testing.T) {
	sessions := func(b brokenSession) brokenTarget {
		return brokenTarget{session: func(s ports.Session) ports.Session {
			broken := b // sessions are opened at once
			broken.Session = s
			return broken
		}}
	}
	for name, tc := range map[string]struct {
		noticed string
		broken  brokenTarget
	}{
		"a missing table exists": {"a table that is missing", brokenTarget{describe: func(i ports.TargetInfo) ports.TargetInfo { i.Table.Exists = true; return i }}},
		"all rows are counted":   {"Load loads the rows of core.TableRow", brokenTarget{describe: func(i ports.TargetInfo) ports.TargetInfo { i.Table.Rows = min(i.Table.Rows, 20); return i }}},
		"Create replaces":        {"Create makes an empty table, once", brokenTarget{create: func(error) error { return nil }}},
		"Load loads too few":     {"Load loads the rows of core.TableRow", brokenTarget{load: func(t *core.TemplateTable) { t.Rows-- }}},
		"Sample takes the first": {"Sample", brokenTarget{sample: func(v []any) []any {
			if len(v) == 4 && v[0] == int64(249) {
				return []any{int64(0), int64(1), int64(2), int64(3)}
			}
			return v
		}}},
		"Running guesses":      {"Close of a session", brokenTarget{running: func() (core.RunningCount, error) { return core.RunningCount{Known: true, Count: 1}, nil }}},
		"Running says not why": {"Close of a session", brokenTarget{running: func() (core.RunningCount, error) { return core.RunningCount{}, nil }}},
		"sessions share an id": {"many sessions at once", sessions(brokenSession{id: "memory-1"})},
		"rows are not counted": {"default statements count rows", sessions(brokenSession{exec: func(_ int64, err error) (int64, error) { return 1, err }})},
		"errors have no code": {"a refused statement leaves the session usable", sessions(brokenSession{exec: func(rows int64, err error) (int64, error) {
			if err != nil {
				err = errors.New(err.Error())
			}
			return rows, err
		}})},
		"errors are swallowed":     {"a refused statement leaves the session usable", sessions(brokenSession{exec: func(rows int64, _ error) (int64, error) { return rows, nil }})},
		"Rollback commits":         {"commit and rollback", sessions(brokenSession{rollback: func(s ports.Session) error { _ = s.Commit(context.Background()); return nil }})},
		"Exec ignores its context": {"ended contexts", sessions(brokenSession{deaf: true})},
	} {
		t.Run(name, func(t *testing.T) {
			var cases []string
			for _, f := range porttest.TargetSuite().Failing(t, targetHarness(tc.broken)) {
				if f.Case == tc.noticed {
					return
				}
				cases = append(cases, f.String())
			}
			t.Errorf("%q did not notice; these did: %s", tc.noticed, strings.Join(cases, " | "))
		})
	}
}
