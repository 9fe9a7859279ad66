package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// scenarioBlocks are everything that the run was asked to do.
func scenarioBlocks(s *core.Scenario) []block {
	if s == nil {
		return nil
	}
	load, limits := &s.Load, &s.Limits
	positive := func(n int64) string {
		if n <= 0 {
			return ""
		}
		return Count(n)
	}
	length := func(d core.Duration) string {
		if d <= 0 {
			return ""
		}
		return Span(d.Std())
	}
	var tags []string
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, Clean(name)+"="+Clean(s.Tags[name]))
	}
	what := factsBlock(
		core.Fact{Name: "template", Value: templateText(s)},
		core.Fact{Name: "tags", Value: strings.Join(tags, ", ")},
		core.Fact{Name: "launcher", Value: Clean(s.Launcher)},
		core.Fact{Name: "target", Value: Clean(s.Target.Kind)},
		core.Fact{Name: "endpoint", Value: Clean(s.Target.Endpoint)},
		core.Fact{Name: "host", Value: Clean(s.Target.Host)},
		core.Fact{Name: "database", Value: Clean(s.Target.Database)},
		core.Fact{Name: "user", Value: Clean(s.Target.User)},
		core.Fact{Name: "table", Value: strings.TrimSpace(Clean(s.Table.Name) + " " + Clean(s.Table.Type))},
		core.Fact{Name: "rows", Value: Count(s.Table.Rows)},
		core.Fact{Name: "result cache", Value: onlyIf(s.Target.ResultCache, "allowed")},
		core.Fact{Name: "mode", Value: Clean(load.Mode)},
		core.Fact{Name: "workers", Value: fmt.Sprintf("%s (%s)", Count(load.Workers), Clean(load.Scaling))},
		core.Fact{Name: "connections", Value: Count(load.Connections) + " over all workers"},
		core.Fact{Name: "rate", Value: offered(load)},
		core.Fact{Name: "skipped when later than", Value: length(load.MaxLateness)},
		core.Fact{Name: "ramp", Value: ramp(load)},
		core.Fact{Name: "search", Value: searchedFor(load)},
		core.Fact{Name: "warmup", Value: Span(load.Warmup.Std())},
		core.Fact{Name: "duration", Value: length(load.Duration)},
		core.Fact{Name: "cooldown", Value: Span(load.Cooldown.Std())},
		core.Fact{Name: "operations", Value: positive(load.Operations)},
		core.Fact{Name: "think time", Value: length(load.ThinkTime)},
		core.Fact{Name: "seed", Value: strconv.FormatInt(load.Seed, 10)},
		core.Fact{Name: "stored one by one", Value: strconv.FormatFloat(load.Sampling, 'g', 4, 64) + "% of operations"},
		core.Fact{Name: "null lane", Value: onlyIf(load.NoNullLane, "off")},
		core.Fact{Name: "interval", Value: length(load.Interval)},
		core.Fact{Name: "insert keys from", Value: positive(s.InsertBase)},
		core.Fact{Name: "statement timeout", Value: length(limits.StatementTimeout)},
		core.Fact{Name: "drain timeout", Value: length(limits.DrainTimeout)},
		core.Fact{Name: "on loss of a worker", Value: Clean(string(limits.OnLoss))},
		core.Fact{Name: "guardrails", Value: Clean(limits.Guardrails.String())},
		core.Fact{Name: "budget", Value: Clean(s.Budget.String())},
	)
	return []block{what, tableBlock(mixTable(s.Operations))}
}

// templateText names the template; its id tells it from others that had the name.
func templateText(s *core.Scenario) string {
	text := Clean(s.Name)
	if s.TemplateID != "" {
		text = strings.TrimSpace(text + " (" + Clean(s.TemplateID) + ")")
	}
	return text
}

// offered is the rate of an open loop.
func offered(load *core.ScenarioLoad) string {
	if !load.OpenLoop() {
		return ""
	}
	return Rate(load.Rate) + "/s, " + Clean(load.Arrivals)
}

// ramp is how the load changes, in words.
func ramp(load *core.ScenarioLoad) string {
	r := load.Ramp
	if r == nil {
		return ""
	}
	lowest, highest, unit := Count(int64(r.From)), Count(load.Connections), " connections"
	if load.OpenLoop() {
		lowest, highest, unit = Rate(r.From), Rate(load.Rate), "/s"
	}
	text := fmt.Sprintf("%s, %s to %s%s", Clean(r.Shape), lowest, highest, unit)
	if r.Steps > 0 {
		text += " in " + plural(r.Steps, "step")
	}
	if r.At > 0 {
		text += " at " + Span(r.At.Std())
	}
	if r.Over > 0 {
		text += " over " + Span(r.Over.Std())
	}
	if r.Period > 0 {
		text += " each " + Span(r.Period.Std())
	}
	return text
}

// searchedFor is how the most load is searched for, in words.
func searchedFor(load *core.ScenarioLoad) string {
	s := load.Search
	if s == nil {
		return ""
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	return fmt.Sprintf("from %s on, times %s, to within %s%%; windows of %s, settled for %s",
		number(s.Start), number(s.Growth), number(s.Resolution), Span(s.Window.Std()), Span(s.Settle.Std()))
}

func onlyIf(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

// mixTable is the mix with its SQL.
func mixTable(operations []core.Operation) table {
	t := table{head: []string{"operation", "weight", "access", "parameters", "statements"}, right: "lrlll", shrink: 4}
	for _, op := range operations {
		for i, s := range op.Statements {
			sql := Clean(s.SQL)
			if i > 0 {
				t.add("", "", "", "", sql)
				continue
			}
			access := Clean(op.Access)
			if op.Transaction {
				access += ", one transaction"
			}
			t.add(Clean(op.Kind), strconv.FormatFloat(float64(op.Weight)/100, 'f', -1, 64)+"%", access, parametersText(op.Parameters), sql)
		}
	}
	return t
}

// parametersText is what the placeholders of an operation are filled with.
func parametersText(list []core.Parameter) string {
	var texts []string
	for _, p := range list {
		text := Clean(string(p.Type))
		if p.Distribution != "" {
			text += " " + Clean(string(p.Distribution))
		}
		if p.Name != "" {
			text = Clean(p.Name) + ": " + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
