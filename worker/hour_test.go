package worker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// BenchmarkSimulatedHour records an hour at 50,000 operations per second, by eight
// connections and of three kinds, one of which is a transaction, and makes every
// beat of it. It tells the memory after five minutes and at the end, and the size of
// beats whose intervals are acknowledged every seven seconds. Then nobody acknowledges
// anything for three minutes more: the largest beat of those is told too.
func BenchmarkSimulatedHour(b *testing.B) {
	const (
		rate        = 50_000
		connections = 8
		seconds     = 3600
		unheard     = 180
	)
	for range b.N {
		tmpl := template(1, connections)
		tmpl.Mix = append(transferMix(), tmpl.Mix[2:]...)
		tmpl.Mix[0].Weight, tmpl.Mix[1].Weight = 40, 30
		l, c := testLoad(b, tmpl)
		l.publish(measuring())
		random := core.NewRand(1, 2, 3)
		stamp := time.Duration(1)
		var early, late uint64
		size := func() float64 {
			text, err := json.Marshal(core.Beat{Report: c.report(l.clock.now())})
			if err != nil {
				b.Fatal(err)
			}
			return float64(len(text))
		}
		var first, largest, unread float64
		for second := range seconds + unheard {
			for i := range rate {
				took := time.Duration(random.Uint64() % (1 << (10 + random.Uint64()%16)))
				kind := 2 * int(random.Uint64()%2)
				if i%64 == 0 {
					kind = 1 // the transaction
				}
				record(b, l.connections[i%connections], stamp, took, kind)
				stamp += time.Second / rate
			}
			c.cut(mark{at: stamp, offset: float64(second)}, l.clock.now())
			if second%7 == 0 && second < seconds {
				c.learn(core.Control{Acknowledged: c.sequence})
			}
			switch beat := size(); {
			case second < 300:
				first = max(first, beat)
			case second < seconds:
				largest = max(largest, beat)
			default:
				unread = max(unread, beat)
			}
			if second == 300 {
				c.learn(core.Control{Acknowledged: c.sequence})
				early = heapInUse()
			}
			if second == seconds-1 {
				c.learn(core.Control{Acknowledged: c.sequence})
				late = heapInUse()
			}
		}
		for _, conn := range l.connections {
			if !conn.settle() {
				b.Fatal("abandoned")
			}
		}
		c.cutLast(l.clock.now())
		if made := core.Total(c.total[measurement].kinds).OK; made != (seconds+unheard)*rate {
			b.Fatalf("%d operations of %d", made, (seconds+unheard)*rate)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(early)/(1<<10), "KiB-after-5-min")
		b.ReportMetric(float64(late)/(1<<10), "KiB-after-1-h")
		b.ReportMetric(first/(1<<10), "KiB-beat-of-5-min")
		b.ReportMetric(largest/(1<<10), "KiB-beat-of-1-h")
		b.ReportMetric(unread/(1<<10), "KiB-beat-unacknowledged")
	}
}
