//go:build unix

package acceptance

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestAcceptanceOpenLoop: --rate starts operations by one schedule that all
// workers share, and what is due is started or accounted for.
func TestAcceptanceOpenLoop(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	o := s.must("run", "short", "--rate", "600", "--warmup", "0s", "--duration", "2s", "--output", "json", "--set", "load.catch_up=true")
	d := o.result(t)
	is.Equal(d.Status, "COMPLETED")
	var more struct {
		Ledger   struct{ Scheduled, Started, Skipped, Unserved int64 }
		Scenario struct{ Mode string }
	}
	is.NoErr(json.Unmarshal([]byte(o.stdout), &more))
	is.True(d.Ledger.Balanced)
	is.True(math.Abs(float64(more.Ledger.Scheduled)-1200) <= 3) // of each worker one may lie on the edge of the load
	is.Equal(more.Ledger.Skipped, int64(0))
	is.Equal(more.Ledger.Scheduled, more.Ledger.Started+more.Ledger.Unserved)
	is.True(math.Abs(float64(d.Total.Operations+more.Ledger.Unserved)-1200) <= 3)
	is.Equal(more.Scenario.Mode, "QPS")

	refused := s.do("run", "short", "--rate", "0.01")
	is.True(refused.code != 0)
	is.True(strings.Contains(refused.stderr, "load.rate is 0.01, which makes 0.02 operations in the load.duration of 2s"))
}
