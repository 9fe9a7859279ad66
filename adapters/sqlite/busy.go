package sqlite

import (
	"context"
	"time"
)

// retryBusy runs f until it no longer finds the file locked, or timeout or ctx
// ends; then it returns f's last error, or ctx's.
func retryBusy(ctx context.Context, timeout time.Duration, f func() error) error {
	err := f()
	if err == nil || !isBusy(err) {
		return err
	}
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for wait := time.Millisecond; isBusy(err); wait = min(2*wait, 50*time.Millisecond) {
		pause.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return err
		case <-pause.C:
		}
		err = f()
	}
	return err
}
