package controller

import (
	"slices"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

// maxFrameKinds bounds the kinds of an interval in a frame, so that a frame stays
// small however many a template has. All of them are in the interval's own numbers,
// and each is in what list-snapshots reads.
const maxFrameKinds = 4

// slim leaves out of an interval what nobody watches of it: of many kinds, those that
// had the fewest operations.
func slim(i client.Interval) client.Interval {
	i.Kinds = slices.Clone(i.Kinds)
	for len(i.Kinds) > maxFrameKinds {
		least := 0
		for k := range i.Kinds {
			if i.Kinds[k].OK+i.Kinds[k].Errors <= i.Kinds[least].OK+i.Kinds[least].Errors {
				least = k
			}
		}
		i.Kinds = slices.Delete(i.Kinds, least, least+1)
	}
	for k := range i.Kinds {
		l := &i.Kinds[k].Latency
		l.Avg, l.P90, l.P999, l.Max = 0, 0, 0, 0
	}
	return i
}

// slimWorker leaves out of a worker what is as usual, and the ends of long texts.
func slimWorker(w *client.Worker) {
	if w.Life == string(core.Ready) {
		w.Life = ""
	}
	if w.Target == w.Connections {
		w.Target = 0
	}
	w.Memory = 0
	w.LastError, w.Ending = cutText(w.LastError, maxFrameText), cutText(w.Ending, maxFrameText)
	if w.Ending != "" {
		w.LastError = ""
	}
}
