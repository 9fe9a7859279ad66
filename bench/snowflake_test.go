//go:build unix

package bench

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

var (
	cloudStops  = flag.Int("cloud-stops", 20, "how many stops are measured with the store in Snowflake, on each way")
	cloudLength = flag.Duration("cloud-length", 40*time.Second, "how long the statements to the store in Snowflake are counted; twice as long as sampled operations wait")
)

const (
	cloudPoll    = time.Second // what the command takes for a store in Snowflake
	cloudSettle  = 2 * time.Second
	cloudLatency = 50 * time.Millisecond
	storeTag     = "benchfleet store" // QUERY_TAG of a store's sessions
)

// cloudFleet is a fleet whose store is in the stand-in for Snowflake. Its target is
// a file, so that the store is all that is far away.
type cloudFleet struct {
	*fleet
	server *snowflaketest.Server
	beside ports.Store // of who is not the owner
}

func newCloudFleet(b *testing.B) *cloudFleet {
	b.Helper()
	f, ctx := &cloudFleet{fleet: newFleet(b), server: snowflaketest.Start(b, snowflaketest.Options{})}, context.Background()
	schema := f.server.Schema(b)
	address := f.server.DSN(snowflaketest.In{
		Warehouse: f.server.ControlWarehouse, More: map[string]string{"store_config_schema": schema, "store_results_schema": schema},
	})
	must(b, snowflake.ApplySchema(ctx, address, snowflake.ApplyOptions{}))
	open := func() ports.Store {
		store, err := snowflake.OpenStore(ctx, address, snowflake.StoreOptions{})
		must(b, err)
		b.Cleanup(func() { store.Close() })
		return store
	}
	f.store, f.beside = open(), open()
	f.ports = runner.FromStore(f.store, f.launcher, f.ports.Target)
	f.options.Environment = nil
	f.options.Secrets = append(f.options.Secrets, ports.EnvVar{Name: ports.EnvStore, Value: "snowflake:" + address})
	return f
}

// scenario is a run of point lookups that leave the machine to the store.
func (f *cloudFleet) scenario(b *testing.B, workers int, duration time.Duration) core.Scenario {
	b.Helper()
	template := lookupTemplate(workers, 1, duration)
	template.Load.ThinkTime = core.Duration(20 * time.Millisecond)
	s, err := template.Resolve(core.Resolution{
		Launcher: "local", StartTimeout: 2 * time.Minute, ControlPoll: cloudPoll, OwnerLease: 20 * time.Second, WorkerLease: time.Minute,
	})
	must(b, err)
	return s
}

// BenchmarkSnowflakeStatements counts what a run sends to its store each second of
// its measurement, with 1, 8 and 32 workers: in all, and beyond one beat for each
// worker and interval and one control read for each worker and poll; and how many
// of those beyond store sampled operations, which can be turned off.
func BenchmarkSnowflakeStatements(b *testing.B) {
	f := newCloudFleet(b)
	for n := range b.N {
		for _, workers := range []int{1, 8, 32} {
			c := f.statements(b, fmt.Sprintf("statements-%d-%d-%d", b.N, n, workers), workers)
			b.ReportMetric(c.all, fmt.Sprintf("w%d-statements/s", workers))
			b.ReportMetric(c.beyond, fmt.Sprintf("w%d-beyond/s", workers))
			b.ReportMetric(c.sampled, fmt.Sprintf("w%d-sampled/s", workers))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.Log("promised: beyond/s does not grow with the workers, save by what stores sampled operations")
}

// counts are statements to the store in a second of a run: all, those beyond beats
// and control reads of its workers, and of these those of sampled operations.
type counts struct{ all, beyond, sampled float64 }

func (f *cloudFleet) statements(b *testing.B, id string, workers int) (c counts) {
	b.Helper()
	s := f.scenario(b, workers, *cloudLength+2*cloudSettle)
	after := f.server.Received(b)
	var from time.Time
	run := f.drive(b, id, s, func(o runner.Observation, _ chan<- core.StopRequested) {
		if from.IsZero() && o.Run.Status == core.Running && o.Run.Phase == core.Measurement {
			from = o.Run.Origin.Add(cloudSettle)
		}
	})
	if run.Status != core.Completed || from.IsZero() {
		b.Fatalf("%s: %s %s", id, run.Status, run.Detail)
	}
	statements, _ := f.server.Statements(b, after)
	kinds, count := map[string]int{}, 0
	for _, x := range statements {
		if x.Tag == storeTag && !x.At.Before(from) && x.At.Before(from.Add(*cloudLength)) {
			kinds[x.Kind+" "+object(x.SQL)]++
			count++
		}
	}
	seconds := cloudLength.Seconds()
	c.all, c.sampled = float64(count)/seconds, float64(kinds["INSERT QUERY_EXECUTIONS"])/seconds
	c.beyond = c.all - float64(workers)*(1/s.Load.Interval.Std().Seconds()+1/s.Limits.ControlPoll.Std().Seconds())
	b.Logf("%d workers, %g s: %v", workers, seconds, kinds)
	return c
}

// object is the table of the store that a statement names first.
func object(sql string) string {
	at := len(sql)
	name := ""
	for _, table := range []string{"RUN_STATUS", "WORKER_HEARTBEATS", "RUN_CONTROL_EVENTS", "WORKER_METRICS_SNAPSHOTS", "METRICS_SNAPSHOTS", "QUERY_EXECUTIONS", "TEST_LOGS", "TEST_RESULTS", "INSERT_RANGES"} {
		if i := strings.Index(sql, "."+table); i >= 0 && i < at {
			at, name = i, table
		}
	}
	if name == "RUN_STATUS" && strings.Contains(sql, "GET(WORKER_TARGETS") {
		return "control"
	}
	return name
}

// BenchmarkSnowflakeStop measures how soon after the request of a stop 3 worker
// processes start their last operation, when each request to the store takes 50 ms
// more. The stop is asked of the owner, or committed beside it as the command stop
// does, at no fixed place between two control reads.
func BenchmarkSnowflakeStop(b *testing.B) {
	f := newCloudFleet(b)
	f.server.Break(b, snowflaketest.Fault{Kind: snowflaketest.Latency, DelayMS: cloudLatency.Milliseconds()})
	s := f.scenario(b, 3, 2*time.Minute)
	last := map[string][]time.Duration{}
	for n := range b.N {
		for i := range *cloudStops {
			for way, by := range map[string]ports.RunStore{"owner": nil, "beside": f.beside} {
				last[way] = append(last[way], f.stop(b, fmt.Sprintf("stop-%s-%d-%d-%d", way, b.N, n, i), s, by))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for way, all := range last {
		b.ReportMetric(ms(quantile(all, 0.5)), way+"-p50-ms")
		b.ReportMetric(ms(quantile(all, 0.99)), way+"-p99-ms")
	}
	b.Logf("%d stops on each way; promised: p99 ≤ %s (1.2 × control poll + 2 round trips)", *cloudStops*b.N, cloudPoll*6/5+2*cloudLatency)
}

// stop stops a run within the second after it has begun, by its owner or by a
// store, and returns how long after the request the last operation began.
func (f *cloudFleet) stop(b *testing.B, id string, s core.Scenario, by ports.RunStore) time.Duration {
	b.Helper()
	var asking sync.WaitGroup
	begun := false
	run := f.drive(b, id, s, func(o runner.Observation, stop chan<- core.StopRequested) {
		if begun || o.Run.Status != core.Running {
			return
		}
		begun = true
		asking.Go(func() {
			time.Sleep(time.Until(o.Run.Origin) + 500*time.Millisecond + rand.N(cloudPoll)) // the load
			request := core.StopRequested{Reason: core.UserRequested, By: "bench"}
			if by == nil {
				stop <- request
			} else if _, err := runner.RequestStop(context.Background(), by, id, request); err != nil {
				b.Error(err)
			}
		})
	})
	asking.Wait()
	c := run.Certificate()
	if run.Status != core.Cancelled || !c.Clean || c.Stages.LastNewOperation == nil {
		b.Fatalf("%s: %s %s %+v", id, run.Status, run.Detail, c)
	}
	return c.Stages.LastNewOperation.Std()
}
