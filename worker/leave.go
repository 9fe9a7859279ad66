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
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, p := range []*part{&w.reader, &w.opening, &w.flushing, &w.cutter, &w.beater, &w.writer, &w.watcher} {
			if !p.stop(ctx) {
				return
			}
		}
		w.load.leave()
		if w.load.target != nil {
			if err := w.load.target.Close(); err != nil {
				w.log.Warn("the target was not closed", "error", w.text(err))
			}
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		w.log.Warn("not everything that was told to end has ended", "waited", leaveTimeout)
	}
	w.log.Info("exit", "code", duty.Code, "cause", duty.Cause)
	return Exit{Code: duty.Code, Cause: duty.Cause, LastSequence: w.lastSequence.Load()}
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

// stop ends the goroutine and waits for it until ctx ends. It reports whether it
// has ended.
func (p *part) stop(ctx context.Context) bool {
	if p.cancel == nil {
		return true // never started
	}
	p.cancel()
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
		return false
	}
}
