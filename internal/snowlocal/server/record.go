package server

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Bounds of what is remembered of statements.
const (
	maxStatements = 100000  // the last ones
	maxText       = 8 << 10 // bytes of a text
	maxCounters   = 10000
)

// statement is a request to execute a text, as it came.
type statement struct {
	Seq          int64   `json:"seq"`
	At           string  `json:"at"`
	Session      int64   `json:"session"`
	User         string  `json:"user"`
	Application  string  `json:"application"`
	Tag          string  `json:"tag"` // QUERY_TAG, of the request or else of the session
	Kind         string  `json:"kind"`
	SQL          string  `json:"sql"` // cut when it is long
	Length       int     `json:"length"`
	Binds        int     `json:"binds"`
	BoundRows    int     `json:"bound_rows,omitempty"` // of bound arrays
	QueryID      string  `json:"query_id"`
	RequestID    string  `json:"request_id"`
	DescribeOnly bool    `json:"describe_only,omitempty"`
	Async        bool    `json:"async,omitempty"`
	Retries      int     `json:"retries,omitempty"` // that came for the same request
	Ended        bool    `json:"ended"`
	Number       int     `json:"number,omitempty"` // of the error
	Milliseconds float64 `json:"ms"`

	text unique.Handle[string] // keeps one SQL for all that have the same
}

// counted is what statements are counted by.
type counted struct {
	Application string `json:"application"`
	Tag         string `json:"tag"`
	Kind        string `json:"kind"`
}

// recorder remembers the last statements, and counts all.
type recorder struct {
	limit int

	mu       sync.Mutex
	next     int64
	list     []*statement // a ring once it is full
	counters map[counted]int64
	retries  int64
}

func newRecorder() *recorder {
	return &recorder{limit: maxStatements, counters: map[counted]int64{}}
}

// add remembers a job.
func (t *recorder) add(x *session, j *job, q *engine.Query) {
	tag, ok := q.Parameters["QUERY_TAG"]
	if !ok {
		tag = x.queryTag()
	}
	record := &statement{
		At: time.Now().UTC().Format(time.RFC3339Nano), Session: x.id, User: x.user, Application: x.application, Tag: tag, Kind: kindOf(q),
		SQL: q.SQL, Length: len(q.SQL), Binds: len(q.Binds), QueryID: q.ID, RequestID: q.RequestID, DescribeOnly: q.DescribeOnly, Async: j.async,
	}
	if len(q.SQL) > maxText {
		record.SQL = strings.ToValidUTF8(q.SQL[:maxText], "")
	}
	record.text = unique.Make(record.SQL)
	record.SQL = record.text.Value()
	if len(q.Binds) > 0 && q.Binds[0].IsArray {
		record.BoundRows = len(q.Binds[0].Values)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	j.record = record
	t.next++
	record.Seq = t.next
	by := counted{record.Application, record.Tag, record.Kind}
	if _, known := t.counters[by]; !known && len(t.counters) >= maxCounters {
		by = counted{Kind: "OTHER"}
	}
	t.counters[by]++
	if len(t.list) < t.limit {
		t.list = append(t.list, record)
	} else {
		t.list[(record.Seq-1)%int64(t.limit)] = record
	}
}

// again notes that the request of a job came once more.
func (t *recorder) again(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retries++
	if j.record != nil {
		j.record.Retries++
	}
}

// end notes how a statement ended: the error's number, 0 for none.
func (t *recorder) end(j *job, number int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j.record.Ended, j.record.Number, j.record.Milliseconds = true, number, float64(took.Microseconds())/1000
}

// kindOf is the first word of a text, in upper case, or MULTI.
func kindOf(q *engine.Query) string {
	if n, ok := q.Parameters["MULTI_STATEMENT_COUNT"]; ok && n != "1" {
		return "MULTI"
	}
	text := q.SQL
	for {
		text = strings.TrimLeft(text, " \t\r\n;(")
		end := ""
		switch {
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "//"):
			end = "\n"
		case strings.HasPrefix(text, "/*"):
			end = "*/"
		default:
			n := strings.IndexFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
			if n < 0 {
				n = len(text)
			}
			return strings.ToUpper(text[:min(n, 32)])
		}
		_, text, _ = strings.Cut(text, end)
	}
}

// statements is the answer to who asks.
type statements struct {
	Statements []statement `json:"statements"`
	Received   int64       `json:"received"` // since the start or the last DELETE
	Retries    int64       `json:"retries"`  // requests that came again
	Dropped    int64       `json:"dropped"`  // that are not remembered any more
	Counters   []counter   `json:"counters"`
}

type counter struct {
	counted
	Count int64 `json:"count"`
}

// listStatements lists those after the number in the query's "after".
func (s *Server) listStatements(w http.ResponseWriter, r *http.Request) {
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			http.Error(w, "after is "+strconv.Quote(text)+"; allowed: the seq of a statement", http.StatusBadRequest)
			return
		}
	}
	answerJSON(w, encode(s.recorder.since(after)))
}

func (t *recorder) since(after int64) statements {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := statements{
		Statements: []statement{}, Received: t.next, Retries: t.retries, Dropped: t.next - int64(len(t.list)), Counters: make([]counter, 0, len(t.counters)),
	}
	for seq := max(after, out.Dropped) + 1; seq <= t.next; seq++ {
		out.Statements = append(out.Statements, *t.list[(seq-1)%int64(t.limit)])
	}
	for by, n := range t.counters {
		out.Counters = append(out.Counters, counter{by, n})
	}
	return out
}

func (s *Server) clearStatements(w http.ResponseWriter, _ *http.Request) {
	t := s.recorder
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next, t.retries, t.list = 0, 0, nil
	clear(t.counters)
	answerJSON(w, encode(statements{Statements: []statement{}, Counters: []counter{}}))
}
