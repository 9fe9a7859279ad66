//go:build unix

package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/local"
)

func BenchmarkZZ(b *testing.B) {
	for _, v := range []struct {
		name, dsn string
		conns     int
		env       []string
		sampling  float64
	}{
		{"1conn", "", 1, nil, -1},
		{"50conn", "", 50, nil, -1},
		{"50conn-nosampling", "", 50, nil, 0},
		{"50conn-cache0", "?_pragma=cache_size(1)", 50, nil, -1},
		{"50conn-cache0-mmap", "?_pragma=cache_size(1)&_pragma=mmap_size(268435456)", 50, nil, -1},
		{"50conn-cache0-gc20", "?_pragma=cache_size(1)", 50, []string{"GOGC=20"}, -1},
		{"50conn-cache0-lim", "?_pragma=cache_size(1)", 50, []string{"GOMEMLIMIT=16MiB"}, -1},
		{"50conn-lim", "", 50, []string{"GOMEMLIMIT=16MiB"}, -1},
	} {
		b.Run(v.name, func(b *testing.B) {
			f := newFleet(b)
			f.options.Secrets[0].Value = f.target + v.dsn
			if v.env != nil {
				l, err := local.New(b.TempDir(), local.Options{Command: []string{f.binary, "worker"}, Environ: append(os.Environ(), v.env...)})
				must(b, err)
				defer l.Close()
				f.ports.Launcher = l
			}
			s := lookups(b, 1, v.conns, 2*time.Second)
			if v.sampling >= 0 {
				s.Load.Sampling = v.sampling
			}
			b.Logf("sampling %v", s.Load.Sampling)
			p := f.peakOf(b, fmt.Sprintf("m-%d", b.N), s)
			b.ReportMetric(float64(p)/1e6, "peak-MB")
			st, _ := os.Stat(f.target)
			b.ReportMetric(float64(st.Size())/1e6, "table-MB")
		})
	}
}
