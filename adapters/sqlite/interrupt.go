package sqlite

import (
	"context"
	"database/sql/driver"
	"reflect"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// interrupter returns a function that interrupts whatever runs on a connection
// of the driver. It may be called from any goroutine, until the connection is
// closed.
//
// The driver interrupts only by the context of a call, and for that it starts a
// goroutine for every call that has one: measured, a quarter of the time of a
// look-up. It does not hand out the connection's sqlite3 handle either, so that
// is read here, from the field that holds it. Nil when there is no such field
// any more; sessions then pass contexts on to the driver, and are slower. A test
// fails when that happens.
func interrupter(conn driver.Conn) func() {
	v := reflect.ValueOf(conn)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	field := v.Elem().FieldByName("db")
	if !field.IsValid() || field.Kind() != reflect.Uintptr || field.Uint() == 0 {
		return nil
	}
	handle := uintptr(field.Uint())
	return func() {
		tls := libc.NewTLS() // the connection's own is in use
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, handle)
	}
}

// watch interrupts a session when the context of its calls ends. It is set up
// once for all calls that have the same context.
type watch struct {
	done   <-chan struct{} // of the context that is watched; nil: none
	forget func()
}

// follow watches another context from now on. Nothing of the session may be in
// flight in the driver.
func (w *watch) follow(ctx context.Context, s *session) {
	w.stop()
	if ctx.Done() == nil {
		return
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		s.interruptCall()
	})
	w.done = ctx.Done()
	w.forget = func() {
		if !stop() {
			<-ended
		}
	}
}

// stop watches nothing any more. It waits for an interruption that is under way,
// so that it cannot hit the next call.
func (w *watch) stop() {
	if w.forget != nil {
		w.forget()
	}
	*w = watch{}
}

// interruptCall interrupts the call in flight, if any, until it ends: SQLite
// forgets an interruption that comes before a statement has begun.
func (s *session) interruptCall() {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for s.inFlight.Load() {
		s.interrupt()
		<-pause.C
	}
}
