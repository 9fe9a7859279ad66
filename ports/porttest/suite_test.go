package porttest_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// harness opens memory stores behind a decorator.
func harness(decorate func(ports.Store) ports.Store) porttest.StoreHarness {
	var mu sync.Mutex
	below := map[ports.Store]*memory.Store{}
	wrap := func(store *memory.Store) ports.Store {
		box := &struct{ ports.Store }{decorate(store)} // comparable, whatever the decorator is
		mu.Lock()
		defer mu.Unlock()
		below[box] = store
		return box
	}
	return porttest.StoreHarness{
		Open: func(testing.TB) ports.Store { return wrap(memory.NewStore(memory.Options{})) },
		Reopen: func(_ testing.TB, store ports.Store) ports.Store {
			mu.Lock()
			first := below[store]
			mu.Unlock()
			return wrap(first.Reopen())
		},
	}
}

// A suite that finds faults everywhere would be as useless as one that finds
// none.
func TestStoreSuitePassesWhatWorks(t *testing.T) {
	is := is.New(t)
	is.Equal(porttest.StoreSuite().Failing(t, harness(func(s ports.Store) ports.Store { return s })), nil)
}

// A mutant is a store that breaks one promise, and the case that must notice.
type mutant struct {
	noticed  string
	decorate func(ports.Store) ports.Store
}

type store = ports.Store

func injected(t *testing.T, rule fault.Rule) func(store) store {
	t.Helper()
	in, err := fault.New(1, rule)
	if err != nil {
		t.Fatal(err)
	}
	return in.Store
}

func brokenCommits(t *testing.T) map[string]mutant {
	records := func() (*sync.Mutex, map[string]ports.RunRecord) { return new(sync.Mutex), map[string]ports.RunRecord{} }
	return map[string]mutant{
		"Commit lets both of two win":          {"Commit races and one wins each position", func(s store) store { return blindCommit{s} }},
		"Commit tells losers that they won":    {"Commit with another version is Conflict", func(s store) store { return politeCommit{s} }},
		"Commit returns the old version":       {"Commit keeps every state of a life", func(s store) store { return stuckVersion{s} }},
		"Commit has an error without a code":   {"unknown runs are NotFound", func(s store) store { return ownError{s} }},
		"Commit does not look at its context":  {"ended contexts change nothing", func(s store) store { return deaf{s} }},
		"the reply to a Commit is lost":        {"Commit keeps every state of a life", injected(t, fault.Rule{On: "RunStore.Commit", Fault: fault.FailAfter, Probability: 0.2})},
		"Commit is sent twice":                 {"", injected(t, fault.Rule{On: "RunStore.Commit", Fault: fault.Duplicate, Probability: 1})},
		"a Commit is refused for no reason":    {"Commit races and one wins each position", injected(t, fault.Rule{On: "RunStore.Commit", Fault: fault.Conflict, Probability: 1})},
		"the newest event is missing":          {"Commit shows state and events together", func(s store) store { return lastEventMissing{s} }},
		"Events do not know after":             {"Events come in pages", func(s store) store { return eventsFromStart{s} }},
		"Events come backwards":                {"Commit keeps every state of a life", func(s store) store { return unorderedEvents{s} }},
		"Load is stale on another handle":      {"a second handle reads what was written", func(s store) store { mu, seen := records(); return staleLoad{s, mu, seen} }},
		"Load hands out the same record twice": {"runs alias nothing", func(s store) store { mu, seen := records(); return sharedLoad{s, mu, seen} }},
	}
}

func brokenRuns() map[string]mutant {
	return map[string]mutant{
		"Create overwrites":             {"Create races and one wins", func(s store) store { return overwritingCreate{s} }},
		"all runs insert the same keys": {"insert ranges are disjoint", func(s store) store { return oneRange{s} }},
		"List does not filter": {"List filters, orders and pages", func(s store) store {
			return listOf{Store: s, filter: func(f *ports.RunFilter) { f.Status = nil }}
		}},
		"List does not page": {"List filters, orders and pages", func(s store) store {
			return listOf{Store: s, filter: func(f *ports.RunFilter) { f.Before = "" }}
		}},
		"List has no limit of its own": {"List shows at most 100 unless told", func(s store) store {
			return listOf{Store: s, filter: func(f *ports.RunFilter) { f.Limit = max(f.Limit, 1000) }}
		}},
		"List is oldest first": {"List filters, orders and pages", func(s store) store { return listOf{Store: s, list: slices.Reverse[[]ports.RunSummary]} }},
		"every owner lives": {"List knows whether the owner lives", func(s store) store {
			return listOf{Store: s, list: func(list []ports.RunSummary) {
				for i := range list {
					list[i].OwnerAlive = list[i].Owner != ""
				}
			}}
		}},
		"List never shows checks": {"List knows which runs are to be checked", func(s store) store {
			return listOf{Store: s, list: func(list []ports.RunSummary) {
				for i := range list {
					list[i].CheckAt = time.Time{}
				}
			}}
		}},
		"a stop request erases the progress": {"List summarises", func(s store) store { return zeroProgress{s} }},
		"Delete takes what still runs":       {"Delete is for terminal runs", func(s store) store { return eagerDelete{s} }},
		"Delete leaves the logs":             {"Delete removes everything", func(s store) store { return &immortalLogs{Store: s} }},
	}
}

func brokenBeats() map[string]mutant {
	return map[string]mutant{
		"Beats hold no report though it is new": {"Beats leave out known reports", func(s store) store {
			return beatStore{Store: s, beats: func(list []core.Beat) {
				for i := range list {
					list[i].Report = core.Report{}
				}
			}}
		}},
		"Beats hold reports that are known": {"Beats leave out known reports", func(s store) store {
			return beatStore{Store: s, known: func(map[string]int64) map[string]int64 { return nil }}
		}},
		"Beats come in order of ids": {"Beats come by worker index", func(s store) store {
			return beatStore{Store: s, beats: func(list []core.Beat) {
				slices.SortFunc(list, func(a, b core.Beat) int { return compare(a.Key.WorkerID, b.Key.WorkerID) })
			}}
		}},
		"a refused batch of beats stores some": {"beats are stored all or none", func(s store) store {
			return beatStore{Store: s, beat: func(ctx context.Context, s ports.Store, b core.Beat) error { return s.Beat(ctx, b) }}
		}},
		"Beat accepts an old epoch":    {"old beats are dropped", func(s store) store { return beatStore{Store: s, beat: anyEpoch} }},
		"Beat accepts a smaller count": {"old beats are dropped", func(s store) store { return beatStore{Store: s, beat: anyCount} }},
		"Beat of an unknown run passes": {"old beats are dropped", func(s store) store {
			return beatStore{Store: s, beat: func(ctx context.Context, s ports.Store, b core.Beat) error {
				if err := s.Beat(ctx, b); core.CodeOf(err) != core.NotFound {
					return err
				}
				return nil
			}}
		}},
		"beats keep the worker's time": {"Beat then Beats", func(s store) store {
			return beatStore{Store: s, beats: func(list []core.Beat) {
				for i := range list {
					list[i].At = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				}
			}}
		}},
		"Control forgets when a phase begins": {"Control is what ControlOf says", func(s store) store {
			return beatStore{Store: s, control: func(c *core.Control, err error) error {
				c.PhaseAt = time.Time{}
				return err
			}}
		}},
		"Control forgets how much is asked for": {"Control is what ControlOf says", func(s store) store {
			return beatStore{Store: s, control: func(c *core.Control, err error) error {
				c.Aim = core.Aim{}
				return err
			}}
		}},
		"Control of an unknown worker passes": {"Control of what is not there is NotFound", func(s store) store {
			return beatStore{Store: s, control: func(*core.Control, error) error { return nil }}
		}},
	}
}

func brokenResults() map[string]mutant {
	var shared sync.Mutex
	more := map[string][]ports.WorkerInterval{}
	return map[string]mutant{
		"snapshots double": {"of worker intervals the first stays", func(s store) store { return doubledSnapshots{s, &shared, more} }},
		"the first aggregate stays": {"of aggregates the last stays", func(s store) store {
			return resultStore{Store: s, append: func(ctx context.Context, s ports.Store, w []ports.WorkerInterval, a []ports.RunInterval) error {
				a = slices.DeleteFunc(slices.Clone(a), func(a ports.RunInterval) bool {
					there, _ := s.Aggregates(ctx, a.RunID, -1, 0)
					return slices.ContainsFunc(there, func(b ports.RunInterval) bool { return a.Offset == b.Offset && a.Phase == b.Phase })
				})
				return s.AppendSnapshots(ctx, w, a)
			}}
		}},
		"aggregates have no limit": {"aggregates come in pages of a size", func(s store) store { return unlimited{s} }},
		"aggregates of one offset are one": {"of aggregates the last stays", func(s store) store {
			return resultStore{Store: s, aggregates: func(list []ports.RunInterval) []ports.RunInterval {
				return slices.CompactFunc(list, func(a, b ports.RunInterval) bool { return a.Offset == b.Offset })
			}}
		}},
		"totals round their latencies":       brokenTotals(func(x *ports.IntervalTotal) { x.Latency.P95 = x.Latency.P95.Round(time.Microsecond) }),
		"totals forget the slowest":          brokenTotals(func(x *ports.IntervalTotal) { x.Latency.Max = x.Latency.P99 }),
		"totals take what was aborted as OK": brokenTotals(func(x *ports.IntervalTotal) { x.OK = x.Done - x.Errors }),
		"totals lose one operation":          brokenTotals(func(x *ports.IntervalTotal) { x.OK -= x.OK / 100_000_000 }),
		"totals have no errors":              brokenTotals(func(x *ports.IntervalTotal) { x.Errors = 0 }),
		"totals have no classes of errors":   brokenTotals(func(x *ports.IntervalTotal) { x.Failures = nil }),
		"totals never have kinds":            brokenTotals(func(x *ports.IntervalTotal) { x.Kinds = nil }),
		"totals always have kinds":           {totalsCase, func(s store) store { return fullTotals{s} }},
		"totals of one offset are one": {totalsCase, func(s store) store {
			return resultStore{Store: s, totals: func(list []ports.IntervalTotal) []ports.IntervalTotal {
				return slices.CompactFunc(list, func(a, b ports.IntervalTotal) bool { return a.Offset == b.Offset })
			}}
		}},
		"totals of one offset come backwards": {"totals come in the pages of the aggregates", func(s store) store {
			return resultStore{Store: s, totals: func(list []ports.IntervalTotal) []ports.IntervalTotal {
				slices.Reverse(list)
				slices.SortStableFunc(list, func(a, b ports.IntervalTotal) int { return cmp.Compare(a.Offset, b.Offset) })
				return list
			}}
		}},
		"steps know no unknown numbers": {"steps are ordered and whole", func(s store) store {
			return stepStore{s, func(list []core.ControllerStep) {
				for i := range list {
					if list[i].TargetQPS == nil {
						list[i].TargetQPS = new(float64)
					}
				}
			}}
		}},
		"step 10 comes before step 2": {"steps are ordered and whole", func(s store) store {
			return stepStore{s, func(list []core.ControllerStep) {
				slices.SortFunc(list, func(a, b core.ControllerStep) int {
					return cmp.Compare(fmt.Sprint(a.Type, a.Number), fmt.Sprint(b.Type, b.Number))
				})
			}}
		}},
		"snapshots lose a histogram": {"of worker intervals the first stays", func(s store) store {
			return resultStore{Store: s, workers: func(list []ports.WorkerInterval) []ports.WorkerInterval {
				for i := range list {
					list[i].Interval.Kinds[0].Response = nil
				}
				return list
			}}
		}},
		"a rollup loses microseconds": {"the rollup is read back as it was", func(s store) store {
			return resultStore{Store: s, rollup: func(parent *core.Rollup, children []core.Rollup) []core.Rollup {
				parent.Start = parent.Start.Truncate(time.Millisecond)
				return children
			}}
		}},
		"a rollup leaves old children": {"the rollup is replaced as a whole", func(s store) store { return resultStore{Store: s, put: keepChildren} }},
		"executions come twice": {"executions are kept once", func(s store) store {
			return resultStore{Store: s, executions: func(list []core.Execution) []core.Execution { return append(list, list...) }}
		}},
		"executions come backwards": {"executions come in pages", func(s store) store {
			return resultStore{Store: s, executions: func(list []core.Execution) []core.Execution {
				slices.Reverse(list)
				return list
			}}
		}},
	}
}

func brokenRest() map[string]mutant {
	return map[string]mutant{
		"a pool comes without its end": {"a pool is read as it was stored", func(s store) store {
			return brokenPools{s, func(chunks []string) []string { return chunks[:min(len(chunks), 1)] }}
		}},
		"PutIf puts whatever the condition": {"PutIf puts what its condition allows", func(s store) store {
			return templateStore{Store: s, putIf: func(ctx context.Context, s ports.TemplateStore, t core.Template, _ core.TemplateCondition) (ports.TemplateRecord, error) {
				return s.Put(ctx, t)
			}}
		}},
		"PutIf judges, and then puts": {"a use and a change do not pass each other", func(s store) store {
			return templateStore{Store: s, putIf: judgedBefore}
		}},
		"a template changes each time it is put": {"Put of an equal template changes nothing", func(s store) store {
			n := int64(0)
			return templateStore{Store: s, before: func(t *core.Template) { n++; t.Load.Seed = n }}
		}},
		"a template loses its tags": {"Put then Get by name and by id", func(s store) store {
			return templateStore{Store: s, record: func(r *ports.TemplateRecord) { r.Template.Tags = nil }}
		}},
		"a template has no version": {"Put of a changed template raises its version", func(s store) store {
			return templateStore{Store: s, record: func(r *ports.TemplateRecord) { r.Version = 1 }}
		}},
		"a template has no id": {"Put then Get by name and by id", func(s store) store { return templateStore{Store: s, byName: true} }},
		"logs repeat the last line": {"lines are read in order of time", func(s store) store {
			return logStore{Store: s, after: func(t time.Time) time.Time { return t.Add(-time.Microsecond) }}
		}},
		"logs have no limit": {"lines come in pages", func(s store) store { return logStore{Store: s, limit: func(int) int { return 1 << 20 }} }},
		"Check says nothing": {"Check finds a whole schema", func(s store) store {
			return schemaStore{Store: s, check: func([]core.Finding) []core.Finding { return nil }}
		}},
		"Probe gives another clock": {"Probe returns the store's clock and leaves nothing", func(s store) store {
			return schemaStore{Store: s, probe: func(t time.Time) time.Time { return t.Add(time.Hour) }}
		}},
		"Close of a closed store fails": {"Create then Load", func(s store) store { return &closesOnce{Store: s} }},
		"a method panics": {"Check finds a whole schema", func(s store) store {
			return schemaStore{Store: s, check: func([]core.Finding) []core.Finding { panic("boom") }}
		}},
	}
}

func TestStoreSuiteNoticesWhatIsBroken(t *testing.T) {
	all := brokenCommits(t)
	for _, more := range []map[string]mutant{brokenRuns(), brokenBeats(), brokenResults(), brokenRest()} {
		maps.Copy(all, more)
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			suite := porttest.StoreSuite()
			if b.noticed == "" { // not broken: a repeated call breaks no promise
				is.Equal(suite.Failing(t, harness(b.decorate)), nil)
				return
			}
			suite = slices.DeleteFunc(suite, func(c porttest.Case[porttest.StoreHarness]) bool { return c.Name != b.noticed })
			is.Equal(len(suite), 1) // a case of that name
			failures := suite.Failing(t, harness(b.decorate))
			if len(failures) != 1 || len(failures[0].Messages) == 0 {
				t.Errorf("the case %q did not notice: %v", b.noticed, failures)
			}
		})
	}
}
