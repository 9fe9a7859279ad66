package cli

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// absent is the target of a run that is only to be ended, when the target itself
// cannot be opened. Nothing is asked of it, and what it would have said is
// unknown: the workers are ended by the control state and their launcher.
type absent struct{ why string }

var _ ports.Target = absent{}

func (t absent) gone(code error) error {
	return fmt.Errorf("%w: the target was not asked: %s", code, t.why)
}

// Describe implements ports.Target.
func (t absent) Describe(context.Context, core.TemplateTable) (ports.TargetInfo, error) {
	return ports.TargetInfo{}, t.gone(core.ErrUnavailable)
}

// Explain implements ports.Target.
func (t absent) Explain(context.Context, core.TemplateTable, core.Statement) error {
	return t.gone(core.ErrUnavailable)
}

// Sample implements ports.Target.
func (t absent) Sample(context.Context, core.TemplateTable, core.PoolSpec) ([]any, error) {
	return nil, t.gone(core.ErrUnavailable)
}

// Open implements ports.Target.
func (t absent) Open(context.Context, ports.SessionOptions) (ports.Session, error) {
	return nil, t.gone(core.ErrUnavailable)
}

// CancelSessions implements ports.Target. It never can: trying again is no use.
func (t absent) CancelSessions(context.Context, []string) error { return t.gone(core.ErrUnsupported) }

// Running implements ports.Target.
func (t absent) Running(context.Context, []string) (core.RunningCount, error) {
	return core.RunningCount{Why: "the target was not asked: " + t.why}, nil
}

// Close implements ports.Target.
func (t absent) Close() error { return nil }
