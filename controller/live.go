package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

// The bounds of live streams.
const (
	maxViewers     = 500             // of all runs
	lingerFor      = 5 * time.Second // a publisher without viewers: one may come back
	heartbeatEvery = 15 * time.Second
)

// errTooMany says that there are too many viewers.
var errTooMany = problem(codeTooMany, fmt.Sprintf("%d streams are open; allowed: no more", maxViewers))

// live are the publishers of the runs that somebody watches: one for each run,
// whatever the number of its viewers.
type live struct {
	service *Service
	ctx     context.Context // ends all of them
	stop    context.CancelFunc
	group   sync.WaitGroup

	mu      sync.Mutex
	open    map[string]*publisher
	viewers int
}

func newLive(s *Service) *live {
	ctx, stop := context.WithCancel(context.Background())
	return &live{service: s, ctx: ctx, stop: stop, open: map[string]*publisher{}}
}

// Close ends every live stream and waits for what feeds them.
func (s *Service) Close() {
	s.live.mu.Lock() // so that nobody enters any more
	s.live.stop()
	s.live.mu.Unlock()
	s.live.group.Wait()
}

// Watch begins to watch a run. last is the ID of the last frame that the viewer has
// seen, from this controller or another, or before it was started again; empty: the
// viewer begins with where the run stands now. Errors: NotFound; TooMany.
func (s *Service) Watch(ctx context.Context, id, last string) (*Watcher, error) {
	from, err := parseCursor(last)
	if err != nil {
		return nil, err
	}
	p, err := s.live.enter(id)
	if err != nil {
		return nil, err
	}
	v := &Watcher{publisher: p, cursor: from, resumes: last != ""}
	if err := p.ready(ctx); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// enter finds the publisher of a run, or starts it.
func (l *live) enter(id string) (*publisher, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ctx.Err() != nil:
		return nil, fmt.Errorf("%w: the controller is ending", core.ErrUnavailable)
	case l.viewers >= maxViewers:
		return nil, errTooMany
	}
	p := l.open[id]
	if p == nil {
		p = newPublisher(l.service, id)
		l.open[id] = p
		l.group.Go(func() { p.run(l.ctx, func() bool { return l.deserted(p) }) })
	}
	l.viewers++
	p.viewers++
	return p, nil
}

// leave is the end of a viewer.
func (l *live) leave(p *publisher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.viewers--
	p.viewers--
	p.left = time.Now()
}

// deserted takes a publisher away that nobody watches any more, or that has nothing
// more to say, and reports whether it did.
func (l *live) deserted(p *publisher) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.viewers > 0 && !p.ended() || p.viewers == 0 && !p.ended() && time.Since(p.left) < lingerFor {
		return false
	}
	if l.open[p.id] == p {
		delete(l.open, p.id)
	}
	return true
}

// Watcher is one who watches a run. It is for one goroutine.
type Watcher struct {
	publisher *publisher
	cursor    cursor
	seen      int  // version of the publisher
	resumes   bool // it has seen frames before
	closed    bool
}

// Message is one message of a stream.
type Message struct {
	ID   string // where the stream goes on after it
	Data []byte // a client.Frame as JSON; shared, not to be changed
	End  bool   // none follows
}

// Next waits for the next message. One who is late gets a single message that makes
// up for all that was missed. ok is false when wait has passed without one.
func (v *Watcher) Next(ctx context.Context, wait time.Duration) (m Message, ok bool, err error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		m, changed, err := v.publisher.next(v)
		if changed == nil {
			return m, err == nil, err
		}
		select {
		case <-ctx.Done():
			return Message{}, false, ctx.Err()
		case <-timer.C:
			return Message{}, false, nil
		case <-changed:
		}
	}
}

// Close ends the watching. It is idempotent.
func (v *Watcher) Close() {
	if !v.closed {
		v.closed = true
		v.publisher.service.live.leave(v.publisher)
	}
}

// Look reads where a run stands as the stream would begin: for the first paint of a
// page, which goes on from the frame's ID.
func (s *Service) Look(ctx context.Context, id string) (client.Frame, error) {
	p := newPublisher(s, id)
	p.back = shown
	if err := p.read(ctx); err != nil {
		return client.Frame{}, err
	}
	return p.frame(cursor{}, true), nil
}
