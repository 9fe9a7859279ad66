package cli

import (
	"io"
	"log/slog"
	"strings"
)

// logger logs to where a command says things: stderr, or the display on it.
func (a *app) logger(to io.Writer) *slog.Logger {
	switch {
	case a.log != nil:
		return a.log
	case !a.verbose:
		return slog.New(slog.DiscardHandler)
	case a.terminal(a.err):
		return slog.New(slog.NewTextHandler(to, nil))
	default:
		return slog.New(slog.NewJSONHandler(to, nil))
	}
}

// asService makes everything that this process says on stderr from now on lines
// of a log, in JSON, unless people read it on a terminal.
func (a *app) asService() {
	if a.terminal(a.err) {
		return
	}
	a.log = slog.New(slog.NewJSONHandler(a.err, nil))
	a.err = logLines{a.log}
}

// logLines logs each line that is written to it.
type logLines struct{ log *slog.Logger }

func (l logLines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if line = strings.TrimSpace(line); line != "" {
			l.log.Info(line)
		}
	}
	return len(p), nil
}
