//go:build unix

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/worker"
)

var (
	experiments = flag.Int("experiments", 0, "how many A/A experiments are made")
	aaRounds    = flag.Int("aa-rounds", 8, "how many rounds an A/A experiment has")
	aaDuration  = flag.Duration("aa-duration", 300*time.Millisecond, "how long a run of an A/A experiment measures")
)

// BenchmarkFalseAlarms makes A/A experiments with the command ab, in which there is
// nothing to find, and counts those that find something all the same: by the primary
// metric, and by one or more of the others.
func BenchmarkFalseAlarms(b *testing.B) {
	if *experiments == 0 {
		b.Skip("it takes ten seconds for each experiment: task bench:aa, or -experiments N")
	}
	f := newFleet(b)
	_, err := f.store.Templates().Put(context.Background(), lookupTemplate(1, 2, *aaDuration))
	must(b, err)
	made, primary, others, hints, tests := 0, 0, 0, 0, 0
	var smallest []float64
	for range b.N {
		for range *experiments {
			r := f.aa(b)
			if r.CountedRounds < 3 {
				b.Logf("%s has %d rounds that count: %v", r.Group, r.CountedRounds, r.Reservations)
				continue
			}
			made++
			seen := false
			for _, m := range r.Metrics {
				found := m.Outcome == core.Higher || m.Outcome == core.Lower
				switch {
				case m.PValue == nil:
					continue
				case m.Primary && found:
					primary++
				case found:
					seen = true
				}
				if m.Primary {
					smallest = append(smallest, *m.SmallestPercent)
				}
				tests++
				if *m.PValue < 1-core.ComparisonConfidence {
					hints++
				}
			}
			if seen {
				others++
			}
		}
	}
	if made == 0 {
		b.Fatal("no experiment counts")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(made), "experiments")
	b.ReportMetric(100*float64(primary)/float64(made), "primary-%")
	b.ReportMetric(100*float64(others)/float64(made), "others-%")
	b.ReportMetric(100*float64(hints)/float64(tests), "single-%")
	b.ReportMetric(quantile(smallest, 0.5), "detectable-%")
	for what, found := range map[string]int{"the primary metric": primary, "one or more of the others": others} {
		low, high := between(found, made)
		b.Logf("%d of %d experiments show a difference by %s: 95 %% interval of the rate %.1f to %.1f %%; stated: 5 %% at most", found, made, what, 100*low, 100*high)
		if low > 0.05 {
			b.Errorf("more false alarms by %s than are stated: %.1f %% at least", what, 100*low)
		}
	}
}

// aa makes one A/A experiment.
func (f *fleet) aa(b *testing.B) (r report.ABDocument) {
	b.Helper()
	run := exec.Command(f.binary, "--dir", f.dir, "ab", "bench", "bench", "--rounds", strconv.Itoa(*aaRounds), "--warmup", "100ms", "--pause", "0s", "--output", "json")
	run.Env = append(os.Environ(), worker.EndpointVariable("local")+"="+f.target)
	var out, said bytes.Buffer
	run.Stdout, run.Stderr = &out, &said
	var exit *exec.ExitError
	if err := run.Run(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 7) { // a run that is worth nothing is left out
		b.Fatalf("%v\n%s", err, said.String())
	}
	must(b, json.Unmarshal(out.Bytes(), &r))
	if !r.Same {
		b.Fatalf("%s is no A/A: %v", r.Group, r.Unlike)
	}
	return r
}

// between is Wilson's 95 % interval of a rate, k of n.
func between(k, n int) (low, high float64) {
	const z = 1.96
	p, m := float64(k)/float64(n), float64(n)
	centre, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, (centre-half)/(1+z*z/m)), (centre + half) / (1 + z*z/m)
}
