package server

import (
	"context"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Bounds of the answers that are remembered: for a request that comes again, and
// for results that are asked for by their query id.
const (
	maxAnswers     = 20000
	maxAnswerBytes = 256 << 20
)

// job is a query from its first request until its answer is forgotten.
type job struct {
	id, request, text string
	session           int64
	user              string
	async             bool
	ctx               context.Context // ends with an abort, or with the session
	cancel            context.CancelFunc
	done              chan struct{}
	answer            []byte     // once it is done
	record            *statement // the recorder's
}

type requestKey struct {
	session int64
	request string
}

// jobs are the queries that run, and the last that have ended.
type jobs struct {
	mu        sync.Mutex
	byID      map[string]*job
	byRequest map[requestKey]*job
	ended     []*job // the oldest first
	bytes     int
}

func newJobs() *jobs { return &jobs{byID: map[string]*job{}, byRequest: map[requestKey]*job{}} }

// start makes a job, or finds the one that the same request has started.
func (t *jobs) start(x *session, request, text string, async bool) (j *job, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := requestKey{x.id, request}
	if j = t.byRequest[key]; request != "" && j != nil && j.text == text {
		return j, true
	}
	j = &job{id: newID(), request: request, text: text, session: x.id, user: x.user, async: async, done: make(chan struct{})}
	j.ctx, j.cancel = context.WithCancel(x.ctx)
	t.byID[j.id] = j
	if request != "" {
		t.byRequest[key] = j
	}
	return j, false
}

// finish notes the answer of a job, and those of its children, and forgets the
// oldest for them.
func (t *jobs) finish(j *job, answer []byte, children map[string][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j.answer = answer
	close(j.done)
	j.cancel()
	t.remember(j)
	for id, text := range children {
		child := &job{id: id, session: j.session, user: j.user, done: j.done, answer: text}
		t.byID[id] = child
		t.remember(child)
	}
}

func (t *jobs) remember(j *job) {
	t.ended = append(t.ended, j)
	t.bytes += len(j.answer)
	for len(t.ended) > maxAnswers || (t.bytes > maxAnswerBytes && len(t.ended) > 1) {
		old := t.ended[0]
		t.ended[0] = nil
		t.ended = t.ended[1:]
		t.bytes -= len(old.answer)
		delete(t.byID, old.id)
		if key := (requestKey{old.session, old.request}); t.byRequest[key] == old {
			delete(t.byRequest, key)
		}
	}
}

// of is the job of a request.
func (t *jobs) of(x *session, request string) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byRequest[requestKey{x.id, request}]
}

// find is the job with that query id, if the user may see it.
func (t *jobs) find(user, id string) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j := t.byID[id]; j != nil && j.user == user {
		return j
	}
	return nil
}

// running reports whether it has no answer yet.
func (j *job) running() bool {
	select {
	case <-j.done:
		return false
	default:
		return true
	}
}

// run executes a job in its session, after those before it.
func (s *Server) run(x *session, j *job, q engine.Query) {
	begun := time.Now()
	result, err := s.execute(x, j, q)
	if err != nil {
		no := refusalOf(err, j.id)
		s.recorder.end(j, no.number(), time.Since(begun))
		s.jobs.finish(j, no.encode(), nil)
		return
	}
	s.recorder.end(j, 0, time.Since(begun))
	answer, children := x.encodeResult(j.id, result)
	s.jobs.finish(j, answer, children)
}

// execute waits for the session and executes the statement in it.
func (s *Server) execute(x *session, j *job, q engine.Query) (*engine.Result, error) {
	select {
	case x.slot <- struct{}{}:
	case <-j.ctx.Done():
		return nil, &engine.Error{Number: 604, SQLState: "57014", Message: textAborted}
	}
	defer func() { <-x.slot }()
	result, err := x.engine.Execute(j.ctx, q)
	if result != nil && len(result.Parameters) > 0 {
		x.changedParameters()
	}
	return result, err
}
