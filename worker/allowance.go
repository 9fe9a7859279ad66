package worker

import (
	"sync"
	"sync/atomic"

	"github.com/benchfleet/benchfleet/core"
)

// allowance is the worker's share of the run's budget. Every operation takes from
// it before it starts, so operations beyond the share are never started.
//
// How many rows an operation has is known when it has ended. So it takes as many
// beforehand as the largest of its kind so far had, and gives back what it did not need;
// what is too little while others may still give some back waits for them.
// While none of its kind has ended there is nothing to go by: of such operations one at a
// time is under way, and the others wait for it. So a share of rows is passed at most by
// one of them, and by what those in flight have more than all of their kind before.
type allowance struct {
	operations, rows bool // are bounded
	operationsLeft   atomic.Int64
	spent            atomic.Pointer[string]

	mu       sync.Mutex // of what follows, which is about rows
	rowsLeft int64
	largest  []int64       // rows of one, by operation; 0: none has ended yet
	first    chan struct{} // closed when the one has ended that is under way of a kind of which none has; nil: there is none
	keeping  int           // operations under way that rows are kept for
	settled  chan struct{} // closed when one of them has ended; nil: nobody waits for that
	passed   int           // how often those under way were given up
}

// newAllowance is nil when the budget bounds neither operations nor rows.
func newAllowance(s core.Scenario, worker int) *allowance {
	if s.Budget == nil || s.Budget.Operations == 0 && s.Budget.Rows == 0 {
		return nil
	}
	share := s.Budget.Share(s.Load, worker)
	a := &allowance{
		operations: share.Operations >= 0, rows: share.Rows >= 0, rowsLeft: share.Rows,
		largest: make([]int64, len(s.Operations)),
	}
	a.operationsLeft.Store(share.Operations)
	return a
}

// kept is what an operation has taken of its worker's share of rows.
type kept struct {
	rows   int64         // 0: nothing was asked
	first  chan struct{} // of the first of its kind; nil: it is none
	passed int           // the allowance's when they were kept
}

// take asks for one operation: what is kept for it, and whether it may start, must wait
// for another (turnAgain), or may not (turnOver). Once that was said, spentOn says why,
// and nothing may start any more.
func (a *allowance) take(operation int) (k kept, other <-chan struct{}, answer turn) {
	if a.spent.Load() != nil {
		return k, nil, turnOver
	}
	if a.rows {
		if k, other, answer = a.keep(operation); answer != turnGo {
			return k, other, answer
		}
	}
	if a.operations && a.operationsLeft.Add(-1) < 0 {
		a.settle(operation, k, 0, true)
		return kept{}, nil, a.refuse(core.SpentOperations)
	}
	return k, nil, turnGo
}

func (a *allowance) refuse(what string) turn {
	a.spent.CompareAndSwap(nil, &what)
	return turnOver
}

// keep keeps rows for an operation.
func (a *allowance) keep(operation int) (k kept, other <-chan struct{}, answer turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	largest := a.largest[operation]
	rows := max(1, largest)
	switch {
	case largest == 0 && a.first != nil:
		return k, a.first, turnAgain
	case rows > a.rowsLeft && a.keeping > 0:
		if a.settled == nil {
			a.settled = make(chan struct{})
		}
		return k, a.settled, turnAgain
	case rows > a.rowsLeft:
		return k, nil, a.refuse(core.SpentRows)
	case largest == 0:
		a.first = make(chan struct{})
		k.first = a.first
	}
	k.rows, k.passed = rows, a.passed
	a.rowsLeft -= rows
	a.keeping++
	return k, nil, turnGo
}

// settle says how many rows an operation had for which some were kept. One that has
// failed says nothing about its kind.
func (a *allowance) settle(operation int, k kept, had int64, failed bool) {
	if k.rows == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rowsLeft += k.rows - had
	if !failed {
		a.largest[operation] = max(a.largest[operation], had, 1)
	}
	if k.passed == a.passed && (k.first == nil || k.first == a.first) { // it was not passed by
		a.keeping--
		if k.first != nil {
			a.wake(&a.first)
		}
	}
	a.wake(&a.settled)
}

// wake lets all who wait for another look again.
func (a *allowance) wake(other *chan struct{}) {
	if *other != nil {
		close(*other)
		*other = nil
	}
}

// passBy counts no longer on what was waited for, unless that has ended meanwhile.
func (a *allowance) passBy(other <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch other {
	case a.first:
		a.keeping--
	case a.settled: // nothing of what is under way has ended for so long
		a.keeping = 0
		a.passed++
	default:
		return
	}
	a.wake(&a.first)
	a.wake(&a.settled)
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

// allowed takes what an operation needs of the budget. It is turnAgain when another
// was waited for, turnOver when the load has ended, be it that the worker's share is
// used up.
func (c *connection) allowed(operation int) turn {
	a := c.load.allowance
	if a == nil {
		return turnGo
	}
	var other <-chan struct{}
	var answer turn
	switch c.kept, other, answer = a.take(operation); answer {
	case turnAgain:
		patience := core.Never
		if c.load.timeout > 0 {
			patience = 2 * c.load.timeout // what does not even hear of its timeout is passed by
		}
		if !c.pauseFor(patience, other) {
			return turnOver
		}
		a.passBy(other)
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
