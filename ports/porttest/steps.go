package porttest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func stepsOf(t testing.TB, store ports.ResultStore, run string) []core.ControllerStep {
	t.Helper()
	list, err := store.Steps(within(t), run)
	must(t, err, "Steps")
	return list
}

// sampleStep fills every field of a step; every third leaves out what could not be
// told.
func sampleStep(run, kind string, n int) core.ControllerStep {
	s := core.ControllerStep{
		RunID: run, Type: kind, Number: n, Workers: 3, FromConnections: 4 * n, ToConnections: 4*n + 4, Direction: "UP",
		Start: at(n), End: at(n + 1), Operations: int64(1000 * n), QPS: 1000.25 * float64(n),
		P50: 1234567, P95: 7654321, P99: 98765432, Errors: int64(n), QueueDetected: n%2 == 0, Outcome: odd, StopReason: fmt.Sprint(odd, n),
	}
	if n%3 > 0 {
		target, prior, base, off := 1000*float64(n), 0.125*float64(n), -0.5, 0.0
		s.TargetQPS, s.QPSVsPrior, s.P95VsBaseline, s.QPSErrorPercent = &target, &prior, &base, &off
	}
	return s
}

func stepsOrder(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	create(t, one, "run-2")
	wantSame(t, stepsOf(t, one, "run-1"), nil, "the steps of a new run")
	must(t, one.AppendSteps(within(t), nil), "AppendSteps of nothing")
	var all []core.ControllerStep
	for _, kind := range []string{core.StepFindMax, core.StepQPSScaling} {
		for n := range 12 { // 10 comes behind 9
			all = append(all, sampleStep("run-1", kind, n+1))
		}
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	must(t, one.AppendSteps(within(t), backwards), "AppendSteps")
	must(t, one.AppendSteps(within(t), []core.ControllerStep{sampleStep("run-2", core.StepFindMax, 1)}), "AppendSteps")
	wantSame(t, stepsOf(t, two, "run-1"), all, "the steps")
	wantSame(t, stepsOf(t, two, "run-2"), []core.ControllerStep{sampleStep("run-2", core.StepFindMax, 1)}, "the steps of the other run")
	wantSame(t, stepsOf(t, two, "run-3"), nil, "the steps of a run that is not there")
}

// stepsOnce: an owner that took over may append what its predecessor did.
func stepsOnce(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	first := sampleStep("run-1", core.StepFindMax, 1)
	must(t, store.AppendSteps(within(t), []core.ControllerStep{first}), "AppendSteps")
	again := first
	again.QPS, again.StopReason = 1, "another"
	next := sampleStep("run-1", core.StepFindMax, 2)
	must(t, store.AppendSteps(within(t), []core.ControllerStep{again, next, next}), "AppendSteps that overlap")
	wantSame(t, stepsOf(t, store, "run-1"), []core.ControllerStep{first, next}, "the steps")
	wantCode(t, store.AppendSteps(within(t), []core.ControllerStep{sampleStep("run-9", core.StepFindMax, 1)}), core.NotFound, "AppendSteps of an unknown run")
}
