//go:build !linux

package worker

import "time"

// alarm is nothing here: the runtime's timers are what there is.
type alarm struct{}

func newAlarm() *alarm { return nil }

func (a *alarm) sleep(time.Duration) bool { return false }

func (a *alarm) close() {}
