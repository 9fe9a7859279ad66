package cli

import (
	"github.com/spf13/pflag"

	"github.com/benchfleet/benchfleet/core"
)

const findMaxFlag = "find-max"

func addFindMax(flags *pflag.FlagSet) {
	flags.String(findMaxFlag, "", "search for the most `WHAT` that the target bears within the template's objectives: connections, or rate (with --rate, the ceiling); "+
		"--duration is the time limit, 10m without it; load.mode")
}

// findMax is what --find-max changes in a template, as --set has it; nothing when it
// is not given. It stands behind what --rate changes, and before what others do.
func findMax(flags *pflag.FlagSet) ([]string, error) {
	if !flags.Changed(findMaxFlag) {
		return nil, nil
	}
	set := []string{"load.operations=0", "load.cooldown=0s", "load.duration=0s"}
	switch what := flags.Lookup(findMaxFlag).Value.String(); what {
	case "connections":
		return append(set, "load.mode="+core.ModeFindConcurrency), nil
	case "rate":
		return append(set, "load.mode="+core.ModeFindQPS, "load.think_time=0s"), nil
	default:
		return nil, usage("--%s is %q; allowed: connections, rate", findMaxFlag, what)
	}
}
