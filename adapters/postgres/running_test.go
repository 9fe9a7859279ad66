package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// asleep executes a statement that does not end by itself, and waits until the
// server sees it.
func asleep(t testing.TB, ctx context.Context, target *Target, s *session) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Exec(ctx, 0, nil)
		ended <- err
	}()
	wait(t, "the statement runs", func() bool { return count1(t, target, s).Count == 1 })
	return ended
}

const sleep = "SELECT pg_sleep(1000)"

// CancelSessions reaches the sessions that are named, and no other: not even one
// that has the process number of a session that is gone.
func TestOnlyNamedSessionsAreCancelled(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	one, two := begin(t, target, sleep), begin(t, target, sleep)
	ctx, cancel := context.WithCancel(t.Context())
	oneEnded, twoEnded := asleep(t, ctx, target, one), asleep(t, ctx, target, two)

	pid, _, _ := strings.Cut(one.ID(), "@")
	_, server, _ := strings.Cut(one.ID(), "/")
	gone := pid + "@2020-01-01T00:00:00.000000Z/" + server // had the number before
	is.NoErr(target.CancelSessions(t.Context(), []string{gone, "99999999@2020-01-01T00:00:00.000000Z/" + server}))
	counted, err := target.Running(t.Context(), []string{gone})
	is.NoErr(err)
	is.Equal(counted, core.RunningCount{Known: true})
	is.Equal(count1(t, target, one, two).Count, 2) // both still run

	is.NoErr(target.CancelSessions(t.Context(), []string{one.ID()}))
	is.Equal(core.ErrorClass(<-oneEnded), "QUERY_CANCELED")
	is.Equal(count1(t, target, one, two).Count, 1)
	cancel()
	is.Equal(core.ErrorClass(<-twoEnded), core.ClassCancelled)
	is.Equal(count1(t, target, one, two), core.RunningCount{Known: true})
}

// An open transaction holds locks: it counts.
func TestOpenTransactionRuns(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	s := begin(t, target, "SELECT 1")
	is.NoErr(s.Begin(t.Context()))
	is.Equal(count1(t, target, s), core.RunningCount{Known: true, Count: 1})
	is.NoErr(s.Close())
	is.Equal(count1(t, target, s), core.RunningCount{Known: true})
}

// What cannot be known is never 0.
func TestUnknownRunning(t *testing.T) {
	server, name, dsn := database(t)
	target := open(t, dsn, Options{})
	s := begin(t, target, "SELECT 1")
	server.User(t, "stranger_"+name)
	for what, tc := range map[string]struct {
		target  *Target
		id, why string
	}{
		"another user's": {open(t, server.DSN("stranger_"+name, name), Options{}), s.ID(), "may not see"},
		"pooled":         {target, begin(t, open(t, dsn, Options{PgBouncer: true}), "SELECT 1").ID(), "pooler"},
		"another server": {target, s.ID() + "1", "not of the server"},
		"not ours":       {target, "host/1/2/3/4", "none of PostgreSQL's"},
		"no activity":    {target, begin(t, open(t, dsn+"?track_activities=off", Options{}), "SELECT 1").ID(), "track_activities"},
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			counted, err := tc.target.Running(t.Context(), []string{tc.id})
			is.NoErr(err)
			is.True(!counted.Known)
			is.Equal(counted.Count, 0)
			is.True(strings.Contains(counted.Why, tc.why))
		})
	}
	t.Run("another user's sessions are not cancelled", func(t *testing.T) {
		is := is.New(t)
		busy := begin(t, target, sleep)
		ctx, cancel := context.WithCancel(t.Context())
		ended := asleep(t, ctx, target, busy)
		stranger := open(t, server.DSN("stranger_"+name, name), Options{})
		is.Equal(core.CodeOf(stranger.CancelSessions(t.Context(), []string{busy.ID()})), core.Denied)
		is.Equal(count1(t, target, busy).Count, 1)
		cancel()
		<-ended
	})
}

// A pooled target keeps nothing in the server's session, and says what it cannot
// know.
func TestPooledLeavesNoStatements(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	const prepared = "SELECT name FROM pg_prepared_statements"
	target := open(t, dsn+"?pgbouncer=true", Options{})
	s := begin(t, target, prepared, "SELECT 1")
	rows, err := s.Exec(t.Context(), 0, nil)
	is.NoErr(err)
	is.Equal(rows, int64(0))
	err = target.CancelSessions(t.Context(), []string{s.ID()})
	is.Equal(core.CodeOf(err), core.Unsupported)

	named := begin(t, open(t, dsn, Options{}), prepared, "SELECT 1")
	rows, err = named.Exec(t.Context(), 0, nil)
	is.NoErr(err)
	is.Equal(rows, int64(2))
}

// Behind a real PgBouncer that has one server connection for all.
func TestPgBouncer(t *testing.T) {
	server, name, _ := database(t)
	dsn := server.Bouncer(t, 1)(name)
	target := open(t, dsn+"?pgbouncer=true", Options{})
	load(t, target, benchTable)
	const lookup, change = "SELECT ID, PAYLOAD FROM {table} WHERE ID = ?", "UPDATE {table} SET BALANCE = ? WHERE ID = ?"
	t.Run("sessions take turns", func(t *testing.T) {
		is := is.New(t)
		info, err := target.Describe(t.Context(), benchTable)
		is.NoErr(err)
		is.Equal(info.Table.Rows, benchTable.Rows)
		var sessions []*session
		for range 4 {
			sessions = append(sessions, begin(t, target, lookup, change))
		}
		for n := range int64(40) {
			s := sessions[n%4]
			is.NoErr(s.Begin(t.Context()))
			for number, args := range [][]any{{n}, {n, n}} {
				rows, err := s.Exec(t.Context(), number, args)
				is.NoErr(err)
				is.Equal(rows, int64(1))
			}
			is.NoErr(s.Commit(t.Context()))
		}
		is.True(!count1(t, target, sessions...).Known)
	})
	t.Run("a timeout cancels on the server", func(t *testing.T) {
		is := is.New(t)
		s := begin(t, target, sleep, lookup)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.Exec(ctx, 0, nil)
			ended <- err
		}()
		running := "SELECT count(*) FROM pg_stat_activity WHERE query = '" + sleep + "' AND state = 'active'"
		wait(t, "the statement runs", func() bool { return server.SQL(t, name, running) == "1" })
		cancel()
		is.Equal(core.ErrorClass(<-ended), core.ClassCancelled)
		is.Equal(server.SQL(t, name, running), "0")
		rows, err := s.Exec(t.Context(), 1, []any{int64(1)})
		is.NoErr(err)
		is.Equal(rows, int64(1))
	})
	t.Run("without the mode it is recognised", func(t *testing.T) {
		is := is.New(t)
		s := begin(t, open(t, dsn, Options{}))
		is.True(strings.HasPrefix(s.ID(), pooledID))
	})
}
