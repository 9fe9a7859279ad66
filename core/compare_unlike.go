package core

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Unlikeness is something that was not the same in two runs.
type Unlikeness struct {
	What  string `json:"what"`
	Base  string `json:"base"`
	Other string `json:"other"`
}

// unlike lists what was asked of two runs, and found around them, that may make
// their numbers differ. What always differs, such as keys to insert, is not in it.
func unlike(base, other *Rollup) (list []Unlikeness) {
	add := func(what, a, b string) {
		if a != b {
			a, b = excerpts(a, b)
			list = append(list, Unlikeness{what, a, b})
		}
	}
	if base.Scenario != nil && other.Scenario != nil {
		a, b := asked(base.Scenario), asked(other.Scenario)
		for i := range a {
			add(a[i].Name, a[i].Value, b[i].Value)
		}
		unlikeMix(base.Scenario.Operations, other.Scenario.Operations, add)
	}
	for _, f := range base.Environment {
		if f.Name == "orchestrator" { // a process, never the same
			continue
		}
		for _, g := range other.Environment {
			if f.Name == g.Name {
				add(f.Name, f.Value, g.Value)
			}
		}
	}
	return list
}

// The bounds of what an Unlikeness shows of two texts, in bytes: how much, and how much
// of it at most is before the first difference.
const (
	maxExcerpt  = 300
	excerptLead = 60
)

// excerpts are two texts that differ, cut where they are long to where they do.
func excerpts(a, b string) (string, string) {
	if len(a) <= maxExcerpt && len(b) <= maxExcerpt {
		return a, b
	}
	from := 0
	for from < min(len(a), len(b)) && a[from] == b[from] {
		from++
	}
	from = max(0, from-excerptLead)
	for from > 0 && !utf8.RuneStart(a[from]) { // within a letter
		from--
	}
	return excerpt(a, from), excerpt(b, from)
}

// excerpt is what stands in a text from a byte on; the text is as before up to there.
func excerpt(text string, from int) string {
	before, after, to := "", "", len(text)
	if from > 0 {
		before = "…"
	}
	if to-from > maxExcerpt {
		to, after = from+maxExcerpt, "…"
		for to > from+maxExcerpt-utf8.UTFMax && !utf8.RuneStart(text[to]) {
			to--
		}
	}
	return before + text[from:to] + after
}

// asked is what a scenario asks for, always the same facts in the same order.
func asked(s *Scenario) []Fact {
	load := &s.Load
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []Fact{
		{"template", s.Name}, {"launcher", s.Launcher}, {"target", s.Target.Kind}, {"endpoint", s.Target.Endpoint},
		{"host", s.Target.Host}, {"database", s.Target.Database}, {"user", s.Target.User},
		{"result cache", strconv.FormatBool(s.Target.ResultCache)},
		{"table", s.Table.Name}, {"table type", s.Table.Type}, {"layout", s.Table.Layout}, {"rows", whole(s.Table.Rows)},
		{"mode", load.Mode}, {"scaling", load.Scaling}, {"workers", strconv.Itoa(load.Workers)}, {"connections", strconv.Itoa(load.Connections)},
		{"warmup", load.Warmup.String()}, {"duration", load.Duration.String()}, {"cooldown", load.Cooldown.String()},
		{"operations", whole(load.Operations)}, {"think time", load.ThinkTime.String()}, {"seed", whole(load.Seed)},
		{"rate", strconv.FormatFloat(load.Rate, 'g', -1, 64)}, {"arrivals", load.Arrivals}, {"max lateness", load.MaxLateness.String()}, {"ramp", textOf(load.Ramp)}, {"search", textOf(load.Search)},
		{"objectives", objectivesText(s.SLOs)}, {"budget", s.Budget.String()}, {"guardrails", s.Limits.Guardrails.String()},
		{"sampling", strconv.FormatFloat(load.Sampling, 'g', -1, 64) + " %"}, {"statement timeout", s.Limits.StatementTimeout.String()},
	}
}

// textOf is a part as its scenario has it.
func textOf[T any](part *T) string {
	if part == nil {
		return "none"
	}
	text, err := json.Marshal(part)
	if err != nil { // a number that no template can have
		return err.Error()
	}
	return string(text)
}

func objectivesText(slos []SLO) string {
	var all []string
	for _, s := range slos {
		all = append(all, s.Text)
	}
	return strings.Join(all, "; ")
}

// unlikeMix compares the operations by kind: their weights and what they do.
func unlikeMix(base, other []Operation, add func(what, a, b string)) {
	find := func(list []Operation, kind string) *Operation {
		for i := range list {
			if list[i].Kind == kind {
				return &list[i]
			}
		}
		return nil
	}
	weight := func(o *Operation) string {
		if o == nil {
			return "none"
		}
		return strconv.FormatFloat(float64(o.Weight)/100, 'g', -1, 64) + " %"
	}
	for i := range base {
		a, b := &base[i], find(other, base[i].Kind)
		add("share of "+a.Kind, weight(a), weight(b))
		if b != nil {
			add("statements of "+a.Kind, statementsOf(a), statementsOf(b))
			add("parameters of "+a.Kind, parametersOf(a), parametersOf(b))
		}
	}
	for i := range other {
		if find(base, other[i].Kind) == nil {
			add("share of "+other[i].Kind, "none", weight(&other[i]))
		}
	}
}

func statementsOf(o *Operation) string {
	var all []string
	for _, s := range o.Statements {
		all = append(all, s.SQL)
	}
	text := strings.Join(all, "; ")
	if o.Transaction {
		text = "in a transaction: " + text
	}
	return text
}

// reservations say what to keep in mind with a comparison.
func reservations(sides []*side, others []RunComparison, known int) (list []string) {
	for _, s := range sides {
		r := s.result
		if r.Status != Completed {
			list = append(list, fmt.Sprintf("run %s is %s: it did not measure all that was asked", r.RunID, r.Status))
		}
		if r.Verdict.Level != Valid {
			text := fmt.Sprintf("the verdict on run %s is %s", r.RunID, r.Verdict.Level)
			if len(r.Verdict.Reasons) > 0 {
				text += ": " + strings.Join(r.Verdict.Reasons, "; ")
			}
			list = append(list, text)
		}
	}
	for _, o := range others {
		for _, u := range o.Unlike {
			if strings.HasPrefix(u.What, "share of ") || strings.HasPrefix(u.What, "statements of ") {
				list = append(list, fmt.Sprintf("run %s had another mix of operations: numbers of all kinds together are of different work", o.RunID))
				break
			}
		}
		for _, d := range o.Differences {
			if d.Drifts {
				list = append(list, fmt.Sprintf("the numbers of run %s or of the first one drift: those of one stretch of time depend on the stretch before, so that the intervals marked may be too narrow; longer runs would tell", o.RunID))
				break
			}
		}
	}
	if chance := math.Round(float64(known) * (1 - ComparisonConfidence)); chance >= 1 {
		list = append(list, fmt.Sprintf("of %d comparisons, about %.0f would show a difference by chance alone", known, chance))
	}
	return list
}

// parametersOf are the parameters of an operation as its scenario has them.
func parametersOf(o *Operation) string {
	text, err := json.Marshal(o.Parameters)
	if err != nil { // a value that no template can have
		return err.Error()
	}
	return string(text)
}
