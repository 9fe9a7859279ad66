package server_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

// clock is a clock that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(by time.Duration) { c.ahead.Add(int64(by)) }
func (c *clock) options() server.Options  { return server.Options{Now: c.now} }

// until waits for something that nothing tells of.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for ctx := within(t); !true(); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waiting until %s", what)
		}
	}
}

func TestSessionTokenIsRenewed(t *testing.T) {
	is := is.New(t)
	var c clock
	s := start(t, c.options())
	db := s.open(t, nil)
	exec(t, db, "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY)")
	session := one(t, db, "SELECT CURRENT_SESSION()")
	tx, err := db.BeginTx(within(t), nil)
	is.NoErr(err)
	_, err = tx.ExecContext(within(t), "INSERT INTO t VALUES (1)")
	is.NoErr(err)
	c.forward(61 * time.Minute)
	_, err = tx.ExecContext(within(t), "INSERT INTO t VALUES (2)") // 390112, token-request, again
	is.NoErr(err)
	is.NoErr(tx.Commit())
	for range 8 { // the master token is renewed with it
		c.forward(61 * time.Minute)
		is.Equal(one(t, db, "SELECT CURRENT_SESSION()"), session)
	}
	is.Equal(one(t, db, "SELECT COUNT(*) FROM t"), "2")
}

func TestMasterTokenExpires(t *testing.T) {
	is := is.New(t)
	var c clock
	s := start(t, c.options())
	db := s.open(t, nil)
	exec(t, db, "SELECT 1")
	c.forward(5 * time.Hour)
	_, err := db.ExecContext(within(t), "SELECT 1")
	is.Equal(number(err), 390114)
}

func TestHeartbeatKeepsASession(t *testing.T) {
	is := is.New(t)
	var c clock
	s := start(t, server.Options{Now: c.now, SessionToken: 24 * time.Hour, MasterToken: 4 * time.Hour})
	login := s.login(t, "BENCH", password, nil)
	for range 3 {
		c.forward(3 * time.Hour)
		var r raw
		s.ask(t, http.MethodPost, "/session/heartbeat", login.Data.Token, nil, &r)
		is.True(r.Success)
	}
	is.True(s.query(t, login.Data.Token, "a", "SELECT 1").Success)
	c.forward(5 * time.Hour)
	var r raw
	until(t, "the session has ended", func() bool { _, ok := s.engine.Session(login.Data.SessionID); return !ok })
	s.ask(t, http.MethodPost, "/session/token-request", login.Data.MasterToken, map[string]any{"requestType": "RENEW"}, &r)
	is.Equal(r.Code, "390114")
}

func TestRenewal(t *testing.T) {
	is := is.New(t)
	var c clock
	s := start(t, c.options())
	login := s.login(t, "BENCH", password, nil)
	c.forward(2 * time.Hour)
	is.Equal(s.query(t, login.Data.Token, "a", "SELECT 1").Code, "390112")
	var renewed raw
	s.ask(t, http.MethodPost, "/session/token-request", login.Data.MasterToken, map[string]any{"oldSessionToken": login.Data.Token, "requestType": "RENEW"}, &renewed)
	is.True(renewed.Success)
	is.True(renewed.Data.SessionToken != "" && renewed.Data.SessionToken != login.Data.Token)
	is.True(renewed.Data.MasterToken != "")
	is.Equal(renewed.Data.SessionID, login.Data.SessionID)
	is.True(s.query(t, renewed.Data.SessionToken, "b", "SELECT 1").Success)
	is.Equal(s.query(t, login.Data.Token, "c", "SELECT 1").Code, "390112")
	var r raw
	s.ask(t, http.MethodPost, "/session/token-request", login.Data.Token, map[string]any{"requestType": "RENEW"}, &r) // no master token
	is.True(!r.Success)
	is.True(!s.query(t, login.Data.MasterToken, "d", "SELECT 1").Success) // no session token
	is.True(!s.query(t, "", "e", "SELECT 1").Success)
	is.True(!s.query(t, "nonsense", "f", "SELECT 1").Success)
}

func TestLogoutEndsWhatRuns(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	answer := make(chan raw, 1)
	go func() { answer <- s.query(t, login.Data.Token, "a", "SELECT SYSTEM$WAIT(100)") }()
	s.runs(t, login.Data.SessionID)
	var r raw
	s.ask(t, http.MethodPost, "/session?delete=true", login.Data.Token, nil, &r)
	is.True(r.Success)
	got := <-answer
	is.True(got.Code == "000604" || got.Code == "390111")
	is.Equal(s.query(t, login.Data.Token, "b", "SELECT 1").Code, "390111")
	s.ask(t, http.MethodPost, "/session/token-request", login.Data.MasterToken, map[string]any{"requestType": "RENEW"}, &r)
	is.Equal(r.Code, "390111")
	until(t, "the session has ended", func() bool { _, ok := s.engine.Session(login.Data.SessionID); return !ok })
}

// runs waits until a session executes something.
func (s *standIn) runs(t testing.TB, session int64) {
	t.Helper()
	until(t, "a statement runs", func() bool {
		var list []struct {
			ID      int64 `json:"id"`
			Running bool  `json:"running"`
		}
		s.ask(t, http.MethodGet, "/snowlocal/sessions", "", nil, &list)
		for _, one := range list {
			if one.ID == session && one.Running {
				return true
			}
		}
		return false
	})
}

func TestLogoutLetsGoOfLocks(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	a, b := s.login(t, "BENCH", password, nil), s.login(t, "BENCH", password, map[string]any{"HYBRID_TABLE_LOCK_TIMEOUT": 0})
	for _, sql := range []string{"CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY, n NUMBER(38,0))", "INSERT INTO t VALUES (1, 0)", "BEGIN", "UPDATE t SET n = 1"} {
		is.True(s.query(t, a.Data.Token, "a-"+sql[:5], sql).Success)
	}
	is.Equal(s.query(t, b.Data.Token, "b1", "UPDATE t SET n = 2").Code, "000625") // it is locked
	var r raw
	s.ask(t, http.MethodPost, "/session?delete=true", a.Data.Token, nil, &r)
	is.True(r.Success)
	is.True(s.query(t, b.Data.Token, "b2", "UPDATE t SET n = 2").Success) // at once
	is.Equal(*s.query(t, b.Data.Token, "b3", "SELECT n FROM t").Data.RowSet[0][0], "2")
}

func TestCloseEndsWhatRuns(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	answer := make(chan raw, 1)
	go func() { answer <- s.query(t, login.Data.Token, "a", "SELECT SYSTEM$WAIT(100)") }()
	s.runs(t, login.Data.SessionID)
	is.NoErr(s.server.Close())
	is.True(!(<-answer).Success)
	is.Equal(s.query(t, login.Data.Token, "b", "SELECT 1").Code, "390111")
	is.True(!s.login(t, "BENCH", password, nil).Success)
	is.NoErr(s.server.Close()) // again is nothing
	_, err := server.New(nil, server.Options{})
	is.True(err != nil)
	_, err = server.New(s.engine, server.Options{SyncLimit: -1})
	is.True(err != nil)
}
