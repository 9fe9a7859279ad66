package spcs

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Stop implements ports.Launcher. Gentle cancels the job, which stays with its log
// and exit code. Hard drops one that has not ended, once its log was read; one that
// has ended is left as it is.
func (l *Launcher) Stop(ctx context.Context, from core.Handle, force ports.Force) error {
	if force != ports.Gentle && force != ports.Hard {
		return fmt.Errorf("%w: spcs: force is %q; allowed: gentle, hard", core.ErrInvalid, force)
	}
	h, err := decode(from)
	if err != nil {
		return err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	job, err := l.job(ctx, h)
	switch {
	case err != nil:
		return err
	case job == nil:
		return l.missing(ctx, h)
	case stateOf(job["status"]) == ports.LaunchGone, job["status"] == statusDeleting:
		return nil
	case force == ports.Hard:
		return l.drop(ctx, h, job)
	case job["status"] == statusCancelling:
		return nil
	}
	_, err = l.ask(ctx, "cancel "+h.path(), "SELECT "+h.path()+"!SPCS_CANCEL_JOB()")
	l.changed()
	if notFound(err) {
		return l.missing(ctx, h)
	}
	if err != nil && ctx.Err() == nil { // it may have ended meanwhile, and how that is told is not documented
		if job, again := l.job(ctx, h); again == nil && (job == nil || stateOf(job["status"]) == ports.LaunchGone) {
			return nil
		}
	}
	return err
}

// job is the row of one job, asked now; nil when it is not there.
func (l *Launcher) job(ctx context.Context, h handle) (row, error) {
	rows, err := l.show(ctx, h.place(), h.Name)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r["name"] == h.Name {
			return r, nil
		}
	}
	return nil, nil
}

// drop keeps the log of a job, which goes with it, and drops it.
func (l *Launcher) drop(ctx context.Context, h handle, job row) error {
	kept := last{ran: job["status"] != statusPending}
	log, err := l.serverLog(ctx, h.path(), defaultLimit)
	switch {
	case err != nil:
		l.options.Logger.Warn("the log of a job that is dropped could not be read", "job", h.path(), "error", err)
	default:
		kept.log, kept.ran = ports.NewestLines(log, defaultLimit), kept.ran || len(log) > 0
	}
	_, err = l.ask(ctx, "drop "+h.path(), "DROP SERVICE IF EXISTS "+h.path())
	l.changed()
	if err != nil && !notFound(err) {
		return err
	}
	l.mu.Lock()
	l.dropped[h.path()] = kept
	l.mu.Unlock()
	return nil
}

// Release implements ports.Launcher: it drops the job, with its log.
func (l *Launcher) Release(ctx context.Context, from core.Handle) error {
	h, err := decode(from)
	if err != nil {
		return err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	job, err := l.job(ctx, h)
	switch {
	case err != nil:
		return err
	case job == nil:
		err = l.missing(ctx, h)
	case stateOf(job["status"]) != ports.LaunchGone:
		return fmt.Errorf("%w: spcs: job %s is %s; stop it first", core.ErrRefused, h.path(), job["status"])
	default:
		if _, err = l.ask(ctx, "drop "+h.path(), "DROP SERVICE IF EXISTS "+h.path()); notFound(err) {
			err = nil
		}
		l.changed()
	}
	if err == nil {
		l.mu.Lock()
		delete(l.dropped, h.path())
		delete(l.ends, h.path())
		delete(l.waits.messages, h.path())
		l.mu.Unlock()
	}
	return err
}
