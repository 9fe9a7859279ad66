package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
)

type named struct{} // a key

func TestAffected(t *testing.T) {
	is := is.New(t)
	for tag, want := range map[string]int64{
		"": 0, "BEGIN": 0, "UPDATE 0": 0, "UPDATE 7": 7, "INSERT 0 1": 1, "DELETE 1204": 1204, "SELECT 9223372036854775807": 9223372036854775807,
	} {
		is.Equal(affected([]byte(tag)), want)
	}
}

// A context that ends between calls hits neither the one before nor one of another
// context, and is forgotten with the session.
func TestWatchOfAContext(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	s := begin(t, open(t, dsn, Options{}), "SELECT 1", "SELECT pg_sleep(0.02)")
	first, cancelFirst := context.WithCancelCause(t.Context())
	_, err := s.Exec(first, 0, nil)
	is.NoErr(err)
	watched := s.wire.watched
	_, err = s.Exec(context.WithValue(first, named{}, 1), 0, nil) // ends when first does
	is.NoErr(err)
	is.Equal(s.wire.watched, watched)
	second, cancelSecond := context.WithCancel(t.Context())
	defer cancelSecond()
	_, err = s.Exec(second, 0, nil)
	is.NoErr(err)
	cancelFirst(nil)
	_, err = s.Exec(second, 1, nil) // goes on while first has ended
	is.NoErr(err)
	_, err = s.Exec(first, 0, nil)
	is.Equal(core.CodeOf(err), core.Refused)
	is.Equal(core.ErrorClass(err), core.ClassCancelled)
	_, err = s.Exec(context.Background(), 0, nil) // nothing can end it
	is.NoErr(err)
	is.NoErr(s.Close())
	is.Equal(s.wire.watched, nil)
}

// Cancelled again and again, on one session and by one context each time for many
// calls, no cancel is lost and none hits another call.
func TestCancelOfOneCallAmongMany(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	s := begin(t, open(t, dsn, Options{}), "SELECT 1", "SELECT pg_sleep(1000)")
	for range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			_, err := s.Exec(ctx, 0, nil)
			is.NoErr(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := s.Exec(ctx, 1, nil)
			ended <- err
		}()
		cancel() // before it is sent, before the server has read it, or while it runs
		err := <-ended
		is.Equal(core.CodeOf(err), core.Refused)
		is.Equal(core.ErrorClass(err), core.ClassCancelled)
		_, err = s.Exec(t.Context(), 0, nil)
		is.NoErr(err)
	}
}

// Values and results of any size go through, by either path.
func TestLargeValues(t *testing.T) {
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	s := begin(t, target, "SELECT repeat(?::text, 2)", "SELECT generate_series(1, 3000), repeat('x', 1000)", "SELECT 1")
	for _, size := range []int{0, 1, maxPlainSend - 1, maxPlainSend, maxPlainSend + 1, 4 << 20} {
		is := is.New(t)
		rows, err := s.Exec(t.Context(), 0, []any{strings.Repeat("v", size)})
		is.NoErr(err)
		is.Equal(rows, int64(1))
	}
	is := is.New(t)
	rows, err := s.Exec(t.Context(), 1, nil)
	is.NoErr(err)
	is.Equal(rows, int64(3000))
}

// A server that goes while it answers breaks the session at once, within the time of
// a cancel that nobody answers.
func TestServerGoesWithoutAnAnswer(t *testing.T) {
	is := is.New(t)
	server := postgrestest.Start(t, postgrestest.Options{})
	s := begin(t, open(t, server.DSN(postgrestest.Superuser, ""), Options{}), "SELECT pg_sleep(1000)", "SELECT 1")
	is.NoErr(s.conn.Conn().Close()) // the network, not the server
	begun := time.Now()
	_, err := s.Exec(t.Context(), 1, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.ErrorClass(err), "CONNECTION")
	is.True(s.conn.IsClosed())
	is.True(time.Since(begun) < cancelTimeout)
	_, err = s.Exec(t.Context(), 1, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
}

// A statement of an operation allocates nothing.
func TestExecAllocations(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	load(t, target, benchTable)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lookup := sessionLookup(t, ctx, target, benchTable)
	allocations := testing.AllocsPerRun(200, func() { lookup(7) })
	is.Equal(allocations, 0.0)
}
