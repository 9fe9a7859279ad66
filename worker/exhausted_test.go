package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// crowded lets every worker believe that it is one of a run of crowd times as many, whose
// inserting operations need room for that many keys: so each connection has few left.
type crowded struct {
	ports.RunStore
	crowd, keys int
}

func (c crowded) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	record, err := c.RunStore.Load(ctx, runID)
	s := &record.Scenario
	s.Load.Workers *= c.crowd
	s.Load.Connections *= c.crowd
	s.Load.Rate *= float64(c.crowd)
	s.Load.Operations *= int64(c.crowd)
	for i := range s.Operations {
		if op := &s.Operations[i]; op.Kind == core.Insert { // its statement uses the first one
			op.Parameters = append(slices.Clone(op.Parameters), slices.Repeat(op.Parameters[:1], c.keys-1)...)
		}
	}
	return record, err
}

// keyRoom leaves each connection of a fleet so many inserts, about.
func (f *fleet) keyRoom(inserts int) {
	const crowd = 1 << 14
	f.crowd = crowd * f.scenario.Load.Workers
	f.runs = crowded{RunStore: f.store, crowd: crowd, keys: int(core.InsertRange/2) / (crowd * f.scenario.Load.Connections * inserts)}
}

// Streams that have no key left to insert end the load of their worker before its time: the
// verdict says so, and how much of the load was missing. A run that operations bound
// ends with the last that there was a key for. With as many keys as are needed it is VALID.
func TestNoKeyIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		tmpl       core.Template
		operations int64 // that bound the run; 0: its time does
		room       int   // for inserts of each connection, of 400 that the closed loop makes and 200 of the open one
		causes     []core.Cause
	}{
		"closed loop":               {template(2, 2), 0, 256, []core.Cause{core.CauseCoverage, core.CauseKeys, core.CauseConnections}},
		"open loop":                 {openTemplate(2, 2, 400), 0, 128, []core.Cause{core.CauseMissedSchedule, core.CauseCoverage, core.CauseKeys, core.CauseConnections}},
		"closed loop of operations": {template(2, 2), 8000, 256, []core.Cause{core.CauseEndedEarly, core.CauseKeys}},
		"open loop of operations":   {openTemplate(2, 2, 400), 4000, 128, []core.Cause{core.CauseEndedEarly, core.CauseKeys}},
	} {
		for _, room := range []int{c.room, 2048} {
			t.Run(fmt.Sprintf("%s, room for %d", name, room), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					reason := core.Elapsed
					c.tmpl.Load.Duration = core.Duration(10 * time.Second)
					if c.operations > 0 {
						reason = core.OperationsDone
						c.tmpl.Load.Duration, c.tmpl.Load.Operations = 0, c.operations
					}
					f := newFleet(t, c.tmpl, 5*time.Millisecond)
					f.keyRoom(room)
					run := f.drive(nil)
					f.running.Wait()
					is.Equal(run.Reason, reason)
					parent, _ := f.summary(run)
					is.True(parent.Ledger.Balanced)
					if f.scenario.Load.OpenLoop() && c.operations == 0 { // what became of every arrival is told
						is.Equal(core.Total(parent.Kinds).Scheduled, uint64(len(due(f.scenario.Load, 10*time.Second))))
					}
					v := f.judged(run)
					t.Log(v)
					if room > 1000 {
						is.Equal(v, core.Verdict{Level: core.Valid})
						return
					}
					is.Equal(v.Level, core.Degraded)
					for _, cause := range c.causes {
						is.True(reasonOf(v, cause) != "")
					}
					is.True(strings.Contains(reasonOf(v, core.CauseKeys), "worker-0 ended 2 of its connections early, since no key was left to insert"))
				})
			})
		}
	}
}
