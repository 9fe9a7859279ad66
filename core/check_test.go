package core

import (
	"errors"
	"testing"

	"github.com/matryer/is"
)

// checked is a run whose checks were asked for and made.
func checked(t *testing.T, findings ...Finding) Run {
	t.Helper()
	r, events := play(t, NewRun("r", explorePlan(2, nil)), CheckRequested{At: at(1)}, OwnerClaimed{At: at(2), Owner: "a", Until: at(7)},
		PreflightFinished{At: at(3), Findings: findings})
	if len(events) > 0 {
		t.Fatalf("a check published %v", events)
	}
	return r
}

func TestCheckLeavesTheRunPrepared(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(2, nil)), CheckRequested{At: at(1)})
	is.Equal(r.CheckAt, at(1))
	is.Equal(r.Outstanding(), []Command{RunPreflight{}})
	again, _ := play(t, r, CheckRequested{At: at(2)})
	is.Equal(again.CheckAt, at(1)) // it is asked for already

	no := Finding{ID: "target.table", Severity: SeverityError, Message: "no table"}
	r = checked(t, no)
	is.Equal(r.Status, Prepared)
	is.Equal(r.Findings, []Finding{no})
	is.Equal(r.CheckedAt, at(3))
	is.True(r.CheckAt.IsZero())
	is.Equal(len(r.Outstanding()), 0)
	is.Equal(r.Owner, "") // nobody has to drive it
	is.True(r.OwnerLeaseUntil.IsZero())
	_, deadline := r.NextDeadline()
	is.True(!deadline)

	r, _ = play(t, r, CheckRequested{At: at(9)})
	is.Equal(len(r.Findings), 0) // what was found before is no answer
	is.True(r.CheckedAt.IsZero())
	late, _ := play(t, checked(t), PreflightFinished{At: at(10), Findings: []Finding{no}})
	is.Equal(len(late.Findings), 0) // nobody asked
}

func TestStartAfterACheck(t *testing.T) {
	is := is.New(t)
	r, events := play(t, checked(t), OwnerClaimed{At: at(5), Owner: "b", Until: at(10)}, StartRequested{At: at(5)}, passed(6))
	is.Equal(r.Status, Starting)
	is.Equal(len(events), 0) // b took over from nobody
}

func TestStartWhileChecksAreMade(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(1, nil)), CheckRequested{At: at(1)}, OwnerClaimed{At: at(2), Owner: "a", Until: at(7)}, StartRequested{At: at(3)})
	is.True(r.CheckAt.IsZero())
	is.Equal(r.Outstanding(), []Command{RunPreflight{}})
	r, _ = play(t, r, passed(4))
	is.Equal(r.Status, Starting) // they were made for the start
	is.Equal(r.Owner, "a")
}

// Who was to make the checks and died has left nothing to take over.
func TestChecksOfOneThatDied(t *testing.T) {
	is := is.New(t)
	r, events := play(t, NewRun("r", explorePlan(1, nil)), CheckRequested{At: at(1)}, OwnerClaimed{At: at(2), Owner: "a", Until: at(7)},
		OwnerClaimed{At: at(8), Owner: "b", Until: at(12)}, passed(9))
	is.Equal(len(events), 0)
	is.Equal(r.Status, Prepared)
}

func TestCheckIsRefused(t *testing.T) {
	is := is.New(t)
	started, _ := play(t, NewRun("r", explorePlan(1, nil)), StartRequested{At: at(0)})
	stopped, _ := play(t, NewRun("r", explorePlan(1, nil)), CheckRequested{At: at(0)}, StopRequested{At: at(1), Reason: UserRequested})
	is.True(stopped.CheckAt.IsZero()) // nobody makes them any more
	for _, r := range []Run{started, stopped, loaded(t, 1, nil)} {
		_, _, err := r.Apply(CheckRequested{At: at(30)})
		is.True(errors.Is(err, ErrRefused))
	}
}
