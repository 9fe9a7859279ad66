package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

// recorded is what the recorder answers.
type recorded struct {
	Statements []struct {
		Seq         int64  `json:"seq"`
		Session     int64  `json:"session"`
		Application string `json:"application"`
		Tag         string `json:"tag"`
		Kind        string `json:"kind"`
		SQL         string `json:"sql"`
		Binds       int    `json:"binds"`
		BoundRows   int    `json:"bound_rows"`
		Retries     int    `json:"retries"`
		Number      int    `json:"number"`
	} `json:"statements"`
	Dropped  int64 `json:"dropped"`
	Counters []struct {
		Application string `json:"application"`
		Tag         string `json:"tag"`
		Kind        string `json:"kind"`
		Count       int64  `json:"count"`
	} `json:"counters"`
}

func (s *standIn) statements(t testing.TB, after int64) (r recorded) {
	t.Helper()
	s.ask(t, http.MethodGet, fmt.Sprintf("/snowlocal/statements?after=%d", after), "", nil, &r)
	return r
}

func TestFaults(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	db := s.open(t, nil)
	session := one(t, db, "SELECT CURRENT_SESSION()")

	s.fault(t, map[string]any{"kind": "latency", "delay_ms": 300, "match": "^SELECT 1$", "count": 2})
	for _, try := range []struct {
		query string
		slow  bool
	}{{"SELECT 1", true}, {"SELECT 2", false}, {"SELECT 1", true}, {"SELECT 1", false}} {
		began := time.Now()
		exec(t, db, try.query)
		is.Equal(time.Since(began) >= 300*time.Millisecond, try.slow)
	}
	var faults []struct {
		Kind    string `json:"kind"`
		Applied int    `json:"applied"`
	}
	s.ask(t, http.MethodGet, "/snowlocal/faults", "", nil, &faults)
	is.Equal(len(faults), 1)
	is.Equal(faults[0].Applied, 2)

	s.fault(t, map[string]any{"kind": "error", "number": 625, "state": "57014", "message": "asked for", "match": "nothing", "count": 1})
	_, err := db.ExecContext(within(t), "SELECT 'nothing'")
	is.Equal(number(err), 625)
	is.Equal(one(t, db, "SELECT 'nothing'"), "nothing")

	s.fault(t, map[string]any{"kind": "expire_session", "match": "CURRENT_SESSION", "count": 1})
	is.Equal(one(t, db, "SELECT CURRENT_SESSION()"), session) // renewed

	s.fault(t, map[string]any{"kind": "expire_master", "match": "CURRENT_SESSION", "count": 1})
	_, err = db.ExecContext(within(t), "SELECT CURRENT_SESSION()")
	is.Equal(number(err), 390114)

	db = s.open(t, nil)
	session = one(t, db, "SELECT CURRENT_SESSION()")
	s.fault(t, map[string]any{"kind": "end_session", "match": "CURRENT_SESSION", "count": 1})
	_, err = db.ExecContext(within(t), "SELECT CURRENT_SESSION()")
	is.Equal(number(err), 390111)
	is.True(one(t, s.open(t, nil), "SELECT CURRENT_SESSION()") != session)

	s.fault(t, map[string]any{"kind": "status", "status": 403, "path": "/login-request$"}) // until it is deleted
	for range 2 {
		_, err = s.open(t, nil).ExecContext(within(t), "SELECT 1")
		is.Equal(number(err), sf.ErrCodeFailedToConnect)
	}
	if status := s.ask(t, http.MethodDelete, "/snowlocal/faults", "", nil, nil); status/100 != 2 {
		t.Fatal(status)
	}
	exec(t, s.open(t, nil), "SELECT 1")
}

func TestBadFaults(t *testing.T) {
	s := start(t, server.Options{})
	for name, f := range map[string]map[string]any{
		"no kind": {}, "unknown kind": {"kind": "fire"}, "unknown field": {"kind": "drop_after", "oops": 1}, "bad match": {"kind": "drop_after", "match": "("},
		"bad path": {"kind": "drop_after", "path": "("}, "no delay": {"kind": "latency"}, "endless": {"kind": "latency", "delay_ms": 1 << 40},
		"no status": {"kind": "status"}, "good status": {"kind": "status", "status": 200}, "no number": {"kind": "error"}, "count": {"kind": "drop_after", "count": -1},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(s.ask(t, http.MethodPost, "/snowlocal/faults", "", f, nil), http.StatusBadRequest)
		})
	}
}
