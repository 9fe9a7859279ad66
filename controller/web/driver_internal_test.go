package web

import (
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// TestDriver: a page says when nobody drives its run, and not in the moment that it
// takes somebody to begin.
func TestDriver(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	for _, test := range []struct {
		name  string
		state client.RunState
		want  string
	}{
		{"prepared", client.RunState{Status: core.Prepared}, ""},
		{"just started", client.RunState{Status: core.Prepared, StartedAt: ago(time.Second)}, ""},
		{"not taken up", client.RunState{Status: core.Prepared, StartedAt: ago(4 * time.Second)}, waitsText},
		{"driven", client.RunState{Status: core.Running, StartedAt: ago(time.Minute), Owner: "here", OwnerAlive: true}, ""},
		{"left alone", client.RunState{Status: core.Running, StartedAt: ago(time.Minute), Owner: "here"}, leftText},
		{"over", client.RunState{Status: core.Failed, StartedAt: ago(time.Minute), EndedAt: ago(0)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			test.state.Now = now
			is.Equal(driverOf(test.state), test.want)
			pages, err := (&site{assets: loadAssets()}).parse()
			is.NoErr(err)
			var b strings.Builder
			body := livePage{Frame: client.Frame{Run: test.state}, Driver: driverOf(test.state)}
			is.NoErr(pages["live"].ExecuteTemplate(&b, "page", frame{Body: body}))
			shown := !strings.Contains(b.String(), `<p id="driver" class="banner doubtful" role="status" hidden>`)
			is.Equal(shown, test.want != "")
			is.True(strings.Contains(b.String(), `data-waits="No orchestrator`)) // what the script says later
		})
	}
}

// TestStopHarder: who looks at a run that is being stopped is offered more than that
// from the first moment.
func TestStopHarder(t *testing.T) {
	is := is.New(t)
	pages, err := (&site{assets: loadAssets()}).parse()
	is.NoErr(err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, state := range []client.RunState{{Status: core.Running}, {Status: core.Cancelling, StopAt: &at}} {
		var b strings.Builder
		is.NoErr(pages["live"].ExecuteTemplate(&b, "page", frame{Caller: controller.Caller{Role: controller.Operator}, Body: livePage{Frame: client.Frame{Run: state}}}))
		is.Equal(strings.Contains(b.String(), ">Stop harder</a>"), state.StopAt != nil)
	}
}
