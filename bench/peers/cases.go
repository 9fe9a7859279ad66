//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The sides by name. A peer that ends in again is the same one, in the same round, a
// second time.
const (
	sideOurs         = "benchfleet"
	sideBare         = "bare pgx loop"
	sidePgbench      = "pgbench"
	sidePgbenchWide  = "pgbench, a thread for each processor"
	again            = " again"
	sideOursClosed   = "benchfleet, closed loop"
	sidePgbenchFree  = "pgbench, closed loop"
	sidePgbenchPaced = "pgbench -R"
)

// side is one of those that are compared.
type side struct {
	name string
	run  func(ctx context.Context, b *bed, round int) (sample, error)
}

// comparison is one case: sides that do the same.
type comparison struct {
	id     string
	sides  []side
	rounds int           // 0: as many as asked for
	each   time.Duration // how long a side takes, more or less
}

func (c comparison) names() (names []string) {
	for _, s := range c.sides {
		names = append(names, s.name)
	}
	return names
}

// readConnections are those that point reads are compared with.
var readConnections = []int{1, 8, 32}

const (
	tpcbConnections  = 8
	openConnections  = 16
	stallConnections = 32
	stallRate        = 200.0
	stallPeriods     = 4 // that a run on the stalling target lasts
)

// cases are all comparisons, in the order in which they are made.
func (b *bed) cases() (all []comparison) {
	for _, n := range readConnections {
		all = append(all, b.reads(n))
	}
	return append(all, b.tpcb(), b.open(), b.stall(), b.parts())
}

func readsID(connections int) string { return "reads-" + strconv.Itoa(connections) }

// twice names a side and itself again.
func twice(name string, run func(ctx context.Context, b *bed, round int) (sample, error)) []side {
	return []side{{name, run}, {name + again, run}}
}

// reads are point reads of one row by key.
func (b *bed) reads(connections int) comparison {
	c := comparison{id: readsID(connections), each: b.warmup + b.duration}
	c.sides = append(c.sides, side{sideOurs, func(ctx context.Context, b *bed, round int) (sample, error) {
		return b.ours(ctx, ourRun{
			template: "peers-reads", endpoint: b.endpoint, connections: connections, warmup: b.warmup, duration: b.duration, seed: round + 1,
		})
	}})
	c.sides = append(c.sides, twice(sideBare, func(ctx context.Context, b *bed, round int) (sample, error) {
		return b.bare(ctx, connections, round+1)
	})...)
	c.sides = append(c.sides, pgbenches(connections, func(b *bed) string { return b.script })...)
	return c
}

// pgbenches are pgbench twice with the one thread that it has when nothing is said,
// and once with a thread for each processor, as far as there are connections for them.
func pgbenches(connections int, script func(*bed) string) []side {
	with := func(wide bool) func(ctx context.Context, b *bed, round int) (sample, error) {
		return func(ctx context.Context, b *bed, round int) (sample, error) {
			return b.warmPgbench(ctx, pgbenchRun{
				dsn: b.server.dsn(), script: script(b), connections: connections, wide: wide, seed: round + 1,
			})
		}
	}
	sides := twice(sidePgbench, with(false))
	if connections > 1 {
		sides = append(sides, side{sidePgbenchWide, with(true)})
	}
	return sides
}

// warmPgbench runs pgbench for the warm-up, which is dropped, and then for the sample.
func (b *bed) warmPgbench(ctx context.Context, run pgbenchRun) (sample, error) {
	warmup := run
	warmup.duration, warmup.latencies = b.warmup, false
	warmup.seed += 1_000_000 // else the measurement would begin with the same keys
	if _, err := b.callPgbench(ctx, warmup); err != nil {
		return sample{}, err
	}
	run.duration = b.duration
	return b.pgbench(ctx, run)
}

// bare runs this program as the bare loop.
func (b *bed) bare(ctx context.Context, connections, seed int) (sample, error) {
	e, err := b.client(ctx, nil, b.self, "bare", "-dsn", b.server.dsn(), "-connections", strconv.Itoa(connections),
		"-warmup", b.warmup.String(), "-duration", b.duration.String(), "-seed", strconv.Itoa(seed))
	if err != nil {
		return sample{}, err
	}
	var r bareResult
	if err := json.Unmarshal([]byte(e.out), &r); err != nil {
		return sample{}, fmt.Errorf("the bare loop: %w", err)
	}
	return sample{Rate: float64(r.Operations) / r.Seconds, Operations: float64(r.All), CPU: e.cpu, Served: e.served}, nil
}

// tpcb is the transaction of TPC-B.
func (b *bed) tpcb() comparison {
	c := comparison{id: "tpcb", each: b.warmup + b.duration}
	c.sides = append(c.sides, side{sideOurs, func(ctx context.Context, b *bed, round int) (sample, error) {
		return b.ours(ctx, ourRun{
			template: "tpcb", endpoint: b.endpoint, set: tpcbSet, connections: tpcbConnections,
			warmup: b.warmup, duration: b.duration, seed: round + 1,
		})
	}})
	c.sides = append(c.sides, pgbenches(tpcbConnections, func(*bed) string { return "" })...)
	return c
}

// open are point reads at a rate, with arrivals that are independent of each other, as
// pgbench makes them too.
func (b *bed) open() comparison {
	c := comparison{id: "open", each: b.warmup + b.duration}
	for _, arrivals := range []string{core.ArrivalsPoisson, core.ArrivalsUniform} {
		name := sideOurs
		if arrivals == core.ArrivalsUniform {
			name += ", uniform"
		}
		c.sides = append(c.sides, side{name, func(ctx context.Context, b *bed, round int) (sample, error) {
			s, err := b.ours(ctx, ourRun{
				template: "peers-reads", endpoint: b.endpoint, connections: openConnections, rate: b.rate, set: []string{"load.arrivals=" + arrivals},
				warmup: b.warmup, duration: b.duration, seed: round + 1,
			})
			if err == nil {
				s.Values["due"] = float64(len(schedule(b.rate, arrivals, openConnections, round+1, b.duration)))
			}
			return s, err
		}})
	}
	c.sides = append(c.sides, twice(sidePgbenchPaced, func(ctx context.Context, b *bed, round int) (sample, error) {
		return b.warmPgbench(ctx, pgbenchRun{
			dsn: b.server.dsn(), script: b.script, connections: openConnections, wide: true, rate: b.rate, latencies: true, seed: round + 1,
		})
	})...)
	return c
}

// stall is a target that answers nothing for a second in every ten: open loops beside
// the exact model of it, and closed ones beside them.
func (b *bed) stall() comparison {
	length := time.Duration(stallPeriods) * stall().Every
	c := comparison{id: "stall", rounds: 2, each: length + stall().Every}
	ours := func(closed bool) func(ctx context.Context, b *bed, round int) (sample, error) {
		return b.stalling(func(ctx context.Context, dsn string, seed int) (sample, error) {
			endpoint := filepath.Join(b.scratch, "endpoint-stall")
			if err := os.WriteFile(endpoint, []byte(dsn), 0o600); err != nil {
				return sample{}, err
			}
			run := ourRun{template: "peers-reads", endpoint: endpoint, connections: 2, warmup: time.Second, duration: length, seed: seed}
			if !closed {
				run.connections, run.rate, run.set = stallConnections, stallRate, []string{"load.catch_up=true"}
			}
			s, err := b.ours(ctx, run)
			if err == nil && !closed {
				b.addModel(&s, seed, length)
			}
			return s, err
		})
	}
	pgbench := func(connections int, rate float64) func(ctx context.Context, b *bed, round int) (sample, error) {
		return b.stalling(func(ctx context.Context, dsn string, seed int) (sample, error) {
			return b.pgbench(ctx, pgbenchRun{
				dsn: dsn, script: b.script, connections: connections, wide: true, duration: length, rate: rate, latencies: true, seed: seed,
			})
		})
	}
	c.sides = []side{
		{sideOurs, ours(false)}, {sidePgbenchPaced, pgbench(stallConnections, stallRate)},
		{sideOursClosed, ours(true)}, {sidePgbenchFree, pgbench(2, 0)},
	}
	return c
}

// stalling runs something against the stalling target, begun early in one of its
// periods: so no stall is cut by an end of the measurement.
func (b *bed) stalling(run func(ctx context.Context, dsn string, seed int) (sample, error)) func(context.Context, *bed, int) (sample, error) {
	return func(ctx context.Context, b *bed, round int) (s sample, err error) {
		p, err := startProxy(fmt.Sprintf("127.0.0.1:%d", b.server.cluster.Port))
		if err != nil {
			return s, err
		}
		defer func() { _ = p.close() }() // its clients have gone
		into := time.Duration(time.Now().UnixNano()) % stall().Every
		if err := sleep(ctx, stall().Every-into+500*time.Millisecond); err != nil {
			return s, err
		}
		return run(ctx, tcpDSN(p.port()), round+1)
	}
}

// addModel adds what the exact model says of a run: of a target that answers in the
// run's own median when it does not stall.
func (b *bed) addModel(s *sample, seed int, length time.Duration) {
	base := time.Duration(s.Values["p50_ms"] * float64(time.Millisecond))
	due := schedule(stallRate, core.ArrivalsUniform, stallConnections, seed, length)
	// The measurement begins in the first half of a period; where, makes no difference.
	model := stall().Responses(time.Unix(0, int64(3*time.Second)), due, stallConnections, base)
	for name, q := range quantiles {
		s.Values["model_"+name] = float64(model.Quantile(q)) / float64(time.Millisecond)
	}
	s.Values["model_max_ms"] = float64(model.Quantile(1)) / float64(time.Millisecond)
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
