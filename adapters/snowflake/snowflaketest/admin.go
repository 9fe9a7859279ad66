package snowflaketest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// adminTimeout bounds a question to the stand-in about itself.
const adminTimeout = 30 * time.Second

// The kinds of faults.
const (
	Latency        = "latency"        // the request waits before anything is done
	Status         = "status"         // an HTTP status instead of an answer; nothing is done
	DropBefore     = "drop_before"    // the connection is closed; nothing is done
	DropAfter      = "drop_after"     // the connection is closed after it was done
	SessionExpired = "expire_session" // the session's token has expired: the driver renews it
	MasterExpired  = "expire_master"  // its master token too: the driver cannot
	SessionGone    = "end_session"    // the session is ended, with what it runs
	SQLError       = "error"          // an error with a number of Snowflake's; nothing is done
)

// Fault is something that goes wrong on request.
type Fault struct {
	Kind string `json:"kind"`
	// Match is a regular expression for the statement's text, Path one for the
	// path. Empty ones match all.
	Match string `json:"match,omitempty"`
	Path  string `json:"path,omitempty"`
	// Skip lets that many requests pass. Count ends the fault after that many; 0: the
	// end of the test does, or Mend.
	Skip    int64  `json:"skip,omitempty"`
	Count   int64  `json:"count,omitempty"`
	DelayMS int64  `json:"delay_ms,omitempty"`
	Status  int    `json:"status,omitempty"`
	Number  int    `json:"number,omitempty"`
	State   string `json:"state,omitempty"`
	Message string `json:"message,omitempty"`
}

// Break makes something go wrong until the test ends, or Mend. With an account
// the test is skipped.
func (s *Server) Break(tb testing.TB, faults ...Fault) {
	tb.Helper()
	s.only(tb)
	tb.Cleanup(func() { s.Mend(tb) })
	s.ask(tb, http.MethodPost, "/faults", faults, nil)
}

// Mend ends all faults.
func (s *Server) Mend(tb testing.TB) {
	tb.Helper()
	s.ask(tb, http.MethodDelete, "/faults", nil, nil)
}

// Statement is a statement that the stand-in received.
type Statement struct {
	Seq         int64     `json:"seq"`
	At          time.Time `json:"at"`
	Session     int64     `json:"session"`
	Application string    `json:"application"`
	Tag         string    `json:"tag"`
	Kind        string    `json:"kind"` // its first word, in upper case
	SQL         string    `json:"sql"`
	Binds       int       `json:"binds"`
	Retries     int       `json:"retries"` // requests for the same, which were not executed again
	Number      int       `json:"number"`  // of its error
}

// Count is how many statements of one kind came with one tag.
type Count struct {
	Tag   string `json:"tag"`
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
}

// Statements are the statements that the stand-in received after the one with
// that number, and how many of each kind there were in all. It fails the test when
// the stand-in does not remember them all. With an account the test is skipped.
func (s *Server) Statements(tb testing.TB, after int64) ([]Statement, []Count) {
	tb.Helper()
	s.only(tb)
	var answer struct {
		Statements []Statement `json:"statements"`
		Counters   []Count     `json:"counters"`
		Dropped    int64       `json:"dropped"`
	}
	s.ask(tb, http.MethodGet, fmt.Sprintf("/statements?after=%d", after), nil, &answer)
	if answer.Dropped > after {
		tb.Fatalf("the stand-in remembers no statement before number %d, and number %d was asked for", answer.Dropped, after)
	}
	return answer.Statements, answer.Counters
}

// Counts are the counts of Statements alone.
func (s *Server) Counts(tb testing.TB) []Count {
	tb.Helper()
	s.only(tb)
	var answer struct {
		Counters []Count `json:"counters"`
	}
	s.ask(tb, http.MethodGet, "/statements?after="+fmt.Sprint(int64(1)<<62), nil, &answer)
	return answer.Counters
}

// Received is the number of the newest statement.
func (s *Server) Received(tb testing.TB) int64 {
	tb.Helper()
	s.only(tb)
	var answer struct {
		Received int64 `json:"received"`
	}
	s.ask(tb, http.MethodGet, "/statements?after="+fmt.Sprint(int64(1)<<62), nil, &answer)
	return answer.Received
}

// Session is a session that lives.
type Session struct {
	ID          int64  `json:"id"`
	Application string `json:"application"` // as its client named itself at login
	Warehouse   string `json:"warehouse"`
}

// Sessions are those that live. With an account the test is skipped.
func (s *Server) Sessions(tb testing.TB) (sessions []Session) {
	tb.Helper()
	s.only(tb)
	s.ask(tb, http.MethodGet, "/sessions", nil, &sessions)
	return sessions
}

// only skips a test that an account cannot serve.
func (s *Server) only(tb testing.TB) {
	tb.Helper()
	if s.Admin == "" {
		tb.Skip("an account has neither faults nor recorded statements: this test needs the stand-in")
	}
}

func (s *Server) ask(tb testing.TB, method, path string, send, answer any) {
	tb.Helper()
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			tb.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, s.Admin+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	client := http.Client{Timeout: adminTimeout}
	reply, err := client.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", reply.Status, text)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	if err != nil {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
}
