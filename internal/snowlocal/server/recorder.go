package server

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Bounds of what is remembered of statements.
const (
	maxStatements = 100000 // the last ones
	maxTexts      = 20000  // texts that are counted, each for an application
	maxText       = 64 << 10
)

// Statement is one that a driver has sent.
type Statement struct {
	Sequence    int64     `json:"sequence"` // from 1 on
	At          time.Time `json:"at"`
	Session     int64     `json:"session"`
	User        string    `json:"user"`
	Application string    `json:"application,omitempty"`
	Tag         string    `json:"tag,omitempty"`
	Text        string    `json:"text"`
	Binds       int       `json:"binds"`
	Request     string    `json:"request"`
	Repeated    bool      `json:"repeated,omitempty"` // the request had come before
	Describe    bool      `json:"describe,omitempty"` // compiled only
	Async       bool      `json:"async,omitempty"`
}

// Count says how often a text was sent; repeated requests are not in Sent.
type Count struct {
	Application string `json:"application,omitempty"`
	Text        string `json:"text"`
	Sent        int64  `json:"sent"`
	Repeated    int64  `json:"repeated"`
}

// Statements are what the recorder remembers.
type Statements struct {
	Received   int64        `json:"received"` // requests, repeated ones too
	Repeated   int64        `json:"repeated"`
	Forgotten  int64        `json:"forgotten"` // received, and no longer in Statements
	Uncounted  int64        `json:"uncounted"` // not in Counts, since that is full
	Counts     []Count      `json:"counts"`
	Statements []*Statement `json:"statements"`
}

type countKey struct{ application, text string }

// recorder remembers statements.
type recorder struct {
	mu        sync.Mutex
	received  int64
	repeated  int64
	uncounted int64
	counts    map[countKey]*Count
	ring      []*Statement
	next      int
}

func newRecorder() *recorder { return &recorder{counts: map[countKey]*Count{}} }

// add notes a request.
func (r *recorder) add(x *session, request *queryRequest, id string, again bool) {
	text := request.Text
	if len(text) > maxText {
		text = text[:maxText]
	}
	st := &Statement{
		At: time.Now(), Session: x.id, User: x.user, Application: x.application, Tag: texts(request.Parameters)["QUERY_TAG"], Text: text,
		Binds: len(request.Bindings), Request: id, Repeated: again, Describe: request.DescribeOnly, Async: request.Async,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received++
	st.Sequence = r.received
	key := countKey{x.application, text}
	count, ok := r.counts[key]
	if !ok && len(r.counts) < maxTexts {
		count = &Count{Application: x.application, Text: text}
		r.counts[key] = count
	}
	switch {
	case count == nil:
		r.uncounted++
	case again:
		count.Repeated++
	default:
		count.Sent++
	}
	if count != nil {
		st.Text = count.Text // one text for all
	}
	if again {
		r.repeated++
	}
	if len(r.ring) < maxStatements {
		r.ring = append(r.ring, st)
		return
	}
	r.ring[r.next] = st
	r.next = (r.next + 1) % maxStatements
}

// read returns what is remembered: the statements after a number, of those that
// keep says yes to.
func (r *recorder) read(after int64, counts, statements bool, keep func(application string) bool) Statements {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := Statements{
		Received: r.received, Repeated: r.repeated, Uncounted: r.uncounted, Forgotten: r.received - int64(len(r.ring)),
		Counts: []Count{}, Statements: []*Statement{},
	}
	if counts {
		for _, c := range r.counts {
			if keep(c.Application) {
				all.Counts = append(all.Counts, *c)
			}
		}
		slices.SortFunc(all.Counts, func(a, b Count) int {
			return cmp.Or(cmp.Compare(b.Sent, a.Sent), cmp.Compare(a.Application, b.Application), cmp.Compare(a.Text, b.Text))
		})
	}
	if statements {
		for i := range r.ring {
			if st := r.ring[(r.next+i)%len(r.ring)]; st.Sequence > after && keep(st.Application) {
				all.Statements = append(all.Statements, st)
			}
		}
	}
	return all
}

// clear forgets everything, numbers too.
func (r *recorder) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received, r.repeated, r.uncounted, r.next = 0, 0, 0, 0
	r.counts, r.ring = map[countKey]*Count{}, nil
}
