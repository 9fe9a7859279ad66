//go:build unix

package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/adapters/spcs"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

const (
	launcherTag = "benchfleet launcher" // QUERY_TAG of the sessions of the launcher of job services
	readyPoll   = 20 * time.Millisecond // how often it is asked whether all are READY
	jobCounted  = 8 * time.Second       // how long the launcher's statements are counted
)

// jobFleet is a fleet of job services of the stand-in, and one of containers of the
// same image, which have the same target, and the same store through a gateway.
type jobFleet struct {
	docker  *containers
	server  *snowflaketest.Server
	store   ports.Store
	beside  ports.Store // to look into
	ports   runner.Ports
	options runner.Options
	starting
}

func newJobFleet(b *testing.B) *jobFleet {
	b.Helper()
	ctx := context.Background()
	f := &jobFleet{server: snowflaketest.Start(b, snowflaketest.Options{Containers: true})}
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
	f.docker = newContainersOver(b, 0, open())
	f.docker.poll = cloudPoll

	image := f.server.Repository() + "benchfleet:bench"
	must(b, exec.Command("docker", "tag", f.docker.image, image).Run())
	b.Cleanup(func() { exec.Command("docker", "image", "rm", "--force", image).Run() })
	database, rest, _ := strings.Cut(f.server.ImageRepository, ".")
	services, _, _ := strings.Cut(rest, ".")
	secret := database + "." + services + ".BENCH_TARGET"
	f.server.SQL(b, "CREATE OR REPLACE SECRET "+secret+" TYPE = GENERIC_STRING SECRET_STRING = '"+f.docker.dsn+"'")
	db, err := snowflake.OpenPool(address, snowflake.PoolOptions{})
	must(b, err)
	b.Cleanup(func() { db.Close() })
	variable := worker.EndpointVariable("local")
	l, err := spcs.New(db, spcs.Options{
		Database: database, Schema: services, Pool: f.server.ComputePool, Image: "/" + image, Command: []string{"/benchfleet", "worker"},
		Secrets: map[string]string{variable: secret}, Number: snowflake.ErrorNumber, Code: snowflake.ErrorCode,
	})
	must(b, err)
	inside, err := snowflake.ServiceAddress(address, nil)
	must(b, err)
	f.ports = runner.FromStore(f.store, watchedLauncher{l, &f.starting}, f.docker.ports.Target)
	f.options = runner.Options{
		Owner: "bench", Attached: true, Build: f.docker.options.Build,
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: "snowflake:" + inside}},
		Secrets:     []ports.EnvVar{{Name: variable, Value: f.docker.dsn}},
	}
	return f
}

// BenchmarkJobsReady compares N workers as job services with N workers as
// containers of the same image, both from the first launch to the last READY in the
// store. Both have the target and the store in common, containers the latter
// through a gateway; pairs are measured in turn.
func BenchmarkJobsReady(b *testing.B) {
	f := newJobFleet(b)
	for _, n := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			var ratios []float64
			var accepted, jobs, docker []time.Duration
			for i := range b.N * *fleets {
				_, containers := f.docker.start(b, fmt.Sprintf("docker-%d-%d-%d", n, b.N, i), n)
				launched, ready := f.start(b, fmt.Sprintf("jobs-%d-%d-%d", n, b.N, i), n)
				accepted, jobs, docker = append(accepted, launched), append(jobs, ready), append(docker, containers)
				ratios = append(ratios, float64(ready)/float64(containers))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(quantile(accepted, 0.5)), "launched-ms")
			b.ReportMetric(ms(quantile(jobs, 0.5)), "ready-ms")
			b.ReportMetric(ms(quantile(docker, 0.5)), "docker-ready-ms")
			b.ReportMetric(quantile(ratios, 0.5), "ratio")
			b.Log("promised: ratio ≤ 1.5")
		})
	}
}

// start starts a run of n job services, stops it when all are READY, and returns
// how long it took until all were launched, and READY.
func (f *jobFleet) start(b *testing.B, id string, n int) (launched, ready time.Duration) {
	b.Helper()
	stop := make(chan core.StopRequested, 1)
	f.expect(n, func() { stop <- core.StopRequested{Reason: core.UserRequested, By: "bench"} })
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { f.look(ctx, id) })
	run := f.drive(b, id, lookupTemplate(n, 1, time.Minute), stop, nil)
	cancel()
	looking.Wait()
	launched, ready = f.took()
	if c := run.Certificate(); run.Status != core.Cancelled || !c.Clean || ready <= 0 {
		b.Fatalf("%s: %s %s, ready after %s, %+v", id, run.Status, run.Detail, ready, c)
	}
	return launched, ready
}

// look reads the beats of a run beside its owner until ctx ends.
func (f *jobFleet) look(ctx context.Context, run string) {
	for tick := time.NewTicker(readyPoll); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if beats, _, err := f.beside.Beats(ctx, run, nil); err == nil { // it may not be there yet
				f.beaten(beats)
			}
		}
	}
}

// drive drives a run of the template to its end.
func (f *jobFleet) drive(b *testing.B, id string, template core.Template, stop <-chan core.StopRequested, observe func(runner.Observation)) core.Run {
	b.Helper()
	template.Target.Kind = "postgres"
	s, err := template.Resolve(core.Resolution{
		Launcher: "spcs", StartTimeout: 2 * time.Minute, ControlPoll: cloudPoll, OwnerLease: 20 * cloudPoll, WorkerLease: 60 * cloudPoll,
	})
	must(b, err)
	options := f.options
	options.Observe = observe
	r, err := runner.New(f.ports, options)
	must(b, err)
	_, err = r.Create(context.Background(), id, s)
	must(b, err)
	run, err := r.Drive(context.Background(), id, runner.DriveOptions{Start: true, Stop: stop})
	must(b, err)
	return run
}

// BenchmarkJobsStatements counts what the launcher asks of Snowflake in a second of
// a run with 1, 4 and 8 job services, which is polled once a second, and what it
// sends in all for each worker.
func BenchmarkJobsStatements(b *testing.B) {
	f := newJobFleet(b)
	for n := range b.N {
		for _, workers := range []int{1, 4, 8} {
			after := f.server.Received(b)
			template := lookupTemplate(workers, 1, jobCounted+2*cloudSettle)
			template.Load.ThinkTime = core.Duration(50 * time.Millisecond)
			var from time.Time
			run := f.drive(b, fmt.Sprintf("asked-%d-%d-%d", b.N, n, workers), template, nil, func(o runner.Observation) {
				if from.IsZero() && o.Run.Status == core.Running && o.Run.Phase == core.Measurement {
					from = o.Run.Origin.Add(cloudSettle)
				}
			})
			if run.Status != core.Completed || from.IsZero() {
				b.Fatalf("%d workers: %s %s", workers, run.Status, run.Detail)
			}
			statements, _ := f.server.Statements(b, after)
			kinds, polled := map[string]int{}, 0
			for _, x := range statements {
				if x.Tag != launcherTag {
					continue
				}
				kinds[x.Kind]++
				if !x.At.Before(from) && x.At.Before(from.Add(jobCounted)) {
					polled++
				}
			}
			b.ReportMetric(float64(polled)/jobCounted.Seconds(), fmt.Sprintf("w%d-asked/poll", workers))
			b.Logf("%d workers, all that the launcher sent: %v", workers, kinds)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.Log("promised: the same for each number of workers")
}
