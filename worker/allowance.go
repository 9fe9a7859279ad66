package worker

import (
	"sync/atomic"

	"github.com/benchfleet/benchfleet/core"
)

// allowance is the worker's share of the run's budget. Every operation takes from
// it before it starts, so operations beyond the share are never started.
//
// How many rows an operation has is known when it has ended. So it takes as many
// beforehand as the largest of its kind so far had, and gives back what it did not need.
// While none of its kind has ended there is nothing to go by: of such operations one at a
// time is under way, and the others wait for it. So a share of rows is passed at most by
// one of them, and by what those in flight have more than all of their kind before.
type allowance struct {
	operations, rows bool // are bounded
	operationsLeft   atomic.Int64
	rowsLeft         atomic.Int64
	largest          []atomic.Int64                // rows of one, by operation; 0: none has ended yet
	first            atomic.Pointer[chan struct{}] // under way, of a kind of which none has ended; nil: there is none
	spent            atomic.Pointer[string]
}

// newAllowance is nil when the budget bounds neither operations nor rows.
func newAllowance(s core.Scenario, worker int) *allowance {
	if s.Budget == nil || s.Budget.Operations == 0 && s.Budget.Rows == 0 {
		return nil
	}
	share := s.Budget.Share(s.Load, worker)
	a := &allowance{
		operations: share.Operations >= 0, rows: share.Rows >= 0,
		largest: make([]atomic.Int64, len(s.Operations)),
	}
	a.operationsLeft.Store(share.Operations)
	a.rowsLeft.Store(share.Rows)
	return a
}

// kept is what an operation has taken of its worker's share of rows.
type kept struct {
	rows  int64          // 0: nothing was asked
	first *chan struct{} // of the first of its kind, closed when it has ended; nil: it is none
}

// take asks for one operation: what is kept for it, and whether it may start, must wait
// for the first that k names (turnAgain), or may not (turnOver). Once that was said,
// spentOn says why, and nothing may start any more.
func (a *allowance) take(operation int) (k kept, answer turn) {
	if a.spent.Load() != nil {
		return k, turnOver
	}
	if a.rows {
		if k.rows = a.largest[operation].Load(); k.rows == 0 {
			if k.first, answer = a.claim(); answer != turnGo {
				return k, answer
			}
			k.rows = max(1, a.largest[operation].Load()) // another may have ended meanwhile
		}
		if a.rowsLeft.Add(-k.rows) < 0 {
			return a.refuse(core.SpentRows, k)
		}
	}
	if a.operations && a.operationsLeft.Add(-1) < 0 {
		return a.refuse(core.SpentOperations, k)
	}
	return k, turnGo
}

func (a *allowance) refuse(what string, k kept) (kept, turn) {
	a.spent.CompareAndSwap(nil, &what)
	a.rowsLeft.Add(k.rows)
	a.free(k.first)
	return kept{}, turnOver
}

// claim makes an operation the first one, or names the one that is (turnAgain).
func (a *allowance) claim() (first *chan struct{}, answer turn) {
	own := make(chan struct{})
	for !a.first.CompareAndSwap(nil, &own) {
		if other := a.first.Load(); other != nil {
			return other, turnAgain
		}
	}
	return &own, turnGo
}

// free lets all who wait for a first one look again, unless that was done before.
func (a *allowance) free(first *chan struct{}) {
	if first != nil && a.first.CompareAndSwap(first, nil) {
		close(*first)
	}
}

// settle says how many rows an operation had for which some were kept. One that has
// failed says nothing about its kind.
func (a *allowance) settle(operation int, k kept, had int64, failed bool) {
	if k.rows == 0 {
		return
	}
	a.rowsLeft.Add(k.rows - had)
	if most := &a.largest[operation]; !failed {
		for largest := most.Load(); largest < max(had, 1) && !most.CompareAndSwap(largest, max(had, 1)); {
			largest = most.Load()
		}
	}
	a.free(k.first)
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

// allowed takes what an operation needs of the budget. It is turnAgain when the
// first of its kind was waited for, turnOver when the load has ended, be it that the
// worker's share is used up.
func (c *connection) allowed(operation int) turn {
	a := c.load.allowance
	if a == nil {
		return turnGo
	}
	var answer turn
	switch c.kept, answer = a.take(operation); answer {
	case turnAgain:
		patience := core.Never
		if c.load.timeout > 0 {
			patience = 2 * c.load.timeout // one that does not even hear of its timeout is passed by
		}
		if !c.pauseFor(patience, *c.kept.first) {
			return turnOver
		}
		a.free(c.kept.first)
	case turnOver:
		c.load.overspend()
	}
	return answer
}

// overspend says, once, that the worker's share of the budget is used up.
func (l *load) overspend() {
	l.spendOnce.Do(func() {
		if l.budgetSpent != nil {
			l.budgetSpent()
		}
	})
}
