package snowflake

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	addOne  = "UPDATE {table} SET BALANCE = BALANCE + 1 WHERE ID = ?"
	balance = "SELECT ID FROM {table} WHERE ID = ? AND BALANCE = ?"
)

// A reply that is lost after a statement or a COMMIT was executed is asked for
// again, and what was done is done once.
func TestLostReplies(t *testing.T) {
	for _, lost := range []string{"^UPDATE", "^COMMIT$"} {
		t.Run(lost, func(t *testing.T) {
			is := is.New(t)
			target, _ := fresh(t)
			load(t, target, benchTable)
			s := begin(t, target, benchTable, addOne, balance)
			is.NoErr(s.Begin(t.Context()))
			shared.Server(t).Break(t, snowflaketest.Fault{Kind: snowflaketest.DropAfter, Match: lost, Count: 1})
			_, err := s.Exec(t.Context(), 0, []any{int64(7)})
			is.NoErr(err)
			is.NoErr(s.Commit(t.Context()))
			rows, err := s.Exec(t.Context(), 1, []any{int64(7), core.TableRow(7).Balance + 1})
			is.NoErr(err)
			is.Equal(rows, int64(1))
		})
	}
}

// A reply that stays lost breaks the session, in a time that is bounded.
func TestReplyThatStaysLost(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	load(t, target, benchTable)
	s := begin(t, target, benchTable, addOne)
	shared.Server(t).Break(t, snowflaketest.Fault{Kind: snowflaketest.DropAfter, Match: "^UPDATE", Count: 2})
	_, err := s.Exec(t.Context(), 0, []any{int64(7)})
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.ErrorClass(err), "CONNECTION")
	is.NoErr(s.Close())
	again := begin(t, target, benchTable, addOne)
	_, err = again.Exec(t.Context(), 0, []any{int64(7)})
	is.NoErr(err)
}

// A token that has expired is renewed; a session that cannot be, or is gone, is
// broken; the target's own are replaced without anybody noticing.
func TestExpiredSessions(t *testing.T) {
	server := shared.Server(t)
	for _, tc := range []struct {
		kind  string
		class string // of the error of a measured session; "" for none
	}{{snowflaketest.SessionExpired, ""}, {snowflaketest.MasterExpired, "SESSION_GONE"}, {snowflaketest.SessionGone, "SESSION_GONE"}} {
		t.Run(tc.kind, func(t *testing.T) {
			is := is.New(t)
			target, _ := fresh(t)
			load(t, target, benchTable)
			s := begin(t, target, benchTable, addOne, balance)
			server.Break(t, snowflaketest.Fault{Kind: tc.kind, Match: "^(UPDATE|SHOW WAREHOUSES)", Count: 2})
			_, err := s.Exec(t.Context(), 0, []any{int64(7)})
			is.Equal(core.ErrorClass(err), tc.class)
			if tc.class != "" {
				is.Equal(core.CodeOf(err), core.Unavailable)
			}
			_, err = target.PollWarehouse(t.Context())
			is.NoErr(err)
			s = begin(t, target, benchTable, addOne, balance)
			_, err = s.Exec(t.Context(), 0, []any{int64(7)})
			is.NoErr(err)
			changes := int64(1) // the first was done once, or not at all
			if tc.class == "" {
				changes = 2
			}
			rows, err := s.Exec(t.Context(), 1, []any{int64(7), core.TableRow(7).Balance + changes})
			is.NoErr(err)
			is.Equal(rows, int64(1))
		})
	}
}

// A server that is busy for one request is asked again, once; the ledger shows
// one that stays so.
func TestBusyServer(t *testing.T) {
	for _, status := range []int{429, 503} {
		is := is.New(t)
		target, _ := fresh(t)
		s := begin(t, target, benchTable, "SELECT 1")
		shared.Server(t).Break(t, snowflaketest.Fault{Kind: snowflaketest.Status, Status: status, Match: "^SELECT 1$", Count: 1})
		_, err := s.Exec(t.Context(), 0, nil)
		is.NoErr(err)
		shared.Server(t).Break(t, snowflaketest.Fault{Kind: snowflaketest.Status, Status: status, Match: "^SELECT 1$", Count: 2})
		_, err = s.Exec(t.Context(), 0, nil)
		is.Equal(core.CodeOf(err), core.Unavailable)
		shared.Server(t).Mend(t)
	}
}

// With 200 ms on each request everything works, and a statement is one request.
func TestLatency(t *testing.T) {
	is := is.New(t)
	target, _ := fresh(t)
	load(t, target, benchTable)
	shared.Server(t).Break(t, snowflaketest.Fault{Kind: snowflaketest.Latency, DelayMS: 200})
	opened, err := target.Open(t.Context(), ports.SessionOptions{Table: benchTable, Statements: []core.Statement{{SQL: "SELECT ID FROM {table} WHERE ID = ?", Query: true}}})
	is.NoErr(err)
	begun := time.Now()
	rows, err := opened.Exec(t.Context(), 0, []any{int64(1)})
	took := time.Since(begun)
	is.NoErr(err)
	is.Equal(rows, int64(1))
	is.True(took >= 200*time.Millisecond && took < 380*time.Millisecond)
	is.NoErr(opened.Close())
}

// A measured session sends its statements and nothing else: no telemetry, no
// pings, no second request.
func TestStatementsOfASession(t *testing.T) {
	is := is.New(t)
	server := shared.Server(t)
	target, _ := fresh(t)
	load(t, target, benchTable)
	s := begin(t, target, benchTable, "SELECT ID FROM {table} WHERE ID = ?", addOne)
	before := server.Received(t)
	for id := range int64(20) {
		_, err := s.Exec(t.Context(), 0, []any{id})
		is.NoErr(err)
	}
	s.Phase(core.Measurement)
	is.NoErr(s.Begin(t.Context()))
	_, err := s.Exec(t.Context(), 1, []any{int64(3)})
	is.NoErr(err)
	is.NoErr(s.Commit(t.Context()))
	is.NoErr(s.Begin(t.Context()))
	is.NoErr(s.Rollback(t.Context()))
	received, _ := server.Statements(t, before)
	is.Equal(len(received), 25)
	for i, statement := range received {
		is.Equal(statement.Retries, 0)
		is.Equal(statement.Application, "benchfleet")
		want := "benchfleet:run/w1/0"
		if i >= 20 { // what frames a transaction, too
			want += "/MEASUREMENT"
		}
		is.Equal(statement.Tag, want)
	}
}
