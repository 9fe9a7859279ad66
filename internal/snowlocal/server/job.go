package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Bounds of what is remembered of queries that have ended: so that a request that
// comes again is not executed again, and a result can be asked for by its id.
const (
	maxEnded       = 1 << 17   // queries
	maxAnswerBytes = 256 << 20 // of their answers; older ones are dropped
	maxPanicText   = 4 << 10
)

// job is a query from its first request until it is forgotten.
type job struct {
	id, request string
	text        string // until it is done
	session     int64
	user        string
	async       bool
	ctx         context.Context // ends with an abort, or with the session
	cancel      context.CancelFunc
	turn        <-chan struct{} // closed when those before it in the session are done
	over        chan struct{}   // closed when it leaves the session to the next
	done        chan struct{}   // closed when there is an answer
	record      *statement      // the recorder's

	mu     sync.Mutex
	answer []byte // nil when it was dropped
}

// requestKey is what makes a request the same as another. The text belongs to it:
// a client may give another text the same id, and means another request.
type requestKey struct {
	session int64
	request string
	text    string
}

// jobs are the queries that run, and the last that have ended.
type jobs struct {
	mu        sync.Mutex
	byID      map[string]*job
	byRequest map[requestKey]*job
	keys      map[*job]requestKey
	latest    map[requestKey]*job // without a text: the last of a request
	ended     []*job              // the oldest first
	whole     int                 // index of the first in ended that has its answer
	bytes     int
}

func newJobs() *jobs {
	return &jobs{byID: map[string]*job{}, byRequest: map[requestKey]*job{}, keys: map[*job]requestKey{}, latest: map[requestKey]*job{}}
}

// start makes a job and gives it its place in the session; or finds the one that
// the same request has started.
func (t *jobs) start(x *session, request, text string, async bool) (j *job, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := requestKey{x.id, request, digest(text)}
	if request != "" {
		if j = t.byRequest[key]; j != nil {
			return j, true
		}
	}
	j = &job{
		id: newID(), request: request, text: text, session: x.id, user: x.user, async: async, turn: x.tail,
		over: make(chan struct{}), done: make(chan struct{}),
	}
	x.tail = j.over
	j.ctx, j.cancel = context.WithCancel(x.ctx)
	t.byID[j.id] = j
	if request != "" {
		t.byRequest[key], t.keys[j], t.latest[requestKey{session: x.id, request: request}] = j, key, j
	}
	return j, false
}

// finish notes the answer of a job, and those of its children, and forgets the
// oldest for them.
func (t *jobs) finish(j *job, answer []byte, children map[string][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j.answer, j.text = answer, "" // nobody reads them before done
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
	for t.bytes > maxAnswerBytes && t.whole < len(t.ended)-1 {
		t.bytes -= t.ended[t.whole].drop()
		t.whole++
	}
	for len(t.ended) > maxEnded {
		old := t.ended[0]
		t.ended[0] = nil
		t.ended = t.ended[1:]
		if t.whole > 0 {
			t.whole--
		} else {
			t.bytes -= old.drop()
		}
		delete(t.byID, old.id)
		key, ok := t.keys[old]
		if !ok {
			continue
		}
		delete(t.keys, old)
		delete(t.byRequest, key)
		if key.text = ""; t.latest[key] == old {
			delete(t.latest, key)
		}
	}
}

// of is the last job of a request.
func (t *jobs) of(x *session, request string) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest[requestKey{session: x.id, request: request}]
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

// textOf is the text of a job that runs.
func (t *jobs) textOf(j *job) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return j.text
}

// drop forgets an answer, and returns how long it was.
func (j *job) drop() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.answer)
	j.answer = nil
	return n
}

// reply is the answer of a job that is done.
func (j *job) reply() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.answer == nil {
		return noSuchQuery(j.id).encode()
	}
	return j.answer
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

// run executes a job in its session when it is its turn. An asynchronous one does
// not keep those after it waiting, but in a transaction: the engine knows what
// may run beside it.
func (s *Server) run(x *session, j *job, q engine.Query) {
	over := sync.OnceFunc(func() { close(j.over) })
	defer over()
	begun := time.Now()
	select {
	case <-j.turn:
	case <-j.ctx.Done():
		s.fail(j, &engine.Error{Number: 604, SQLState: "57014", Message: textAborted}, time.Since(begun))
		<-j.turn // who comes next waits for those before
		return
	}
	if j.async && !x.engine.InTransaction() {
		over()
	}
	result, err := execute(x, j, q)
	if err != nil {
		s.fail(j, err, time.Since(begun))
		return
	}
	if len(result.Parameters) > 0 {
		x.changedParameters()
	}
	s.recorder.end(j, 0, time.Since(begun))
	answer, children := x.encodeResult(j.id, len(q.Binds), result)
	s.jobs.finish(j, answer, children)
}

func (s *Server) fail(j *job, err error, took time.Duration) {
	no := refusalOf(err, j.id)
	s.recorder.end(j, no.number(), took)
	s.jobs.finish(j, no.encode(), nil)
}

// execute executes a statement. One at which the engine breaks is an incident,
// and no reason for others to end.
func execute(x *session, j *job, q engine.Query) (result *engine.Result, err error) {
	x.running.Add(1)
	defer x.running.Add(-1)
	defer func() {
		if broken := recover(); broken != nil {
			stack := debug.Stack()
			err = fmt.Errorf("the stand-in has a defect: %v\n%s", broken, stack[:min(len(stack), maxPanicText)])
		}
	}()
	return x.engine.Execute(j.ctx, q)
}
