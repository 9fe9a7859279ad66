package worker

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// leaveTimeout bounds how long calls that were told to end are waited for.
const leaveTimeout = time.Second

// leave ends what is left.
func (w *worker) leave(ctx context.Context, duty core.WorkerDuty) Exit {
	close(w.done)
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	parts := []*part{&w.opening, &w.reader, &w.flushing, &w.cutter, &w.beater, &w.writer, &w.watcher, &w.nulls}
	for _, p := range parts {
		p.end()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if w.opening.stop(ctx) {
			w.closeTarget()
		}
		for _, p := range parts {
			p.stop(ctx)
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		w.log.Warn("not everything that was told to end has ended", "waited", leaveTimeout)
	}
	w.log.Info("exit", withCause(duty.Cause, "code", duty.Code)...)
	return Exit{Code: duty.Code, Cause: duty.Cause, LastSequence: w.lastSequence.Load()}
}

// withCause are the attributes of a log line, and the cause where there is one.
func withCause(cause string, attributes ...any) []any {
	if cause == "" {
		return attributes
	}
	return append(attributes, "cause", cause)
}

// closeTarget closes every session, then the target.
func (w *worker) closeTarget() {
	w.load.leave()
	if w.load.target == nil {
		return
	}
	if err := w.load.target.Close(); err != nil {
		w.log.Warn("the target was not closed", "error", w.text(err))
	}
}

// part is one goroutine of a worker, and how it is ended.
type part struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

func (p *part) start(ctx context.Context, run func(context.Context)) {
	ctx, p.cancel = context.WithCancel(ctx)
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		run(ctx)
	}()
}

// end tells the goroutine to end.
func (p *part) end() {
	if p.cancel != nil {
		p.cancel()
	}
}

// stop ends the goroutine and waits for it until ctx ends. It reports whether it
// has ended.
func (p *part) stop(ctx context.Context) bool {
	if p.ended == nil {
		return true // never started
	}
	p.end()
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
		return false
	}
}
