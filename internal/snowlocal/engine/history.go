package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// history remembers queries: those that run, and the last that ended. Those that
// it leaves out when asked are kept apart, for who knows their id: so many short
// ones displace none of the others.
type history struct {
	mu             sync.Mutex
	queries        map[string]*record
	shown, unshown ring // that ended
}

// ring keeps the newest records, up to its limit.
type ring struct {
	limit   int
	records []*record
	next    int // the oldest, once it is full
}

// add returns the record that had to go for it, or nil.
func (r *ring) add(n *record) (old *record) {
	if len(r.records) < r.limit {
		r.records = append(r.records, n)
		return nil
	}
	old, r.records[r.next] = r.records[r.next], n
	r.next = (r.next + 1) % r.limit
	return old
}

// record is one query.
type record struct {
	mu        sync.Mutex
	info      QueryInfo
	result    *Result // of the last queries of a session
	session   *Session
	cancelled atomic.Bool
	done      chan struct{}
}

// maxKeptRows bounds the results that are kept for RESULT_SCAN.
const maxKeptRows = 100000

func newHistory(limit int) *history {
	if limit <= 0 {
		limit = DefaultHistory
	}
	return &history{queries: map[string]*record{}, shown: ring{limit: limit}, unshown: ring{limit: limit}}
}

func (h *history) begin(s *Session, info QueryInfo) *record {
	info.Status, info.Start = StatusRunning, time.Now()
	r := &record{info: info, session: s, done: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queries[info.ID] = r
	return r
}

// end notes how a query ended, and forgets the oldest for it.
func (h *history) end(r *record, result *Result, err error) {
	r.mu.Lock()
	r.info.End = time.Now()
	r.info.Status = StatusSuccess
	if own, ok := err.(*Error); ok && own != nil {
		r.info.Status, r.info.Error = StatusFailed, own
	} else if result != nil {
		r.info.RowsProduced = int64(len(result.Rows))
		if len(result.Rows) <= maxKeptRows {
			r.result = result
		}
	}
	kept := &h.shown
	if r.info.unseen() {
		kept = &h.unshown
	}
	r.mu.Unlock()
	close(r.done)
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := kept.add(r); old != nil && h.queries[old.info.ID] == old {
		delete(h.queries, old.info.ID)
	}
}

func (h *history) find(id string) *record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.queries[id]
}

// list returns copies of what is known, the newest first, of those that keep
// says yes to, at most limit.
func (h *history) list(limit int, keep func(*QueryInfo) bool) []QueryInfo {
	h.mu.Lock()
	records := make([]*record, 0, len(h.queries))
	for _, r := range h.queries {
		if r.running() {
			records = append(records, r)
		}
	}
	records = append(append(records, h.shown.records...), h.unshown.records...)
	h.mu.Unlock()
	var list []QueryInfo
	for _, r := range records {
		if info := r.copy(); keep(&info) {
			list = append(list, info)
		}
	}
	sortNewest(list)
	return list[:min(limit, len(list))]
}

// shortHybrid is how long a statement on hybrid tables takes that the history
// mostly leaves out.
const shortHybrid = 500 * time.Millisecond

// unseen reports whether the history leaves a query out: short ones on hybrid
// tables, unless they fail.
func (i *QueryInfo) unseen() bool {
	end := i.End
	if end.IsZero() {
		end = time.Now()
	}
	return i.hybrid && i.Error == nil && end.Sub(i.Start) < shortHybrid
}

// moveTo says where the query runs, for those who cancel it.
func (r *record) moveTo(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
}

func (r *record) where() *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session
}

func (r *record) running() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

func (r *record) copy() QueryInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.info
}

func (r *record) update(change func(*QueryInfo)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.info)
}

// forgetResult drops the rows of an older query.
func (r *record) forgetResult() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result = nil
}
