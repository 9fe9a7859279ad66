package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

func TestARequestIsAppliedOnce(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	ask := func(request, sql string) raw { return s.query(t, login.Data.Token, request, sql) }
	is.True(ask("create", "CREATE TABLE t (n NUMBER(38,0))").Success)
	first := ask("insert", "INSERT INTO t VALUES (1)")
	is.True(first.Success)
	is.Equal(ask("insert", "INSERT INTO t VALUES (1)"), first)
	failed := ask("fails", "INSERT INTO missing VALUES (1)")
	is.Equal(failed.Code, "002003")
	is.Equal(ask("fails", "INSERT INTO missing VALUES (1)"), failed)
	for i := range 50 { // other requests do not make it forgotten
		is.True(ask(fmt.Sprint("other", i), "SELECT 1").Success)
	}
	is.Equal(ask("insert", "INSERT INTO t VALUES (1)"), first)
	other := s.login(t, "BENCH", password, nil)
	is.True(s.query(t, other.Data.Token, "insert", "INSERT INTO t VALUES (1)").Success) // another session is another request
	is.Equal(*ask("count", "SELECT COUNT(*) FROM t").Data.RowSet[0][0], "2")
	is.True(ask("", "INSERT INTO t VALUES (1)").Success) // no id: nothing is the same
	is.True(ask("", "INSERT INTO t VALUES (1)").Success)
	is.Equal(*ask("count2", "SELECT COUNT(*) FROM t").Data.RowSet[0][0], "4")
}

func TestARequestIsAppliedOnceWhileItRuns(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	answers := make([]raw, 4)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = s.query(t, login.Data.Token, "same", "SELECT SYSTEM$WAIT(300, 'MILLISECONDS')") })
	}
	group.Wait()
	for _, a := range answers {
		is.True(a.Success)
		is.Equal(a, answers[0])
	}
	is.Equal(*s.query(t, login.Data.Token, "history",
		"SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) WHERE QUERY_TEXT LIKE '%WAIT(300%' AND QUERY_TEXT NOT LIKE '%HISTORY%'").Data.RowSet[0][0], "1")
}

func TestLostReplies(t *testing.T) {
	for kind, drop := range map[string]map[string]any{
		"after":       {"kind": "drop_after"},
		"before":      {"kind": "drop_before"},
		"unavailable": {"kind": "status", "status": 503},
		"throttled":   {"kind": "status", "status": 429},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // the driver waits a second before it asks again
			is := is.New(t)
			s := start(t, server.Options{})
			db := s.open(t, nil)
			exec(t, db, "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY)")
			for _, match := range []string{"^COMMIT$", "^INSERT INTO t VALUES \\(2\\)"} {
				drop["match"], drop["count"] = match, 1
				s.fault(t, drop)
			}
			tx, err := db.BeginTx(within(t), nil)
			is.NoErr(err)
			_, err = tx.ExecContext(within(t), "INSERT INTO t VALUES (1)")
			is.NoErr(err)
			is.NoErr(tx.Commit())
			exec(t, db, "INSERT INTO t VALUES (2)") // a second execution would be 200001
			is.Equal(one(t, db, "SELECT COUNT(*) FROM t"), "2")
			retries := 0
			for _, st := range s.statements(t, 0).Statements {
				retries += st.Retries
			}
			if kind == "after" {
				is.Equal(retries, 2)
			} else {
				is.Equal(retries, 0) // the first request never arrived
			}
		})
	}
}

func TestLostLogin(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	s.fault(t, map[string]any{"kind": "drop_after", "path": "login-request", "count": 1})
	is.Equal(one(t, s.open(t, nil), "SELECT 1"), "1")
	s.fault(t, map[string]any{"kind": "drop_after", "path": "/abort-request", "count": 1})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.open(t, nil).ExecContext(ctx, "SELECT SYSTEM$WAIT(100)")
	is.True(errors.Is(err, context.DeadlineExceeded))
}

func TestManySessions(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	exec(t, s.open(t, nil), "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY, n NUMBER(38,0))")
	exec(t, s.open(t, nil), "INSERT INTO t VALUES (1, 0)")
	const sessions, each = 12, 10
	problems := make([]error, sessions)
	var group sync.WaitGroup
	for i := range sessions {
		db := s.open(t, nil)
		group.Go(func() {
			for range each {
				tx, err := db.BeginTx(t.Context(), nil)
				if err == nil {
					_, err = tx.ExecContext(t.Context(), "UPDATE t SET n = n + 1 WHERE id = ?", 1)
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					problems[i] = err
					return
				}
			}
		})
	}
	group.Wait()
	is.NoErr(errors.Join(problems...))
	is.Equal(one(t, s.open(t, nil), "SELECT n FROM t"), "120")
	received := int64(0)
	for _, c := range s.statements(t, 0).Counters {
		received += c.Count
	}
	is.Equal(received, int64(3+3*sessions*each))
}

func TestPackedBody(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	var body bytes.Buffer
	packed := gzip.NewWriter(&body)
	is.NoErr(json.NewEncoder(packed).Encode(map[string]any{"sqlText": "SELECT 'packed'"}))
	is.NoErr(packed.Close())
	send := func(body io.Reader) (r raw) {
		request, err := http.NewRequestWithContext(within(t), http.MethodPost, s.address+"/queries/v1/query-request?requestId=a", body)
		is.NoErr(err)
		request.Header.Set("Authorization", `Snowflake Token="`+login.Data.Token+`"`)
		request.Header.Set("Content-Encoding", "gzip")
		reply, err := http.DefaultClient.Do(request)
		is.NoErr(err)
		defer func() { _ = reply.Body.Close() }()
		_ = json.NewDecoder(reply.Body).Decode(&r) // an error is no success
		return r
	}
	r := send(&body)
	is.True(r.Success)
	is.Equal(*r.Data.RowSet[0][0], "packed")
	is.True(!send(bytes.NewReader([]byte("not packed"))).Success)
}

func TestTelemetryIsDropped(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	var r struct{ Success bool }
	s.ask(t, http.MethodPost, "/telemetry/send", login.Data.Token, map[string]any{"logs": []any{}}, &r)
	is.True(r.Success)
}

func TestManagementIsForThisMachine(t *testing.T) {
	s := start(t, server.Options{})
	for _, path := range []string{"/snowlocal/faults", "/snowlocal/statements"} {
		for address, want := range map[string]int{"127.0.0.1:9": 200, "[::1]:9": 200, "192.0.2.1:9": 403, "": 403} {
			is := is.New(t)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.RemoteAddr = address
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			is.Equal(w.Code, want)
		}
	}
}
