package server_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

// poll asks for a result until there is one.
func (s *standIn) poll(t testing.TB, token, id string) (last raw) {
	t.Helper()
	until(t, "there is a result", func() bool {
		last = raw{}
		s.ask(t, http.MethodGet, "/queries/"+id+"/result", token, nil, &last)
		return last.Code != "333333" && last.Code != "333334"
	})
	return last
}

func TestLongPoll(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{SyncLimit: 20 * time.Millisecond})
	db := s.open(t, nil)
	is.Equal(one(t, db, "SELECT SYSTEM$WAIT(200, 'MILLISECONDS')"), "waited 200 milliseconds") // several polls
	_, err := db.ExecContext(within(t), "SELECT SYSTEM$WAIT(200, 'MILLISECONDS') FROM missing")
	is.Equal(number(err), 2003)
	login := s.login(t, "BENCH", password, nil)
	r := s.query(t, login.Data.Token, "a", "SELECT SYSTEM$WAIT(1)")
	is.True(r.Success)
	is.Equal(r.Code, "333333")
	is.Equal(r.Data.GetResultURL, "/queries/"+r.Data.QueryID+"/result")
	r = s.poll(t, login.Data.Token, r.Data.QueryID)
	is.Equal(*r.Data.RowSet[0][0], "waited 1 seconds")
	var again raw
	s.ask(t, http.MethodGet, "/queries/"+r.Data.QueryID+"/result", login.Data.Token, nil, &again)
	is.Equal(again, r)
}

func TestAbortWhilePolling(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{SyncLimit: 20 * time.Millisecond})
	login := s.login(t, "BENCH", password, nil)
	r := s.query(t, login.Data.Token, "a", "SELECT SYSTEM$WAIT(100)")
	is.Equal(r.Code, "333333")
	var aborted raw
	s.ask(t, http.MethodPost, "/queries/v1/abort-request", login.Data.Token, map[string]any{"requestId": "a"}, &aborted)
	is.True(aborted.Success)
	r = s.poll(t, login.Data.Token, r.Data.QueryID)
	is.Equal(r.Code, "000604")
	is.Equal(r.Data.SQLState, "57014")
	for _, request := range []string{"a", "unknown", ""} {
		aborted = raw{}
		s.ask(t, http.MethodPost, "/queries/v1/abort-request", login.Data.Token, map[string]any{"requestId": request}, &aborted)
		is.Equal(aborted.Code, "000605")
	}
	other := s.login(t, "BENCH", password, nil)
	s.query(t, login.Data.Token, "b", "SELECT SYSTEM$WAIT(100)")
	s.ask(t, http.MethodPost, "/queries/v1/abort-request", other.Data.Token, map[string]any{"requestId": "b"}, &aborted)
	is.Equal(aborted.Code, "000605") // of another session
}

func TestAsync(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{SyncLimit: 50 * time.Millisecond})
	db := s.open(t, nil)
	exec(t, db, "CREATE TABLE t (n NUMBER(38,0))")
	ctx := sf.WithAsyncMode(within(t))
	rows, err := db.QueryContext(ctx, "SELECT SYSTEM$WAIT(300, 'MILLISECONDS')")
	is.NoErr(err)
	is.True(rows.Next()) // waits for it
	var value string
	is.NoErr(rows.Scan(&value))
	is.NoErr(rows.Close())
	is.Equal(value, "waited 300 milliseconds")
	r, err := db.ExecContext(ctx, "INSERT INTO t VALUES (1), (2)")
	is.NoErr(err)
	n, err := r.RowsAffected()
	is.NoErr(err)
	is.Equal(n, int64(2))
	r, err = db.ExecContext(ctx, "INSERT INTO missing VALUES (1)")
	is.NoErr(err)
	_, err = r.RowsAffected()
	is.Equal(number(err), 2003)
}

func TestStatementsKeepTheirOrder(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	login := s.login(t, "BENCH", password, nil)
	is.True(s.query(t, login.Data.Token, "create", "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY)").Success)
	const n = 40
	is.True(s.query(t, login.Data.Token, "begin", "BEGIN").Success)
	for i := range n {
		is.Equal(s.query(t, login.Data.Token, fmt.Sprint("insert", i), fmt.Sprintf("INSERT INTO t VALUES (%d)", i), "asyncExec", true).Code, "333334")
	}
	is.Equal(*s.query(t, login.Data.Token, "count", "SELECT COUNT(*) FROM t").Data.RowSet[0][0], fmt.Sprint(n))
	is.True(s.query(t, login.Data.Token, "commit", "COMMIT").Success)
}

func TestResultByID(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	db := s.open(t, nil)
	ids := make(chan string, 1)
	rows, err := db.QueryContext(sf.WithQueryIDChan(within(t), ids), "SELECT column1 FROM VALUES (1), (2), (3)")
	is.NoErr(err)
	is.NoErr(rows.Close())
	id := <-ids
	elsewhere := s.open(t, nil)
	rows, err = elsewhere.QueryContext(sf.WithFetchResultByID(within(t), id), "")
	is.NoErr(err)
	n := 0
	for rows.Next() {
		n++
	}
	is.NoErr(rows.Close())
	is.Equal(n, 3)
	stranger := s.open(t, func(c *sf.Config) { c.User, c.Password = "OTHER", "other" })
	_, err = stranger.QueryContext(sf.WithFetchResultByID(within(t), id), "")
	is.True(err != nil)
	_, err = db.QueryContext(sf.WithFetchResultByID(within(t), "01234567-0000-0000-0000-000000000000"), "")
	is.True(err != nil)
}

// status asks the driver for the status of a query.
func status(t testing.TB, db *sql.DB, id string) (*sf.SnowflakeQueryStatus, error) {
	t.Helper()
	conn, err := db.Conn(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var got *sf.SnowflakeQueryStatus
	err = conn.Raw(func(c any) error {
		var err error
		got, err = c.(sf.SnowflakeConnection).GetQueryStatus(within(t), id)
		return err
	})
	return got, err
}

func TestMonitoring(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	db, stranger := s.open(t, nil), s.open(t, func(c *sf.Config) { c.User, c.Password = "OTHER", "other" })
	login := s.login(t, "BENCH", password, nil)
	started := s.query(t, login.Data.Token, "a", "SELECT SYSTEM$WAIT(100)", "asyncExec", true)
	is.Equal(started.Code, "333334")
	waits := s.query(t, login.Data.Token, "b", "SELECT 1", "asyncExec", true)
	for _, id := range []string{started.Data.QueryID, waits.Data.QueryID} {
		_, err := status(t, db, id)
		is.True(number(err) == sf.ErrQueryIsRunning || id == waits.Data.QueryID && err == nil)
	}
	_, err := status(t, stranger, started.Data.QueryID)
	is.Equal(number(err), sf.ErrQueryStatus)
	is.True(s.engine.Cancel(started.Data.QueryID))
	_, err = status(t, db, started.Data.QueryID)
	is.Equal(number(err), sf.ErrQueryStatus) // with the error of the query
	ids := make(chan string, 1)
	_, err = db.ExecContext(sf.WithQueryIDChan(within(t), ids), "SELECT column1 FROM VALUES (1), (2)")
	is.NoErr(err)
	got, err := status(t, db, <-ids)
	is.NoErr(err)
	is.Equal(got.SQLText, "SELECT column1 FROM VALUES (1), (2)")
	is.Equal(got.ProducedRows, int64(2))
	is.True(got.StartTime > 0 && got.EndTime >= got.StartTime)
	_, err = status(t, db, "01234567-0000-0000-0000-000000000000")
	is.Equal(number(err), sf.ErrQueryStatus)
	info, ok := s.engine.Query(started.Data.QueryID)
	is.True(ok)
	is.Equal(info.Status, engine.StatusFailed)
}
