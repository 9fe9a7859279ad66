package report

import (
	"strconv"

	"github.com/benchfleet/benchfleet/core"
)

// BudgetDocument is what the run could use up at most, and what it used: from START
// on, over all phases. 0 bounds nothing.
type BudgetDocument struct {
	Operations     int64   `json:"operations"`
	Rows           int64   `json:"rows"`
	Seconds        float64 `json:"time_seconds"`
	Credits        float64 `json:"credits"`
	CreditsPerHour float64 `json:"credits_per_hour"`

	UsedOperations uint64  `json:"used_operations"`
	UsedRows       uint64  `json:"used_rows"`
	UsedSeconds    float64 `json:"used_seconds"` // until no operation was in flight
	UsedCredits    float64 `json:"used_credits"`
}

func budgetDocument(b *core.BudgetUse) *BudgetDocument {
	if b == nil {
		return nil
	}
	return &BudgetDocument{
		Operations: b.Operations, Rows: b.Rows, Seconds: b.Time.Std().Seconds(), Credits: b.Credits, CreditsPerHour: b.CreditsPerHour,
		UsedOperations: b.UsedOperations, UsedRows: b.UsedRows, UsedSeconds: b.UsedSeconds, UsedCredits: b.UsedCredits,
	}
}

// budgetTable is what of the budget was used, each bound of it in a row.
func budgetTable(b *core.BudgetUse) table {
	t := table{head: []string{"budget", "used", "of", "share"}, right: "lrrr", minimum: 10}
	if b == nil {
		return t
	}
	row := func(name, used, of string, share float64) {
		text := percent(share)
		if share > 1 {
			text += " PASSED"
		}
		t.add(name, used, of, text)
		if share > 1 {
			t.tint(3, bad)
		}
	}
	if b.Operations > 0 {
		row("operations", Count(b.UsedOperations), Count(b.Operations), float64(b.UsedOperations)/float64(b.Operations))
	}
	if b.Rows > 0 {
		row("rows", Count(b.UsedRows), Count(b.Rows), float64(b.UsedRows)/float64(b.Rows))
	}
	if b.Time > 0 {
		row("time", Span(seconds(b.UsedSeconds)), Span(b.Time.Std()), b.UsedSeconds/b.Time.Std().Seconds())
	}
	if b.Credits > 0 {
		credits := func(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }
		row("credits, at "+credits(b.CreditsPerHour)+" per hour", credits(b.UsedCredits), credits(b.Credits), b.UsedCredits/b.Credits)
	}
	return t
}
