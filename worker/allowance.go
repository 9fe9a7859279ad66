package worker

import (
	"sync/atomic"

	"github.com/benchfleet/benchfleet/core"
)

// allowance is the worker's share of the run's budget. Every operation takes from
// it before it starts, so operations beyond the share are never started.
//
// How many rows an operation has is known when it has ended. So it takes as many
// beforehand as the largest one so far had, and gives back what it did not need: a
// share of rows is passed at most by what an operation has more than all before it.
type allowance struct {
	operations, rows bool // are bounded
	operationsLeft   atomic.Int64
	rowsLeft         atomic.Int64
	largest          atomic.Int64 // rows of an operation
	spent            atomic.Pointer[string]
}

// newAllowance is nil when the budget bounds neither operations nor rows.
func newAllowance(s core.Scenario, worker int) *allowance {
	if s.Budget == nil || s.Budget.Operations == 0 && s.Budget.Rows == 0 {
		return nil
	}
	share := s.Budget.Share(s.Load, worker)
	a := &allowance{operations: share.Operations >= 0, rows: share.Rows >= 0}
	a.operationsLeft.Store(share.Operations)
	a.rowsLeft.Store(share.Rows)
	a.largest.Store(1)
	return a
}

// take asks for one operation: how many rows are kept for it, and whether it may
// start. Once that was refused, spentOn says why, and nothing may start any more.
func (a *allowance) take() (rows int64, ok bool) {
	if a.spent.Load() != nil {
		return 0, false
	}
	if a.rows {
		rows = a.largest.Load()
		if a.rowsLeft.Add(-rows) < 0 {
			a.rowsLeft.Add(rows)
			a.refuse(core.SpentRows)
			return 0, false
		}
	}
	if a.operations && a.operationsLeft.Add(-1) < 0 {
		a.refuse(core.SpentOperations)
		return 0, false
	}
	return rows, true
}

func (a *allowance) refuse(what string) { a.spent.CompareAndSwap(nil, &what) }

// settle says how many rows an operation had for which some were kept.
func (a *allowance) settle(kept, had int64) {
	if !a.rows {
		return
	}
	a.rowsLeft.Add(kept - had)
	for largest := a.largest.Load(); largest < had && !a.largest.CompareAndSwap(largest, had); {
		largest = a.largest.Load()
	}
}

// spentOn is what is used up; "" while nothing is.
func (a *allowance) spentOn() string {
	if a == nil {
		return ""
	}
	if what := a.spent.Load(); what != nil {
		return *what
	}
	return ""
}

// allowed takes what the operation at hand needs of the budget. It is false when
// the worker's share is used up: then the load has ended.
func (c *connection) allowed() bool {
	a := c.load.allowance
	if a == nil {
		return true
	}
	kept, ok := a.take()
	c.kept = kept
	if !ok {
		c.load.overspend()
	}
	return ok
}

// overspend says, once, that the worker's share of the budget is used up.
func (l *load) overspend() {
	l.spendOnce.Do(func() {
		if l.budgetSpent != nil {
			l.budgetSpent()
		}
	})
}
