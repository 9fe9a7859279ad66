package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"
)

// boundMoves are the events of guardrails, and a stop because of the budget, which
// may come at any time.
func boundMoves(at time.Time, workers int) []move {
	list := []move{
		{"budget used up", at, StopRequested{At: at, Reason: Budget}},
		{"guardrails fail", at, GuardrailFailed{At: at, Detail: "all"}},
	}
	for w := range workers {
		list = append(list,
			move{WorkerID(w) + " backs off", at, WorkerBackedOff{At: at, Worker: w, Epoch: 1, Target: 1, Detail: "d"}},
			move{WorkerID(w) + " is degraded", at, WorkerDegraded{At: at, Worker: w, Epoch: 1, Detail: "d"}})
	}
	return list
}

// budgeted is a plan whose budget ends within the measurement; each worker has two
// connections, so that it can back off once.
func budgeted(p *Plan) {
	timed(p)
	p.Connections = 2 * p.Workers
}

// TestExploreBounds visits every state that a run with a budget of time and with
// guardrails can reach: all the laws hold, and once the budget's time is over no
// worker is left to its drain.
func TestExploreBounds(t *testing.T) {
	if raceEnabled {
		t.Skip("the machine has no goroutine: under the race detector this only takes longer")
	}
	for workers, golden := range map[int][2]int{1: {1006, 23167}, 2: {5866, 188137}} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			is := is.New(t)
			inTime := func(r Run, ev Event) (Run, []Command, error) {
				next, cmds, err := r.Apply(ev)
				end, bounded := next.budgetEnd()
				if next.Rung == Drain && next.Step == notProcessing && bounded && next.Deadline.After(later(end, ev.when())) {
					return Run{}, nil, fmt.Errorf("%w: it drains until %s, beyond its budget", ErrInternal, next.Deadline)
				}
				for i, w := range next.Workers {
					if i < len(r.Workers) && w.Target > r.Workers[i].Target {
						return Run{}, nil, fmt.Errorf("%w: %s got connections", ErrInternal, w.ID)
					}
				}
				return next, cmds, err
			}
			states, edges, counterexample := explore(explorePlan(workers, budgeted), inTime)
			t.Logf("%d states, %d edges", states, edges)
			is.Equal(counterexample, "")
			is.Equal([2]int{states, edges}, golden)
		})
	}
}
