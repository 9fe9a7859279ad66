//go:build unix

package bench

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

var wayStops = flag.Int("way-stops", 60, "how many stops are measured of each way to the store")

// BenchmarkGatewayStop compares how soon after the request of a stop 3 worker
// processes with 4 connections each start their last operation: with the SQLite
// store as a file, and through a gateway to it. The stop is asked of the owner, or
// committed beside it as the command stop does.
func BenchmarkGatewayStop(b *testing.B) {
	f := newFleet(b)
	far := f.throughGateway(b)
	beside := openStore(b, f.storePath)
	s := lookups(b, 3, 4, time.Minute)
	ways := []struct {
		name  string
		fleet func(id string) *fleet
		by    ports.RunStore // nil: the owner
	}{
		{"direct-owner", func(string) *fleet { return f }, nil}, {"gateway-owner", far, nil},
		{"direct-beside", func(string) *fleet { return f }, beside}, {"gateway-beside", far, beside},
	}
	last := map[string][]time.Duration{}
	for n := range b.N {
		for i := range *wayStops {
			for _, way := range ways { // in turn
				id := fmt.Sprintf("%s-%d-%d-%d", way.name, b.N, n, i)
				last[way.name] = append(last[way.name], way.fleet(id).stopAnywhen(b, id, s, way.by))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		for _, by := range []string{"owner", "beside"} {
			direct, through := quantile(last["direct-"+by], q.at), quantile(last["gateway-"+by], q.at)
			b.ReportMetric(ms(direct), "direct-"+by+"-"+q.name+"-ms")
			b.ReportMetric(ms(through), "gateway-"+by+"-"+q.name+"-ms")
			b.ReportMetric(float64(through)/float64(direct), by+"-"+q.name+"-ratio")
		}
	}
	b.Log("promised: ratio ≤ 2")
}

// throughGateway makes of a run's id the same fleet, whose workers have a gateway
// and not the store's file.
func (f *fleet) throughGateway(b *testing.B) func(id string) *fleet {
	b.Helper()
	key := storeKey(b)
	server := gateway.New(f.store, gateway.Options{Key: key})
	b.Cleanup(func() { server.Close() })
	address, _ := listening(b, server, "127.0.0.1:0")
	return func(id string) *fleet {
		far := *f
		far.ports = runner.FromStore(server.Store(), f.launcher, f.ports.Target)
		far.options.Gateway = address
		far.options.Environment = []ports.EnvVar{{Name: ports.EnvStore, Value: "http://" + address}}
		far.options.Secrets = append(slices.Clone(f.options.Secrets), ports.EnvVar{Name: ports.EnvStoreToken, Value: gateway.Token(key, id)})
		return &far
	}
}

// stopAnywhen stops a run after some 300 ms of load, at no fixed place between two
// control reads, and returns how long after the request the last operation began.
func (f *fleet) stopAnywhen(b *testing.B, id string, s core.Scenario, by ports.RunStore) time.Duration {
	b.Helper()
	var asking sync.WaitGroup
	begun := false
	run := f.drive(b, id, s, func(o runner.Observation, stop chan<- core.StopRequested) {
		if begun || o.Run.Status != core.Running {
			return
		}
		begun = true
		asking.Go(func() {
			time.Sleep(300*time.Millisecond + rand.N(100*time.Millisecond))
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
