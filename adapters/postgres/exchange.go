package postgres

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// maxPlainSend is how large the values of a statement may be to be sent without
// reading meanwhile. The server has answered everything before, so it has nothing to
// say that could fill its own buffers while it reads this.
const maxPlainSend = 16 << 10

// wire is a connection as a session speaks on it: one request, and then its whole
// answer. pgconn would do the same; it also sets a timer and registers with the
// context for each call, and keeps the result for its caller. Those cost more than
// the rest of the client, and what the client costs is in every latency.
//
// It leaves reading, the state of the transaction, and giving the connection up to
// pgconn, so calls of both may follow each other.
type wire struct {
	conn *pgconn.PgConn
	tag  []byte // of the last command

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
	return w.exchange(ctx, func(f *pgproto3.Frontend) {
		f.SendBind(&st.message)
		f.SendExecute(&st.run)
		f.SendSync(&pgproto3.Sync{})
	})
}

// query executes a text without parameters.
func (w *wire) query(ctx context.Context, text string) error {
	_, err := w.exchange(ctx, func(f *pgproto3.Frontend) { f.SendQuery(&pgproto3.Query{String: text}) })
	return err
}

// exchange sends what request makes and reads the whole answer. An error of the
// server leaves the connection as it is; after any other it is closed.
func (w *wire) exchange(ctx context.Context, request func(*pgproto3.Frontend)) (rows int64, err error) {
	w.tag = w.tag[:0]
	if w.conn.IsClosed() {
		return 0, net.ErrClosed
	}
	if !w.begin(ctx) {
		return 0, context.Cause(ctx)
	}
	defer w.end()
	request(w.conn.Frontend())
	if err := w.conn.Frontend().Flush(); err != nil {
		return 0, w.giveUp(err) // with what the server has said before it went
	}
	return w.answer()
}

// answer reads up to where the server waits for the next request.
func (w *wire) answer() (rows int64, problem error) {
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
