package plugin

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"slices"

	"github.com/hashicorp/go-hclog"
)

// hclogger is a hclog.Logger that logs to a slog.Logger. Its level is slog's
// business: SetLevel changes nothing.
type hclogger struct {
	log     *slog.Logger
	name    string
	implied []any
}

var _ hclog.Logger = hclogger{}

func bridge(log *slog.Logger) hclog.Logger { return hclogger{log: log} }

// hclogLevels are in the order of hclog's.
var hclogLevels = []struct {
	hclog hclog.Level
	slog  slog.Level
}{
	{hclog.Trace, levelTrace}, {hclog.Debug, slog.LevelDebug}, {hclog.Info, slog.LevelInfo},
	{hclog.Warn, slog.LevelWarn}, {hclog.Error, slog.LevelError},
}

// Log implements hclog.Logger.
func (h hclogger) Log(level hclog.Level, message string, args ...any) {
	to := slog.LevelInfo // for NoLevel
	for _, row := range hclogLevels {
		if row.hclog == level {
			to = row.slog
		}
	}
	if level == hclog.Off {
		return
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if f, ok := arg.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
	}
	h.log.Log(context.Background(), to, message, args...) //nolint:forbidigo // hclog has no contexts
}

func (h hclogger) Trace(message string, args ...any) { h.Log(hclog.Trace, message, args...) }
func (h hclogger) Debug(message string, args ...any) { h.Log(hclog.Debug, message, args...) }
func (h hclogger) Info(message string, args ...any)  { h.Log(hclog.Info, message, args...) }
func (h hclogger) Warn(message string, args ...any)  { h.Log(hclog.Warn, message, args...) }
func (h hclogger) Error(message string, args ...any) { h.Log(hclog.Error, message, args...) }

func (h hclogger) IsTrace() bool { return h.GetLevel() <= hclog.Trace }
func (h hclogger) IsDebug() bool { return h.GetLevel() <= hclog.Debug }
func (h hclogger) IsInfo() bool  { return h.GetLevel() <= hclog.Info }
func (h hclogger) IsWarn() bool  { return h.GetLevel() <= hclog.Warn }
func (h hclogger) IsError() bool { return h.GetLevel() <= hclog.Error }

// GetLevel implements hclog.Logger: the least level that is logged.
func (h hclogger) GetLevel() hclog.Level {
	for _, row := range hclogLevels {
		if h.log.Enabled(context.Background(), row.slog) { //nolint:forbidigo // hclog has no contexts
			return row.hclog
		}
	}
	return hclog.Off
}

func (h hclogger) SetLevel(hclog.Level) {}
func (h hclogger) ImpliedArgs() []any   { return h.implied }
func (h hclogger) Name() string         { return h.name }

// With implements hclog.Logger.
func (h hclogger) With(args ...any) hclog.Logger {
	h.log = h.log.With(args...)
	h.implied = append(append([]any(nil), h.implied...), args...)
	return h
}

// Named implements hclog.Logger. Names are kept, and not logged: the plugin's is.
func (h hclogger) Named(name string) hclog.Logger {
	if h.name != "" {
		name = h.name + "." + name
	}
	return h.ResetNamed(name)
}

func (h hclogger) ResetNamed(name string) hclog.Logger {
	h.name = name
	return h
}

// StandardWriter implements hclog.Logger: lines, with their levels.
func (h hclogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return newLines(h.log) }

func (h hclogger) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(h.StandardWriter(o), "", 0)
}
