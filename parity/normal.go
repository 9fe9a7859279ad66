// Package parity proves that a run is the same run whatever starts its workers:
// the same scenario and seed, bounded by operations, over one server, through
// every launcher, leave the same control events, the same operations and the
// same ledger. It holds no product code.
package parity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// Normal is the normal form of a run: what may not depend on its launcher. Ids
// and times are left out, and nothing else.
func Normal(events []core.ControlEvent, result core.Rollup) string {
	var text strings.Builder
	text.WriteString("events of the run, in sequence\n")
	var others []string
	for _, e := range events {
		line := strings.Join(slices.DeleteFunc([]string{
			string(e.Scope), string(e.Type), string(e.Phase), string(e.Reason), e.Rung, target(e),
		}, func(word string) bool { return word == "" }), " ")
		if e.Scope == core.ScopeRun {
			fmt.Fprintf(&text, "  %s\n", line)
		} else {
			others = append(others, line)
		}
	}
	text.WriteString("other events, in any order\n")
	slices.Sort(others)
	for i := 0; i < len(others); {
		n := i + 1
		for n < len(others) && others[n] == others[i] {
			n++
		}
		fmt.Fprintf(&text, "  %d × %s\n", n-i, others[i])
		i = n
	}
	fmt.Fprintf(&text, "status %s, reason %s\noperation hash %016x\n", result.Status, result.Reason, result.Hash)
	fmt.Fprintf(&text, "ledger %s\n", counts(result.Ledger.Counts))
	for i := range result.Kinds {
		fmt.Fprintf(&text, "  %s %s\n", result.Kinds[i].Kind, counts(result.Kinds[i].Counts))
	}
	return text.String()
}

func target(e core.ControlEvent) string {
	if e.Target == 0 {
		return ""
	}
	return fmt.Sprintf("%d connections", e.Target)
}

func counts(c core.Counts) string {
	return fmt.Sprintf("scheduled %d, started %d, ok %d, errors %d, aborted %d, lost %d, skipped %d, unserved %d",
		c.Scheduled, c.Started, c.OK, c.Errors, c.Aborted, c.Lost, c.Skipped, c.Unserved)
}
