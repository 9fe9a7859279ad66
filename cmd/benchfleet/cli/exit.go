package cli

import (
	"errors"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// The exit codes of every command.
const (
	ExitCompleted = 0 // the command did what it was asked to; a run COMPLETED
	ExitInternal  = 1 // a defect, or a failure that nothing else fits
	ExitUsage     = 2 // the command line, a file or a name is wrong; nothing has happened
	ExitCancelled = 3 // the run was CANCELLED
	ExitRefused   = 4 // preflight refused the run
	ExitFailed    = 5 // the run FAILED, or its store was lost
	ExitSLO       = 6 // the run COMPLETED and missed an objective
	ExitInvalid   = 7 // the run COMPLETED and its verdict is INVALID
)

// exitHelp is shown by --help.
const exitHelp = `Exit codes:
  0  completed
  1  internal error
  2  usage: a flag, a file or a name is wrong; nothing has happened
  3  the run was cancelled
  4  preflight refused the run
  5  the run failed
  6  the run completed, but missed an SLO
  7  the run completed, but its verdict is INVALID`

// exitError carries an exit code. Its text is empty when everything was said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error { return &exitError{code: code, err: err} }

func usage(format string, args ...any) error {
	return exitWith(ExitUsage, fmt.Errorf(format, args...))
}

// exitCode is what a command exits with for an error.
func exitCode(err error) int {
	var exit *exitError
	var lost *runner.StoreLostError
	switch {
	case err == nil:
		return ExitCompleted
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &lost):
		return ExitFailed
	}
	switch core.CodeOf(err) {
	case core.Invalid, core.NotFound, core.Refused, core.Conflict, core.Unsupported, core.Denied, core.Unavailable:
		return ExitUsage
	default:
		return ExitInternal
	}
}

// runExit is what a command exits with for a run that has ended.
func runExit(run core.Run, result *core.Rollup) int {
	switch {
	case run.Reason == core.PreflightRefused:
		return ExitRefused
	case run.Status == core.Cancelled:
		return ExitCancelled
	case run.Status != core.Completed:
		return ExitFailed
	case result == nil:
		return ExitInternal
	case result.Verdict.Level == core.InvalidRun:
		return ExitInvalid
	}
	for _, slo := range result.SLOs {
		if !slo.Met && !slo.Unknown {
			return ExitSLO
		}
	}
	return ExitCompleted
}
