package web

import (
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// TestWorkerCard: a worker that fell silent shows no rates, since they are old; one
// that has ended does not look ready.
func TestWorkerCard(t *testing.T) {
	pages, err := (&site{assets: loadAssets()}).parse()
	is.New(t).NoErr(err)
	card := func(w client.Worker) string {
		var b strings.Builder
		w.ID, w.Throughput, w.P95, w.CPU = "worker-0", 123, 7, 42
		is.New(t).NoErr(pages["live"].ExecuteTemplate(&b, "worker", w))
		return b.String()
	}
	for _, test := range []struct {
		name   string
		worker client.Worker
		says   string
		rates  bool
	}{
		{"healthy", client.Worker{Health: core.Healthy, State: core.WorkerRunning, Age: 0.6}, ">HEALTHY · 1 s ago<", true},
		{"stale", client.Worker{Health: core.Stale, State: core.WorkerRunning, Age: 4}, ">STALE · 4 s ago<", false},
		{"lost", client.Worker{Health: core.Lost, State: core.WorkerRunning, Age: 12}, ">LOST · 12 s ago<", false},
		{"completed", client.Worker{State: core.WorkerCompleted, Life: "READY"}, ">COMPLETED<", true},
		{"planned", client.Worker{Life: "PLANNED"}, ">PLANNED<", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			text := card(test.worker)
			is.True(strings.Contains(text, test.says))
			is.Equal(strings.Contains(text, "<dd>42%</dd>"), test.rates)
		})
	}
}
