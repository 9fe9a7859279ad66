package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Launcher is where workers of a run may be asked to run, as far as the
// controller has to know it. It never touches the launcher itself.
type Launcher struct {
	// Resolution holds the name and the defaults of scenarios that use it.
	core.Resolution
	// Host that runs on it belong to; empty where any orchestrator will do.
	Host string
	// Gateway chooses where the store is served to the workers of one run; nil
	// where they reach the store themselves.
	Gateway func() (string, error)
}

// Options are what a Service needs besides its store.
type Options struct {
	// Launchers that runs may use; the first is the default. Required.
	Launchers []Launcher
	// NewRunID makes the id of a run. Required.
	NewRunID func() string
	// Build of this binary.
	Build core.Build
	// Location of the store, without a secret.
	Location string
	// LivePoll is how often a run that is watched is looked at for a change; default
	// 250 ms. Where each look costs money it should be longer.
	LivePoll time.Duration
	// Logger gets what goes wrong; nil: nothing is logged.
	Logger *slog.Logger
}

// Service is what the controller can do. Every method may be called concurrently,
// and its errors carry the codes of core.
type Service struct {
	store    ports.Store
	live     *live
	compared seriesKept
	courses  courses
	Options
}

// New returns a Service over a store, or an error that names what is missing. Close
// ends it; the store is the caller's.
func New(store ports.Store, o Options) (*Service, error) {
	if store == nil || len(o.Launchers) == 0 || o.NewRunID == nil {
		return nil, fmt.Errorf("%w: a controller needs a store, a launcher and a maker of run ids", core.ErrInvalid)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LivePoll <= 0 {
		o.LivePoll = 250 * time.Millisecond
	}
	s := &Service{store: store, Options: o}
	s.live = newLive(s)
	return s, nil
}

// Version is what this controller is.
func (s *Service) Version() client.Version {
	v := client.Version{Version: s.Build.ID, GoVersion: s.Build.GoVersion, Store: s.Location}
	for _, l := range s.Launchers {
		v.Launchers = append(v.Launchers, l.Launcher)
	}
	return v
}

// The pace of request.
const (
	requestWait = 10 * time.Second // of one request, with all its tries
	callWait    = 5 * time.Second  // of one try
	retryPause  = 50 * time.Millisecond
)

// request folds one request into a run and commits it, again while others are
// faster or the store is away. A refusal leaves the run as it is.
func (s *Service) request(ctx context.Context, runID string, ask func(now time.Time) core.Event) (ports.RunRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, retryPause) {
		record, err := s.tryRequest(ctx, runID, ask)
		if code := core.CodeOf(err); code != core.Unavailable && !errors.Is(err, errFaster) {
			return record, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return record, fmt.Errorf("%w: the request to run %s was given up after %s: %w", core.ErrUnavailable, runID, requestWait, err)
		case <-timer.C:
		}
	}
}

// errFaster says that somebody else has changed the run meanwhile.
var errFaster = fmt.Errorf("%w: somebody else was faster", core.ErrConflict)

func (s *Service) tryRequest(ctx context.Context, runID string, ask func(now time.Time) core.Event) (ports.RunRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	record, err := s.store.Load(ctx, runID)
	if err != nil {
		return record, err
	}
	next, events, err := record.Run.Fold(ask(record.Now))
	if err != nil || record.Run.Status.Terminal() {
		return record, err
	}
	version, err := s.store.Commit(ctx, record.Version, next, events, ports.Progress{})
	if core.CodeOf(err) == core.Conflict {
		return record, fmt.Errorf("%w: %w", errFaster, err)
	}
	if err == nil {
		record.Run, record.Version = next, version
	}
	return record, err
}
