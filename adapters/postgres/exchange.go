package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/benchfleet/benchfleet/core"
)

// maxPlainSend is how large the values of a statement may be to be sent without
// reading meanwhile. The server has answered everything before, so it has nothing to
// say that could fill its own buffers while it reads this.
const maxPlainSend = 16 << 10

// patienceOfPgconn is how long a write of pgconn may take before it reads beside it; it
// says 15 ms.
const patienceOfPgconn = 10 * time.Millisecond

// wire is a connection as a session speaks on it: one request, and then its whole
// answer. pgconn would do the same; it also sets a timer and registers with the
// context for each call, and keeps the result for its caller. Those cost more than
// the rest of the client, and what the client costs is in every latency.
//
// It leaves giving the connection up to pgconn, and reading where pgconn may hold what
// has come. Calls of both may follow each other.
type wire struct {
	conn    *pgconn.PgConn
	bottom  exclusive // of the connection; nil: it is always read by pgconn
	replies replies
	request []byte // of the last call
	tag     []byte // of the last command
	state   byte   // of the transaction, as the server says it

	mu         sync.Mutex
	watched    *watch  // of the newest context that can end
	busy       bool    // a request is being answered
	cancelling *cancel // of that request; nil: none has begun
}

// cancel is the cancelling of one request.
type cancel struct {
	answered chan struct{} // closed when the request is answered
	done     chan struct{} // closed when nothing more is asked of the server
}

// The server passes by a cancel that comes before it has read the request, so it is
// asked again after these pauses, which double.
const (
	minCancelPause = 50 * time.Millisecond
	maxCancelPause = time.Second
)

// watch is a context that is watched until another one takes its place: the calls
// of a worker have all the same.
type watch struct {
	done  <-chan struct{}
	stop  func() bool
	ended bool
}

// newWire is a wire over a connection on which the server waits for a request.
func newWire(conn *pgconn.PgConn) wire {
	return wire{conn: conn, bottom: beneath(conn.Conn()), replies: newReplies(conn.Conn()), state: conn.TxStatus()}
}

// begin lets a request be cancelled when ctx ends. It is false when it has ended.
func (w *wire) begin(ctx context.Context) bool {
	done := ctx.Done()
	if ctx.Err() != nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if done == nil {
		w.busy = false // nothing may cancel it
		return true
	}
	if w.watched == nil || w.watched.done != done {
		w.unwatch()
		it := &watch{done: done}
		it.stop = context.AfterFunc(ctx, func() { w.ended(ctx, it) })
		w.watched = it
	}
	w.busy = !w.watched.ended
	return w.busy
}

// ended cancels what is being answered, if it belongs to the context that has ended.
func (w *wire) ended(ctx context.Context, it *watch) {
	w.mu.Lock()
	it.ended = true
	if !w.busy || w.watched != it {
		w.mu.Unlock()
		return
	}
	c := &cancel{answered: make(chan struct{}), done: make(chan struct{})}
	w.cancelling = c
	w.mu.Unlock()
	w.cancel(ctx, c)
}

// cancel asks the server to cancel until the request is answered, and gives the call
// cancelTimeout to end.
func (w *wire) cancel(ctx context.Context, c *cancel) {
	defer close(c.done)
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer stop()
	deadline, _ := bounded.Deadline()
	_ = w.conn.Conn().SetDeadline(deadline) // where no cancel helps, it ends the call
	for pause := minCancelPause; ; pause = min(2*pause, maxCancelPause) {
		_ = w.conn.CancelRequest(bounded)
		again := time.NewTimer(pause)
		select {
		case <-c.answered:
		case <-bounded.Done():
		case <-again.C:
			continue
		}
		again.Stop()
		return
	}
}

// end says that the request is answered: from then on nothing cancels on its behalf.
func (w *wire) end() {
	w.mu.Lock()
	cancelling := w.cancelling
	w.busy, w.cancelling = false, nil
	w.mu.Unlock()
	if cancelling == nil {
		return
	}
	close(cancelling.answered)
	<-cancelling.done
	if !w.conn.IsClosed() {
		_ = w.conn.Conn().SetDeadline(time.Time{})
	}
}

// unwatch forgets the context. The lock must be held.
func (w *wire) unwatch() {
	if w.watched != nil {
		w.watched.stop()
		w.watched = nil
	}
}

// close forgets the context; the connection is another's to close.
func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unwatch()
}

// execute executes a prepared statement with the values that it holds, and returns
// how many rows came.
func (w *wire) execute(ctx context.Context, st *statement) (rows int64, err error) {
	request, err := st.message.Encode(w.request[:0])
	if err != nil {
		return 0, fmt.Errorf("%w: postgres: %w", core.ErrInvalid, err)
	}
	w.request = append(request, executeAndSync...)
	return w.exchange(ctx)
}

// executeAndSync are the messages that follow the values of a statement.
var executeAndSync = func() []byte {
	execute, _ := new(pgproto3.Execute).Encode(nil) // plain data
	both, _ := new(pgproto3.Sync).Encode(execute)
	return both
}()

// query executes a text without parameters.
func (w *wire) query(ctx context.Context, text string) (err error) {
	if w.request, err = (&pgproto3.Query{String: text}).Encode(w.request[:0]); err != nil {
		return fmt.Errorf("%w: postgres: %w", core.ErrInvalid, err)
	}
	_, err = w.exchange(ctx)
	return err
}

// exchange sends the request and reads the whole answer. An error of the server leaves
// the connection as it is; after any other it is closed.
func (w *wire) exchange(ctx context.Context) (rows int64, err error) {
	w.tag = w.tag[:0]
	if w.conn.IsClosed() {
		return 0, net.ErrClosed
	}
	if !w.begin(ctx) {
		return 0, context.Cause(ctx)
	}
	defer w.end()
	alone := w.alone()
	if _, err := w.conn.Conn().Write(w.request); err != nil {
		return 0, w.giveUp(err) // with what the server has said before it went
	}
	if alone {
		return w.answer()
	}
	return w.answerByPgconn()
}

// alone reports whether nobody else reads, or holds what has come.
func (w *wire) alone() bool {
	return w.replies.some() || w.bottom != nil && w.bottom.quiet() && w.conn.Frontend().ReadBufferLen() == 0
}

// handOver passes by what the server has said unasked, so that pgconn, which reads next,
// finds nothing or whole messages.
func (w *wire) handOver() error {
	if !w.replies.some() {
		return nil
	}
	_ = w.conn.Conn().SetReadDeadline(time.Now().Add(closeTimeout))
	for w.replies.some() {
		kind, body, err := w.replies.next()
		if err == nil && kind == messageError {
			err, _ = serverError(body)
		}
		if err != nil {
			_ = w.conn.Conn().Close()
			return w.giveUp(err)
		}
	}
	return w.conn.Conn().SetReadDeadline(time.Time{})
}

// answer reads up to where the server waits for the next request.
func (w *wire) answer() (rows int64, problem error) {
	for {
		kind, body, err := w.replies.next()
		if err != nil { // it may be the deadline that follows upon a cancel
			_ = w.conn.Conn().Close()
			return rows, w.giveUp(err)
		}
		switch kind {
		case messageRow:
			rows++
		case messageComplete:
			w.tag = append(w.tag[:0], bytes.TrimSuffix(body, []byte{0})...)
		case messageError:
			said, fatal := serverError(body)
			if fatal {
				_ = w.conn.Conn().Close()
				return rows, w.giveUp(said)
			}
			if problem == nil {
				problem = said
			}
		case messageReady:
			if len(body) == 1 {
				w.state = body[0]
			}
			return rows, problem
		}
	}
}

// serverError is what the server says, and whether it ends the session with that.
func serverError(body []byte) (said error, fatal bool) {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return fmt.Errorf("an error that cannot be read: %w", err), true
	}
	severity := cmp.Or(m.SeverityUnlocalized, m.Severity)
	return pgconn.ErrorResponseToPgError(&m), severity == "FATAL" || severity == "PANIC"
}

// answerByPgconn is answer where pgconn has to read.
func (w *wire) answerByPgconn() (rows int64, problem error) {
	for {
		message, err := w.conn.ReceiveMessage(context.Background())
		if err != nil {
			if !w.conn.IsClosed() { // the deadline that follows upon a cancel
				_ = w.conn.Conn().Close()
				err = w.giveUp(err)
			}
			return rows, err
		}
		switch m := message.(type) {
		case *pgproto3.DataRow:
			rows++
		case *pgproto3.CommandComplete:
			w.tag = append(w.tag[:0], m.CommandTag...)
		case *pgproto3.ErrorResponse:
			if problem == nil {
				problem = pgconn.ErrorResponseToPgError(m)
			}
		case *pgproto3.ReadyForQuery:
			w.state = m.TxStatus
			return rows, problem
		}
	}
}

// giveUp has pgconn close a connection that cannot be used, and cancel what runs on
// it: that happens when a read fails. What the server has said before it closed the
// connection is a better error than that of the write.
func (w *wire) giveUp(why error) error {
	_ = w.conn.Conn().SetDeadline(time.Now().Add(closeTimeout))
	for !w.conn.IsClosed() {
		_, err := w.conn.ReceiveMessage(context.Background())
		var said *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &said):
			why = err
		default:
			_ = w.conn.Conn().Close() // so that the next read fails for good
		}
	}
	return why
}

// affected is how many rows a command says that it has changed: the last number of
// its tag.
func affected(tag []byte) (rows int64) {
	scale := int64(1)
	for i := len(tag) - 1; i >= 0 && tag[i] >= '0' && tag[i] <= '9'; i-- {
		rows += int64(tag[i]-'0') * scale
		scale *= 10
	}
	return rows
}
