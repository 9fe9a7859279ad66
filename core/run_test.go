package core

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return t0.Add(time.Duration(seconds * float64(time.Second)))
}

// play folds events in and fails the test if one is refused.
func play(t *testing.T, r Run, evs ...Event) (Run, []ControlEvent) {
	t.Helper()
	next, events, err := r.Fold(evs...)
	if err != nil {
		t.Fatal(err)
	}
	return next, events
}

func passed(seconds float64) PreflightFinished {
	return PreflightFinished{At: at(seconds), Findings: []Finding{{ID: "x", Severity: SeverityOK}}}
}

// loaded is a run of n workers whose load began at second 10.
func loaded(t *testing.T, n int, change func(*Plan)) Run {
	t.Helper()
	r, _ := play(t, NewRun("r", explorePlan(n, change)), StartRequested{At: at(0)}, passed(1))
	for i := range n {
		r, _ = play(t, r, WorkerLaunched{At: at(2), Worker: i, Epoch: 1, Handle: Handle{Launcher: "l", Data: []byte{byte(i)}}})
	}
	for i := range n {
		r, _ = play(t, r, BeatSeen{At: at(9.9), Worker: i, Epoch: 1, State: WorkerReadyNow})
	}
	if r.Status != Running {
		t.Fatalf("status %s", r.Status)
	}
	return r
}

// Fold makes one copy of the workers; what it returns is what Apply returns again and
// again, and the run that it began with stays as it was, also when an event is refused.
func TestFoldIsApplyAgainAndAgain(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 3, nil)
	before := r
	before.Workers = slices.Clone(r.Workers)
	evs := []Event{
		BeatSeen{At: at(11), Worker: 0, Epoch: 1, State: WorkerRunning, Acknowledged: 1}, BeatSeen{At: at(11), Worker: 1, Epoch: 1, State: WorkerRunning},
		Ticked{At: at(13)}, StopRequested{At: at(14), By: "u"}, StopRequested{At: at(15), Rung: Cancel},
		BeatSeen{At: at(16), Worker: 2, Epoch: 1, State: WorkerCompleted},
		WorkerExited{At: at(17), Worker: 0, Epoch: 1}, WorkerExited{At: at(17), Worker: 1, Epoch: 1}, WorkerExited{At: at(17), Worker: 2, Epoch: 1},
		SessionsCounted{At: at(18)}, RollupStored{At: at(18)}, ResourcesReleased{At: at(19)}, BeatSeen{At: at(20), Worker: 1, Epoch: 1},
	}
	one, published := r, []ControlEvent(nil)
	for n := range evs {
		all, events, err := r.Fold(evs[:n+1]...)
		is.NoErr(err)
		one, _, err = one.Apply(evs[n])
		is.NoErr(err)
		published = append(published, one.Emitted()...)
		is.Equal(all, one)
		is.Equal(events, published)
	}
	is.Equal(one.Status, Cancelled)
	refused, events, err := r.Fold(evs[0], StartRequested{At: at(12)})
	is.Equal(CodeOf(err), Refused)
	is.Equal(events, nil)
	is.Equal(refused, before)
	is.Equal(r, before)
}

// A text names a few workers, and counts the others.
func TestOfAThousandWorkersFewAreNamed(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 1000, nil)
	r, _ = play(t, r, Ticked{At: at(13)}, Ticked{At: at(23)}, Ticked{At: at(23)})
	for i := range 1000 {
		r, _ = play(t, r, WorkerExited{At: at(24), Worker: i, Epoch: 1, Exit: Exit{Cause: "killed"}})
	}
	r, _ = play(t, r, SessionsCounted{At: at(25)}, RollupStored{At: at(25)}, ResourcesReleased{At: at(25)})
	is.Equal(r.Status, Failed)
	is.True(strings.HasPrefix(r.Detail, "worker-0 ended without its final report (killed); worker-1 "))
	is.True(strings.HasSuffix(r.Detail, "worker-4 ended without its final report (killed); and 995 more"))
}

func TestPhasesAreAnnouncedAhead(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 1, nil)
	is.Equal(r.Phase, Warmup)
	is.Equal(r.Origin, at(10)) // a lead of 0.1 s after the last worker was ready
	due, ok := r.NextDeadline()
	is.True(ok)
	is.Equal(due, at(12.875)) // 3 s of warm-up, less the lead and a margin

	r, events := play(t, r, Ticked{At: at(12.9)}) // a little late
	is.Equal(r.Phase, Measurement)
	is.Equal(r.PhaseAt, at(13)) // and yet in time
	is.Equal(len(events), 1)
	is.Equal(events[0].Type, EventSetPhase)
	is.Equal(events[0].Effective, at(13))

	r, _ = play(t, r, Ticked{At: at(22.9)})
	is.Equal(r.Phase, Cooldown)
	is.Equal(r.Until, at(23)) // 10 s of measurement, no cool-down
	r, events = play(t, r, Ticked{At: at(23)})
	is.Equal(r.Status, Stopping)
	is.Equal(events[0].Type, EventStop)
	is.Equal(events[0].Reason, Elapsed)
}

// Workers know their phases from START, so an orchestrator that was away finds them
// where they were to be.
func TestPhasesKeepTheirTimes(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 1, nil)
	is.Equal(r.Until, at(23))             // known from START
	r, _ = play(t, r, Ticked{At: at(20)}) // due at 12.875: the orchestrator was away
	is.Equal(r.Phase, Measurement)
	is.Equal(r.PhaseAt, at(13))
	due, _ := r.NextDeadline()
	is.Equal(due, at(22.875))
	r, events := play(t, r, Ticked{At: at(30)}, Ticked{At: at(30)}) // away once more
	is.Equal(r.Status, Stopping)
	is.Equal(r.Until, at(23))
	is.Equal(len(events), 2)
	is.Equal(events[0].Effective, at(23)) // the cool-down of no length
	is.Equal(events[1].Reason, Elapsed)

	r = loaded(t, 1, operationBound)
	is.True(r.Until.IsZero()) // nobody can know
}

func TestRunLimitEndsTheLoad(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 1, operationBound)
	due, _ := r.NextDeadline()
	is.Equal(due, at(40)) // 30 s after the origin
	r, _ = play(t, r, Ticked{At: due})
	is.Equal(r.Reason, Guardrail)
	is.True(strings.Contains(r.Detail, "30s"))
}

func TestOperationsDone(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 2, operationBound)
	r, _ = play(t, r, BeatSeen{At: at(11), Worker: 0, Epoch: 1, State: WorkerRunning, QuotaDone: true})
	is.Equal(r.Status, Running)
	r, _ = play(t, r, BeatSeen{At: at(12), Worker: 1, Epoch: 1, State: WorkerRunning, QuotaDone: true})
	is.Equal(r.Status, Stopping)
	is.Equal(r.Reason, OperationsDone)
}

func TestStartTimeoutNamesWhoIsMissingAndWhy(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(3, nil)), StartRequested{At: at(0)}, passed(1),
		WorkerLaunched{At: at(2), Worker: 0, Epoch: 1}, WorkerLaunched{At: at(2), Worker: 1, Epoch: 1},
		BeatSeen{At: at(3), Worker: 0, Epoch: 1, State: WorkerReadyNow},
		BeatSeen{At: at(3), Worker: 1, Epoch: 1, State: WorkerStarting, Detail: "password refused"},
		Ticked{At: at(62)})
	is.Equal(r.Status, Cancelling)
	is.Equal(r.Reason, StartTimeout)
	is.Equal(r.Detail, "not ready within 1m1s: worker-1 (launched): password refused; worker-2 (launching)")
}

func TestReasonOnlyRises(t *testing.T) {
	for _, first := range Reasons() {
		for _, second := range Reasons() {
			t.Run(string(first)+" then "+string(second), func(t *testing.T) {
				is := is.New(t)
				r, _ := play(t, loaded(t, 1, nil), StopRequested{At: at(11), Reason: first})
				r, events := play(t, r, StopRequested{At: at(12), Reason: second})
				if second.Outranks(first) {
					is.Equal(r.Reason, second)
					is.Equal(len(events), 1)
					is.Equal(events[0].Type, EventStopRaised)
				} else {
					is.Equal(r.Reason, first)
					is.Equal(len(events), 0)
				}
			})
		}
	}
}

func TestLadder(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, loaded(t, 2, nil), StopRequested{At: at(11), Reason: UserRequested, By: "ann"})
	is.Equal(r.Rung, Drain)
	is.Equal(len(r.Outstanding()), 0) // the control state tells the workers
	r, _ = play(t, r, BeatSeen{At: at(12), Worker: 0, Epoch: 1, State: WorkerCompleted, LastStart: at(11.02), LastEnd: at(11.4)},
		WorkerExited{At: at(12.1), Worker: 0, Epoch: 1, Exit: Exit{Cause: "exited with code 0"}})
	for _, rung := range []struct {
		seconds float64
		rung    Rung
		owed    []Command
	}{
		{11 + 31, Cancel, []Command{CancelSessions{}}},
		{11 + 31 + 5, Terminate, []Command{CancelSessions{}, TerminateWorker{Worker: 1, Epoch: 1}}},
		{11 + 31 + 5 + 6, Kill, []Command{CancelSessions{}, KillWorker{Worker: 1, Epoch: 1}}},
	} {
		due, _ := r.NextDeadline()
		is.Equal(due, at(rung.seconds))
		r, _ = play(t, r, Ticked{At: due})
		is.Equal(r.Rung, rung.rung)
		is.Equal(r.Outstanding(), rung.owed)
	}
	r, _ = play(t, r, WorkerExited{At: at(54), Worker: 1, Epoch: 1, Exit: Exit{Code: -1, Cause: "killed by signal 9"}},
		SessionsCounted{At: at(54.1), Running: RunningCount{Known: true}}, RollupStored{At: at(54.2)}, ResourcesReleased{At: at(54.3)})
	is.Equal(r.Status, Cancelled)

	c := r.Certificate()
	is.True(!c.Clean)
	is.Equal(c.HighestRung, Kill)
	is.Equal(c.RequestedBy, "ann")
	is.Equal(*c.Stages.WorkersGone, Duration(43*time.Second))
	is.Equal(c.Workers[0].Ending, "drained, reported and exited")
	is.Equal(c.Workers[1].Ending, "killed by signal 9, without a final report")
	is.Equal(c.Workers[1].Rung, Kill)
}

func TestUnkillableWorkerIsNamedAsOrphan(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, loaded(t, 1, nil), StopRequested{At: at(11), Reason: UserRequested, Rung: Kill}, Ticked{At: at(18)})
	is.Equal(r.Rung, Orphaned)
	is.Equal(r.Certificate().Orphans, []string{"worker-0"})
	r, _ = play(t, r, Ticked{At: at(23)}, RollupStored{At: at(24)}, ResourcesReleased{At: at(25)})
	is.Equal(r.Status, Cancelled)
	is.True(!r.Running.Known) // the target did not answer: unknown, never 0
	is.True(r.Running.Why != "")
}

func TestStopThatIsRaisedNamesWhoAsked(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, loaded(t, 1, operationBound), BeatSeen{At: at(11), Worker: 0, Epoch: 1, State: WorkerRunning, QuotaDone: true})
	is.Equal(r.Status, Stopping)
	r, events := play(t, r, StopRequested{At: at(12), Reason: UserRequested, By: "ann"})
	is.Equal(events[0].By, "ann")
	is.Equal(r.Certificate().RequestedBy, "ann")
	r, _ = play(t, r, StopRequested{At: at(13), Reason: Budget, By: "bob"})
	is.Equal(r.StopBy, "ann") // of two of equal rank the first wins
}

func TestWorkerThatWasNeverLaunchedLeavesTheCertificateClean(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(1, nil)), StartRequested{At: at(0)}, passed(1), StopRequested{At: at(2), Reason: UserRequested},
		WorkerExited{At: at(3), Worker: 0, Epoch: 1, Exit: Exit{Code: -1, Cause: "never launched"}},
		SessionsCounted{At: at(4), Running: RunningCount{Known: true}}, RollupStored{At: at(5)}, ResourcesReleased{At: at(6)})
	is.Equal(r.Status, Cancelled)
	is.True(r.Certificate().Clean)
	is.Equal(r.Certificate().Workers[0].Ending, "never launched")
}

func TestAnErrorThatIsOverIsNoCause(t *testing.T) {
	is := is.New(t)
	says := func(second float64, detail string) BeatSeen {
		return BeatSeen{At: at(second), Worker: 0, Epoch: 1, State: WorkerRunning, Detail: detail}
	}
	r, _ := play(t, loaded(t, 1, nil), says(11, "the store was away"))
	is.Equal(r.Workers[0].Message, "the store was away")
	r, _ = play(t, r, says(12, ""))
	is.Equal(r.Workers[0].Message, "")
	r, _ = play(t, r, WorkerSilent{At: at(30), Worker: 0, Epoch: 1, Detail: "no beat for 10s"},
		says(31, "the store was away"), // an older beat, read once more
		WorkerExited{At: at(32), Worker: 0, Epoch: 1, Exit: Exit{Code: 137, Cause: "killed by signal 9"}})
	is.Equal(r.Detail, "worker-0 fell silent and was killed: killed by signal 9: no beat for 10s")
}

func TestWhatNeverRanHasNothingToDrain(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(3, nil)), StartRequested{At: at(0)}, passed(1),
		WorkerLaunched{At: at(2), Worker: 0, Epoch: 1}, WorkerLaunched{At: at(2), Worker: 1, Epoch: 1}, WorkerLaunched{At: at(2), Worker: 2, Epoch: 1},
		WorkerPending{At: at(3), Worker: 1, Epoch: 1}, WorkerPending{At: at(3), Worker: 2, Epoch: 1},
		BeatSeen{At: at(4), Worker: 2, Epoch: 1, State: WorkerStarting}) // it runs now
	is.Equal(len(r.Outstanding()), 0) // it may start late
	r, cmds, err := r.Apply(StopRequested{At: at(5), Reason: UserRequested})
	is.NoErr(err)
	is.Equal(cmds, []Command{TerminateWorker{Worker: 1, Epoch: 1}}) // the others are asked by the control state
	is.Equal(r.Rung, Drain)
	r, cmds, err = r.Apply(WorkerPending{At: at(6), Worker: 0, Epoch: 1})
	is.NoErr(err)
	is.Equal(cmds, []Command{TerminateWorker{Worker: 0, Epoch: 1}}) // what is learned late serves as well
	r, cmds, err = r.Apply(WorkerPending{At: at(6), Worker: 2, Epoch: 1})
	is.NoErr(err)
	is.Equal(len(cmds), 0) // it has spoken: that was seen before
	for i := range 3 {
		r, _ = play(t, r, WorkerExited{At: at(7), Worker: i, Epoch: 1, Exit: Exit{Code: -1, Cause: "never started"}})
	}
	is.Equal(r.Phase, Processing)
	is.Equal(r.Certificate().HighestRung, Drain)
}

// Why a worker waits is told with the start that timed out, the newest reason, and
// nothing of one that runs by then.
func TestWhyWorkersWaitIsTold(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(2, nil)), StartRequested{At: at(0)}, passed(1),
		WorkerLaunched{At: at(2), Worker: 0, Epoch: 1}, WorkerLaunched{At: at(2), Worker: 1, Epoch: 1},
		WorkerPending{At: at(3), Worker: 0, Epoch: 1, Cause: "pending: no node"}, WorkerPending{At: at(3), Worker: 1, Epoch: 1, Cause: "pending: no node"},
		WorkerPending{At: at(4), Worker: 1, Epoch: 1, Cause: "pending: no image"},
		BeatSeen{At: at(5), Worker: 0, Epoch: 1, State: WorkerStarting})
	r, _ = play(t, r, Ticked{At: r.Deadline})
	is.Equal(r.Reason, StartTimeout)
	is.True(strings.HasSuffix(r.Detail, "worker-0 (launched); worker-1 (launched): pending: no image"))
}

func TestOwners(t *testing.T) {
	is := is.New(t)
	r, events := play(t, loaded(t, 1, nil), OwnerClaimed{At: at(11), Owner: "a", Until: at(16)})
	is.Equal(len(events), 0) // the first owner changes nothing
	is.Equal(r.OwnerEpoch, 1)
	_, _, err := r.Apply(OwnerClaimed{At: at(15), Owner: "b", Until: at(20)})
	is.True(errors.Is(err, ErrRefused)) // the lease lasts
	r, events = play(t, r, OwnerClaimed{At: at(16), Owner: "b", Until: at(21)})
	is.Equal(r.OwnerEpoch, 2)
	is.Equal(events[0].Type, EventOwnerChanged)
	_, _, err = r.Apply(OwnerRenewed{At: at(17), Owner: "a", Epoch: 1, Until: at(22)})
	is.True(errors.Is(err, ErrConflict)) // the fence
	r, _ = play(t, r, OwnerRenewed{At: at(17), Owner: "b", Epoch: 2, Until: at(22)})
	is.Equal(r.OwnerLeaseUntil, at(22))
	r, _ = play(t, r, OwnerRenewed{At: at(17), Owner: "b", Epoch: 2, Until: at(20)})
	is.Equal(r.OwnerLeaseUntil, at(22)) // a lease never shrinks
}

func TestStaleFactsAreCounted(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, loaded(t, 1, nil),
		BeatSeen{At: at(11), Worker: 0, Epoch: 2, State: WorkerDead}, WorkerExited{At: at(11), Worker: 7, Epoch: 1}, WorkerSilent{At: at(11), Worker: -1, Epoch: 1})
	is.Equal(r.Status, Running)
	is.Equal(r.StaleFacts, int64(3))
}

func TestTerminalRunRefusesRequestsThatWantMore(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, NewRun("r", explorePlan(1, nil)), StopRequested{At: at(0), Reason: UserRequested})
	is.Equal(r.Status, Cancelled)
	for _, ev := range []Event{StartRequested{At: at(1)}, OwnerClaimed{At: at(1), Owner: "a"}, OwnerRenewed{At: at(1), Owner: "a"}} {
		_, _, err := r.Apply(ev)
		is.True(errors.Is(err, ErrRefused))
	}
	_, _, err := r.Apply(StopRequested{At: at(1)})
	is.NoErr(err) // a stop is granted already
}

func TestRunSurvivesEncoding(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, loaded(t, 2, nil), StopRequested{At: at(11), Reason: UserRequested, By: "ann", Detail: "why"},
		BeatSeen{At: at(12), Worker: 0, Epoch: 1, State: WorkerCompleted, Acknowledged: 7, LastStart: at(11.02)})
	text, err := json.Marshal(r)
	is.NoErr(err)
	var back Run
	is.NoErr(json.Unmarshal(text, &back))
	is.Equal(fingerprint(&back), fingerprint(&r))
	is.Equal(back.Outstanding(), r.Outstanding()) // recovery: load, then execute what is owed
	again, err := json.Marshal(back)
	is.NoErr(err)
	is.Equal(string(again), string(text))
}

func TestHealthOf(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 4, nil)
	beats := make([]Beat, 4)
	for i, age := range []float64{1, 3.5, 10.5} {
		beats[i] = Beat{Count: 1, State: WorkerRunning, At: at(20 - age)}
	}
	list := HealthOf(r, beats, at(20), time.Second)
	is.Equal(list[0].Health, Healthy)
	is.Equal(list[1].Health, Stale)
	is.Equal(list[2].Health, Lost)
	is.Equal(list[3].Health, Health("")) // it has not spoken yet
	is.Equal(list[1].Age, 3500*time.Millisecond)
}
