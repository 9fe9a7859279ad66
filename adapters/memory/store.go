package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.TemplateStore = templates{}
	_ ports.LogStore      = logs{}
)

// Options of a Store.
type Options struct {
	// Now is the store's clock; time.Now when nil. Its times are cut to
	// microseconds, as databases do.
	Now func() time.Time
}

// Store is a store in memory. Make it with NewStore.
type Store struct {
	data   *data
	closed atomic.Bool
}

// data is what all handles of one store share.
type data struct {
	now func() time.Time

	mu         sync.Mutex
	lastBase   int64 // the insert base reserved last
	created    int64 // runs created so far
	runs       map[string]*storedRun
	executions map[string]storedExecution // by id
	templates  map[string]*storedTemplate // by id
	pools      map[string][]string        // chunks, by id
	putCount   int64                      // template ids given out
}

// storedRun is a run and everything that is stored under it.
type storedRun struct {
	order    int64 // of creation
	run      frozen[core.Run]
	level    core.Run // the same, decoded once for Control and List; never handed out
	scenario frozen[core.Scenario]
	name     string // of the scenario
	launcher string
	template string // its id
	base     int64
	version  int64
	home     ports.Home
	progress ports.Progress
	created  time.Time
	updated  time.Time

	events     []core.ControlEvent // plain values
	beats      map[string]storedBeat
	intervals  map[intervalKey]storedInterval
	aggregates map[aggregateKey]frozen[ports.RunInterval]
	rollup     *storedRollup
	lines      map[lineKey]ports.LogLine // plain values
	steps      map[stepKey]frozen[core.ControllerStep]
}

// NewStore makes an empty store.
func NewStore(options Options) *Store {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Store{data: &data{
		now:        options.Now,
		runs:       map[string]*storedRun{},
		executions: map[string]storedExecution{},
		templates:  map[string]*storedTemplate{},
		pools:      map[string][]string{},
	}}
}

// Reopen returns another handle on the same data, open even if s is closed.
func (s *Store) Reopen() *Store { return &Store{data: s.data} }

// Close closes this handle: its calls are Unavailable from then on. The data
// stays for other handles. It is idempotent and returns nil.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

// Templates returns the templates of the store.
func (s *Store) Templates() ports.TemplateStore { return templates{s} }

// Logs returns the log lines of the store.
func (s *Store) Logs() ports.LogStore { return logs{s} }

// Check always finds everything: there are no tables.
func (s *Store) Check(ctx context.Context) ([]core.Finding, error) {
	err := s.do(ctx, func(*data) error { return nil })
	if err != nil {
		return nil, err
	}
	return []core.Finding{{ID: "store.schema", Severity: core.SeverityOK, Message: "the store is in memory and needs no schema"}}, nil
}

// Probe returns the store's clock. There is nothing to try: memory can be
// written.
func (s *Store) Probe(ctx context.Context) (now time.Time, err error) {
	err = s.do(ctx, func(d *data) error {
		now = d.clock()
		return nil
	})
	return now, err
}

// do runs f alone on the data.
func (s *Store) do(ctx context.Context, f func(*data) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: memory: %w", core.ErrUnavailable, err)
	}
	if s.closed.Load() {
		return fmt.Errorf("%w: memory: the store is closed", core.ErrUnavailable)
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	return f(s.data)
}

// clock is the store's clock: UTC, whole microseconds.
func (d *data) clock() time.Time { return d.now().UTC().Truncate(time.Microsecond) }

func (d *data) find(runID string) (*storedRun, error) {
	r := d.runs[runID]
	if r == nil {
		return nil, fmt.Errorf("%w: memory: run %q", core.ErrNotFound, runID)
	}
	return r, nil
}

// frozen is a value as JSON, as a database would keep it. Nothing can alias it.
type frozen[T any] struct{ text []byte }

func freeze[T any](v T) (frozen[T], error) {
	text, err := json.Marshal(v)
	if err != nil {
		return frozen[T]{}, fmt.Errorf("%w: memory: a value cannot be stored: %w", core.ErrInvalid, err)
	}
	return frozen[T]{text}, nil
}

func (f frozen[T]) thaw() (T, error) {
	var v T
	if err := json.Unmarshal(f.text, &v); err != nil {
		return v, fmt.Errorf("%w: memory: a stored value cannot be read: %w", core.ErrInternal, err)
	}
	return v, nil
}

// thawAll thaws a list in order.
func thawAll[T any](list []frozen[T]) ([]T, error) {
	var out []T
	for _, f := range list {
		v, err := f.thaw()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
