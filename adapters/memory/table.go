package memory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/benchfleet/benchfleet/core"
)

// shardCount is over how many locks the rows of a table are spread.
const shardCount = 256

// table is a benchmark table: real rows in maps, by the low bits of their key.
type table struct {
	shards [shardCount]shard
}

type shard struct {
	mu   sync.RWMutex
	rows map[int64]core.Row
	_    [64]byte // keeps the locks of neighbours on cache lines of their own
}

func newTable() *table {
	t := &table{}
	for i := range t.shards {
		t.shards[i].rows = map[int64]core.Row{}
	}
	return t
}

func (t *table) shard(id int64) *shard { return &t.shards[uint64(id)%shardCount] }

// get reads one row.
func (t *table) get(id int64) (core.Row, bool) {
	s := t.shard(id)
	s.mu.RLock()
	row, found := s.rows[id]
	s.mu.RUnlock()
	return row, found
}

// set stores a row and returns what was there.
func (t *table) set(row core.Row) (old core.Row, found bool) {
	s := t.shard(row.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, found = s.rows[row.ID]
	s.rows[row.ID] = row
	return old, found
}

// insert stores a row whose key must be new.
func (t *table) insert(row core.Row) error {
	s := t.shard(row.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.rows[row.ID]; found {
		return fmt.Errorf("%w: memory: duplicate key %d", core.ErrConflict, row.ID)
	}
	s.rows[row.ID] = row
	return nil
}

// update changes balance and status of a row and returns what was there.
func (t *table) update(id, balance int64, status string) (old core.Row, found bool) {
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, found = s.rows[id]; found {
		row := old
		row.Balance, row.Status = balance, status
		s.rows[id] = row
	}
	return old, found
}

// remove deletes a row and returns what was there.
func (t *table) remove(id int64) (old core.Row, found bool) {
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, found = s.rows[id]
	delete(s.rows, id)
	return old, found
}

// scan counts the rows with a key in [from, to], reading each.
func (t *table) scan(from, to int64) (rows int64) {
	if from > to {
		return 0
	}
	if size := uint64(to) - uint64(from); size < 1<<16 {
		for i := uint64(0); i <= size; i++ {
			if _, found := t.get(from + int64(i)); found {
				rows++
			}
		}
		return rows
	}
	for i := range t.shards { // the range is wider than it pays to walk
		s := &t.shards[i]
		s.mu.RLock()
		for id := range s.rows {
			if id >= from && id <= to {
				rows++
			}
		}
		s.mu.RUnlock()
	}
	return rows
}

// sample reads the distinct values of a column in order, or as many of them as
// size at even distances.
func (t *table) sample(column int, size int64) ([]any, error) {
	var all []any
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, row := range s.rows {
			all = append(all, []any{row.ID, row.CustomerID, row.Balance, row.Status, row.Payload}[column])
		}
		s.mu.RUnlock()
	}
	slices.SortFunc(all, func(a, b any) int {
		if x, whole := a.(int64); whole {
			return cmp.Compare(x, b.(int64))
		}
		return strings.Compare(a.(string), b.(string))
	})
	all = slices.Compact(all)
	count := int64(len(all))
	if count <= size {
		return all, nil
	}
	var values []any
	for i, value := range all {
		if (int64(i)+1)*size%count < size {
			values = append(values, value)
		}
	}
	return values, nil
}
