package porttest_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// These stores are broken where templates and logs are kept.

// templateStore changes what goes through Templates.
type templateStore struct {
	ports.Store
	before func(*core.Template)
	record func(*ports.TemplateRecord)
	byName bool // only
	putIf  func(ctx context.Context, s ports.TemplateStore, t core.Template, c core.TemplateCondition) (ports.TemplateRecord, error)
}

type brokenTemplates struct {
	ports.TemplateStore
	how templateStore
}

func (s templateStore) Templates() ports.TemplateStore {
	return brokenTemplates{s.Store.Templates(), s}
}

func (b brokenTemplates) Put(ctx context.Context, t core.Template) (ports.TemplateRecord, error) {
	if b.how.before != nil {
		b.how.before(&t)
	}
	r, err := b.TemplateStore.Put(ctx, t)
	if b.how.record != nil {
		b.how.record(&r)
	}
	return r, err
}

func (b brokenTemplates) PutIf(ctx context.Context, t core.Template, c core.TemplateCondition) (ports.TemplateRecord, error) {
	if b.how.putIf != nil {
		return b.how.putIf(ctx, b.TemplateStore, t, c)
	}
	return b.TemplateStore.PutIf(ctx, t, c)
}

// judgedBefore judges, and lets others do what they like before it puts.
func judgedBefore(ctx context.Context, s ports.TemplateStore, t core.Template, c core.TemplateCondition) (ports.TemplateRecord, error) {
	before, err := s.Get(ctx, t.Name)
	if err == nil {
		err = c.Check(t.Name, true, before.Version, before.Used, false)
	}
	if err != nil {
		return ports.TemplateRecord{}, err
	}
	for tries := 0; tries < 1000 && before.Used == 0; tries++ { // until the use that races it is stored
		if before, err = s.Get(ctx, t.Name); err != nil {
			return ports.TemplateRecord{}, err
		}
		runtime.Gosched()
	}
	return s.Put(ctx, t)
}

func (b brokenTemplates) Get(ctx context.Context, nameOrID string) (ports.TemplateRecord, error) {
	if b.how.byName && strings.HasPrefix(nameOrID, "template-") {
		nameOrID = "no such name"
	}
	r, err := b.TemplateStore.Get(ctx, nameOrID)
	if b.how.record != nil {
		b.how.record(&r)
	}
	return r, err
}

// logStore changes what goes through Logs.
type logStore struct {
	ports.Store
	after func(time.Time) time.Time
	limit func(int) int
}

type brokenLogs struct {
	ports.LogStore
	how logStore
}

func (s logStore) Logs() ports.LogStore { return brokenLogs{s.Store.Logs(), s} }

func (b brokenLogs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]ports.LogLine, error) {
	if b.how.after != nil {
		after = b.how.after(after)
	}
	if b.how.limit != nil {
		limit = b.how.limit(limit)
	}
	return b.LogStore.Read(ctx, runID, workerID, after, limit)
}

// immortalLogs keeps what was appended once.
type immortalLogs struct {
	ports.Store
	mu    sync.Mutex
	lines []ports.LogLine
}

func (s *immortalLogs) Logs() ports.LogStore { return keptLogs{s.Store.Logs(), s} }

type keptLogs struct {
	ports.LogStore
	kept *immortalLogs
}

func (l keptLogs) Append(ctx context.Context, lines []ports.LogLine) error {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	l.kept.lines = append(l.kept.lines, lines...)
	return l.LogStore.Append(ctx, lines)
}

func (l keptLogs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]ports.LogLine, error) {
	lines, err := l.LogStore.Read(ctx, runID, workerID, after, limit)
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	if err == nil && len(lines) == 0 && after.IsZero() {
		for _, line := range l.kept.lines {
			if line.RunID == runID {
				lines = append(lines, line)
			}
		}
	}
	return lines, err
}
