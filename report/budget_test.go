package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// budgeted is a run that a budget has ended, with one bound that was passed.
func budgeted() report.Result {
	r := completed()
	budget := core.RunBudget{Operations: 2000, Rows: 500, Time: core.Duration(time.Minute), Credits: 0.5, CreditsPerHour: 30}
	parent := *r.Parent
	scenario := *parent.Scenario
	scenario.Budget = &budget
	scenario.Limits.Guardrails = &core.Guardrails{CPU: 80, Patience: core.Duration(10 * time.Second)}
	parent.Scenario = &scenario
	parent.Budget = &core.BudgetUse{RunBudget: budget, UsedOperations: 1998, UsedRows: 501, UsedSeconds: 30.5, UsedCredits: 0.2541666}
	r.Parent = &parent
	return r
}

func TestBudgetIsShown(t *testing.T) {
	is := is.New(t)
	var text strings.Builder
	is.NoErr(report.Text(&text, budgeted()))
	if want := `
budget                     used     of        share
operations                1,998  2,000       99.90%
rows                        501    500  100% PASSED
time                      30.5s  1m00s       50.83%
credits, at 30 per hour  0.2542    0.5       50.83%
`; !strings.Contains(text.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}

	var page bytes.Buffer
	is.NoErr(report.HTML(&page, budgeted()))
	for _, want := range []string{"Budget", "1,998", "at most 2000 operations, 500 rows, 1m0s, 0.5 credits at 30 per hour (1m0s)", "CPU 80 %, patience 10s"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}

	var document bytes.Buffer
	is.NoErr(report.JSON(&document, budgeted()))
	var d report.ResultDocument
	is.NoErr(json.Unmarshal(document.Bytes(), &d))
	is.Equal(*d.Budget, report.BudgetDocument{
		Operations: 2000, Rows: 500, Seconds: 60, Credits: 0.5, CreditsPerHour: 30,
		UsedOperations: 1998, UsedRows: 501, UsedSeconds: 30.5, UsedCredits: 0.2541666,
	})

	text.Reset()
	is.NoErr(report.Text(&text, completed()))
	is.True(!strings.Contains(text.String(), "budget"))
	document.Reset()
	is.NoErr(report.JSON(&document, completed()))
	is.True(!strings.Contains(document.String(), "budget")) // what has none is written as before
}
