package fault

import (
	"context"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Target decorates a target and every session that is opened through it.
// Closing them closes what is below. A session whose Open the caller was not
// told of is closed.
func (in *Injector) Target(below ports.Target) ports.Target { return target{in, below} }

type target struct {
	in    *Injector
	below ports.Target
}

func (t target) Close() error { return t.below.Close() }

func (t target) Describe(ctx context.Context, table core.TemplateTable) (ports.TargetInfo, error) {
	return call(ctx, t.in, "Target.Describe", func(ctx context.Context) (ports.TargetInfo, error) {
		return t.below.Describe(ctx, table)
	}, nil)
}

func (t target) Explain(ctx context.Context, table core.TemplateTable, statement core.Statement) error {
	return act(ctx, t.in, "Target.Explain", func(ctx context.Context) error { return t.below.Explain(ctx, table, statement) })
}

func (t target) Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) ([]any, error) {
	return call(ctx, t.in, "Target.Sample", func(ctx context.Context) ([]any, error) { return t.below.Sample(ctx, table, spec) }, nil)
}

func (t target) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	below, err := call(ctx, t.in, "Target.Open", func(ctx context.Context) (ports.Session, error) {
		return t.below.Open(ctx, options)
	}, func(unheard ports.Session) { _ = unheard.Close() })
	if err != nil {
		return nil, err
	}
	return session{t.in, below}, nil
}

func (t target) CancelSessions(ctx context.Context, sessions []string) error {
	return act(ctx, t.in, "Target.CancelSessions", func(ctx context.Context) error { return t.below.CancelSessions(ctx, sessions) })
}

func (t target) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	return call(ctx, t.in, "Target.Running", func(ctx context.Context) (core.RunningCount, error) {
		return t.below.Running(ctx, sessions)
	}, nil)
}

type session struct {
	in    *Injector
	below ports.Session
}

func (s session) ID() string      { return s.below.ID() }
func (s session) QueryID() string { return s.below.QueryID() }
func (s session) Close() error    { return s.below.Close() }

func (s session) Exec(ctx context.Context, statement int, args []any) (int64, error) {
	return call(ctx, s.in, "Session.Exec", func(ctx context.Context) (int64, error) {
		return s.below.Exec(ctx, statement, args)
	}, nil)
}

func (s session) Begin(ctx context.Context) error {
	return act(ctx, s.in, "Session.Begin", s.below.Begin)
}

func (s session) Commit(ctx context.Context) error {
	return act(ctx, s.in, "Session.Commit", s.below.Commit)
}

func (s session) Rollback(ctx context.Context) error {
	return act(ctx, s.in, "Session.Rollback", s.below.Rollback)
}
