package gateway

import (
	"slices"

	"github.com/benchfleet/benchfleet/core"
)

// cloneBeat is a copy that shares nothing with b. It costs a fraction of a way
// through JSON. Merged into nothing, metrics are a copy of themselves.
func cloneBeat(b core.Beat) core.Beat {
	b.Sessions = slices.Clone(b.Sessions)
	b.Report.Lines = slices.Clone(b.Report.Lines)
	b.Report.Overhead, b.Report.Strain = b.Report.Overhead.Clone(), b.Report.Strain.Clone()
	b.Report.Phases = slices.Clone(b.Report.Phases)
	for i := range b.Report.Phases {
		b.Report.Phases[i].Kinds = core.MergeKinds(nil, b.Report.Phases[i].Kinds)
	}
	b.Report.Intervals = slices.Clone(b.Report.Intervals)
	for i := range b.Report.Intervals {
		b.Report.Intervals[i].Kinds = core.MergeKinds(nil, b.Report.Intervals[i].Kinds)
	}
	return b
}
