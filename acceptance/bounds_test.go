//go:build unix

package acceptance

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// bounded is what a result says of its budget.
type bounded struct {
	Budget struct {
		Operations     int64 `json:"operations"`
		UsedOperations int64 `json:"used_operations"`
		UsedRows       int64 `json:"used_rows"`
		Seconds        float64
		UsedSeconds    float64 `json:"used_seconds"`
	}
	Detail string
}

func (o outcome) bounded(t *testing.T) (b bounded) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.stdout), &b); err != nil {
		t.Fatalf("%v: %v", err, o)
	}
	return b
}

// TestAcceptanceBudgetOfOperations: real workers insert at full speed, and the table
// itself tells that they have never started more than the budget lets them.
func TestAcceptanceBudgetOfOperations(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	s.must("template", "import", s.templates("bounds.yaml"))
	before := s.rows()
	o := s.do("run", "inserts", "--output", "json")
	is.Equal(o.code, 3)
	d, b := o.result(t), o.bounded(t)
	is.Equal(d.Status, "CANCELLED")
	is.Equal(d.Reason, "BUDGET")
	is.True(strings.HasPrefix(b.Detail, "the budget of 1500 operations is used up: worker-"))
	is.Equal(b.Budget.Operations, int64(1500))
	is.True(b.Budget.UsedOperations <= 1500)
	is.True(b.Budget.UsedOperations >= 500)
	is.True(d.Ledger.Balanced)
	inserted := s.rows() - before
	is.True(inserted <= b.Budget.UsedOperations)
	is.True(inserted == b.Budget.UsedOperations || d.Total.Errors > 0) // one that failed inserted nothing
	is.Equal(b.Budget.UsedRows, inserted)

	refused := s.do("run", "inserts", "--operations", "1501")
	is.Equal(refused.code, 2)
	is.True(strings.Contains(refused.stderr, "budget.operations is 1500, but load.operations is 1501"))
}

// TestAcceptanceBudgetOfTime: statements of a second are cancelled in time.
func TestAcceptanceBudgetOfTime(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	limit, late := 4*time.Second, 0*time.Second
	if *storeFlag == "snowflake" { // where a worker reads its control state once a second
		limit = 12 * time.Second
	}
	if s.kind == "snowflake" { // and a statement ends some time after it was cancelled
		late = 3 * time.Second
	}
	o := s.do("run", "slow", "--output", "json", "--set", "load.duration=0s", "--set", "load.operations=1000000", "--set", "budget.time="+limit.String())
	is.Equal(o.code, 3)
	d, b := o.result(t), o.bounded(t)
	is.Equal(d.Reason, "BUDGET")
	is.True(b.Budget.UsedSeconds > 0)
	is.True(b.Budget.UsedSeconds <= (limit + late).Seconds())

	refused := s.do("run", "slow", "--set", "budget.time=2s")
	is.Equal(refused.code, 2)
	is.True(strings.Contains(refused.stderr, "budget.time is 2s; allowed: at least "))
}

// TestAcceptanceGuardrails: workers that make all the load they can use more of
// their CPU, and of their memory, than they are allowed; the run says so step by
// step, and fails.
func TestAcceptanceGuardrails(t *testing.T) {
	if *launcherFlag != "local" {
		needs(t, launcherFlag, "docker", "the others have no limits of their own")
	}
	for name, what := range map[string]string{"cpu": "of its CPU (the guardrail is ", "memory": "of its memory (the guardrail is "} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := newSite(t)
			limit := "0.01"
			if name == "cpu" && s.kind == "sqlite" {
				limit = "2" // the workers are the database, too
			}
			o := s.do("run", "short", "--output", "json", "--warmup", "0s", "--duration", "30s", "--set", "load.think_time=0s",
				"--connections", "8", "--set", "limits.guardrails.patience=5s", "--set", "limits.guardrails."+name+"="+limit)
			is.Equal(o.code, 5)
			d := o.result(t)
			is.Equal(d.Status, "FAILED")
			is.Equal(d.Reason, "GUARDRAIL")
			is.Equal(d.Verdict.Level, "DEGRADED")
			is.True(strings.HasPrefix(o.bounded(t).Detail, "every worker has used more than its guardrails for "))
			is.True(strings.Contains(o.stdout, "worker-2 used "))
			is.True(strings.Contains(o.stdout, what))

			events := s.must("events", d.RunID).stdout
			off := strings.Index(events, "it keeps 4 connections instead of 8")
			weak := strings.Index(events, "it is too weak for this load")
			all := strings.Index(events, "every worker has used more than its guardrails for ")
			is.True(0 < off && off < weak && weak < all)
			is.True(strings.Contains(events, "SET_WORKER_TARGET"))
		})
	}
}
