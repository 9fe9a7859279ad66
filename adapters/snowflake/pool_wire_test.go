package snowflake

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// server is the least that the driver takes for Snowflake, for what a stand-in
// does not do: it hangs.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []string
	free   chan struct{} // closed at the end: nothing hangs any more
	aborts chan struct{}
}

const (
	loginReply = `{"success":true,"data":{"token":"t","masterToken":"m","sessionId":7,"parameters":[{"name":"CLIENT_TELEMETRY_ENABLED","value":false}]}}`
	oneRow     = `{"success":true,"data":{"rowtype":[{"name":"ID","type":"text"}],"rowset":[["7"]],"queryId":"q-1","statementTypeId":4096,"queryResultFormat":"json"}}`
	goneReply  = `{"success":false,"code":"390111","message":"Session no longer exists. New login required to access the service.","data":{"sqlState":"08001"}}`
)

// serve starts one that answers statements by their text; what it does not know
// is one row. "HANG" hangs, "AWAY" is refused.
func serve(t *testing.T, abort func(w http.ResponseWriter), answers map[string]string) *server {
	t.Helper()
	s := &server{free: make(chan struct{}), aborts: make(chan struct{}, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, r.URL.Path)
		s.mu.Unlock()
		switch r.URL.Path {
		case "/session/v1/login-request":
			fmt.Fprint(w, loginReply)
		case "/queries/v1/query-request":
			for text, answer := range answers {
				if strings.Contains(string(body), `"`+text+`"`) {
					fmt.Fprint(w, answer)
					return
				}
			}
			if strings.Contains(string(body), `"HANG"`) {
				select {
				case <-r.Context().Done():
				case <-s.free:
				}
				return
			}
			if strings.Contains(string(body), `"AWAY"`) {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, oneRow)
		case "/queries/v1/abort-request":
			s.aborts <- struct{}{}
			if abort == nil {
				<-s.free
				return
			}
			abort(w)
		default:
			fmt.Fprint(w, `{"success":true,"data":null}`)
		}
	}))
	t.Cleanup(func() { close(s.free); s.Close() })
	return s
}

func (s *server) config(t *testing.T) *Config {
	t.Helper()
	c, err := ParseAddress("u:p@"+strings.TrimPrefix(s.URL, "http://")+"/D/S?account=a&protocol=http&warehouse=W", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func (s *server) count(path string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.seen {
		if p == path {
			n++
		}
	}
	return n
}

// session opens one without asking for its parameters.
func (s *server) session(t *testing.T) *session {
	t.Helper()
	inner, err := newConnector(s.config(t), measuredPool, "tag").login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := &session{id: "7", conn: inner, statements: []*statement{newStatement("HANG", true, 0), newStatement("SELECT 1", true, 0), newStatement("FAIL", false, 0)}}
	t.Cleanup(func() { _ = open.Close() })
	return open
}

// A cancel that the server does not answer holds its caller up for abortTimeout
// and no longer; the session is given up then.
func TestCancelThatBlocks(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	server := serve(t, nil, nil)
	s := server.session(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := s.Exec(ctx, 0, nil)
	took := time.Since(begun)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.Equal(core.ErrorClass(err), core.ClassTimeout)
	is.True(took >= abortTimeout && took < abortTimeout+3*time.Second)
	is.Equal(server.count("/queries/v1/abort-request"), 1) // it is not asked again
	_, err = s.Exec(t.Context(), 1, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.NoErr(s.Close())
}

// A cancel that the server confirms leaves the session whole.
func TestCancelThatIsConfirmed(t *testing.T) {
	for name, reply := range map[string]string{
		"aborted": `{"success":true,"data":null}`, "late": `{"success":false,"code":"000605","message":"Identified SQL statement is not currently executing."}`,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			server := serve(t, func(w http.ResponseWriter) { fmt.Fprint(w, reply) }, nil)
			s := server.session(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			_, err := s.Exec(ctx, 0, nil)
			is.Equal(core.CodeOf(err), core.Refused)
			is.True(errors.Is(err, context.DeadlineExceeded))
			rows, err := s.Exec(t.Context(), 1, nil)
			is.NoErr(err)
			is.Equal(rows, int64(1))
			is.Equal(s.QueryID(), "q-1")
		})
	}
}

// A cancel that the server refuses gives the session up at once.
func TestCancelThatIsRefused(t *testing.T) {
	for name, abort := range map[string]func(w http.ResponseWriter){
		"SQL error": func(w http.ResponseWriter) { fmt.Fprint(w, `{"success":false,"code":"000603","message":"incident"}`) },
		"503":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"cut":       func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			server := serve(t, abort, nil)
			s := server.session(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := s.Exec(ctx, 0, nil)
			is.Equal(core.CodeOf(err), core.Unavailable)
			is.True(time.Since(begun) < 3*time.Second)
			is.Equal(server.count("/queries/v1/abort-request"), 1)
		})
	}
}

// A pool drops a session that is gone, and executes on another what the server
// has refused because of that.
func TestDeadSessionsAreEvicted(t *testing.T) {
	is := is.New(t)
	server := serve(t, nil, map[string]string{"GONE": goneReply})
	pool, err := openPool(server.config(t), controlPool, 2)
	is.NoErr(err)
	defer pool.Close()
	var id string
	is.NoErr(pool.GetContext(t.Context(), &id, "SELECT 1"))
	is.Equal(pool.Stats().OpenConnections, 1)
	logins := server.count("/session/v1/login-request")
	err = pool.GetContext(t.Context(), &id, "GONE")
	is.True(errors.Is(err, driver.ErrBadConn))
	is.Equal(numberOf(err), 390111)
	is.Equal(codeOf(err), core.ErrUnavailable)
	is.Equal(pool.Stats().OpenConnections, 0)
	is.True(server.count("/session/v1/login-request") > logins)
	is.NoErr(pool.GetContext(t.Context(), &id, "SELECT 1"))
}

// COMMIT and ROLLBACK are executed although the context of their transaction has
// ended, and a connection on which they fail is dropped.
func TestTransactionsOfAPool(t *testing.T) {
	const fail = `{"success":false,"code":"000603","message":"SQL execution internal error","data":{"sqlState":"XX000"}}`
	t.Run("rolled back", func(t *testing.T) {
		is := is.New(t)
		server := serve(t, func(w http.ResponseWriter) { fmt.Fprint(w, `{"success":true}`) }, nil)
		pool, err := openPool(server.config(t), controlPool, 1)
		is.NoErr(err)
		defer pool.Close()
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := pool.BeginTxx(ctx, nil)
		is.NoErr(err)
		before := server.count("/queries/v1/query-request")
		cancel()
		_ = tx.Rollback() // database/sql may have done so already
		var id string
		is.NoErr(pool.GetContext(t.Context(), &id, "SELECT 1")) // on the one connection of the pool, so ROLLBACK is over
		is.Equal(server.count("/queries/v1/query-request"), before+2)
		is.Equal(server.count("/session/v1/login-request"), 1)
	})
	for _, statement := range []string{"COMMIT", "ROLLBACK"} {
		t.Run(statement+" fails", func(t *testing.T) {
			is := is.New(t)
			server := serve(t, nil, map[string]string{statement: fail})
			pool, err := openPool(server.config(t), controlPool, 1)
			is.NoErr(err)
			defer pool.Close()
			tx, err := pool.BeginTxx(t.Context(), nil)
			is.NoErr(err)
			if statement == "COMMIT" {
				err = tx.Commit()
			} else {
				err = tx.Rollback()
			}
			is.Equal(numberOf(err), 603)
			is.True(isUncertain(err))
			is.Equal(pool.Stats().OpenConnections, 0)
		})
	}
}

// What fails in a transaction is rolled back, and the session goes on.
func TestSessionRollsBack(t *testing.T) {
	is := is.New(t)
	server := serve(t, nil, map[string]string{"FAIL": `{"success":false,"code":"200001","message":"Primary key already exists","data":{"sqlState":"22000","queryId":"q-9"}}`})
	s := server.session(t)
	is.NoErr(s.Begin(t.Context()))
	is.Equal(core.CodeOf(s.Begin(t.Context())), core.Refused)
	_, err := s.Exec(t.Context(), 2, nil)
	is.Equal(core.CodeOf(err), core.Conflict)
	is.Equal(core.ErrorClass(err), "UNIQUE_VIOLATION")
	is.Equal(s.QueryID(), "q-9")
	is.True(strings.Contains(err.Error(), "(200001, SQLSTATE 22000)"))
	is.True(!s.inside)
	is.Equal(core.CodeOf(s.Commit(t.Context())), core.Refused)
	_, err = s.Exec(t.Context(), 1, nil)
	is.NoErr(err)
}

// A session that the server has ended is broken, in and outside of a transaction.
func TestSessionThatIsGone(t *testing.T) {
	is := is.New(t)
	server := serve(t, nil, map[string]string{"FAIL": goneReply})
	s := server.session(t)
	is.NoErr(s.Begin(t.Context()))
	_, err := s.Exec(t.Context(), 2, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.ErrorClass(err), "SESSION_GONE")
	_, err = s.Exec(t.Context(), 1, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.NoErr(s.Rollback(t.Context()))
}

// A server that is away is said to be, and the driver tries once more and no
// more.
func TestMeasuredRetriesOnce(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	server := serve(t, nil, nil)
	s := server.session(t)
	s.statements[1] = newStatement("AWAY", true, 0)
	before := server.count("/queries/v1/query-request")
	_, err := s.Exec(t.Context(), 1, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.ErrorClass(err), "CONNECTION")
	is.Equal(server.count("/queries/v1/query-request"), before+2)
}

// A login that gets no answer ends with its own timeout.
func TestLoginTimeout(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	hang := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer func() { close(hang); silent.Close() }()
	c, err := ParseAddress("u:p@"+strings.TrimPrefix(silent.URL, "http://")+"?account=a&protocol=http&login_timeout=1", nil)
	is.NoErr(err)
	begun := time.Now()
	_, err = newConnector(&c, measuredPool, "").login(t.Context())
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.True(time.Since(begun) < 5*time.Second)
}
