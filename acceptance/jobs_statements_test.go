//go:build unix

package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/matryer/is"
)

const (
	settled = 2 * time.Second // after its origin a run is in its stride
	counted = 8 * time.Second
	poll    = time.Second // of the control state in Snowflake, and of the launcher
)

// rates are statements in a second of a run in its stride.
type rates struct{ store, launcher, beyond float64 }

// TestAcceptanceSPCSStatements: a whole run with job services sends no DDL but what
// starts and ends them, once for each worker; and in each second of it the store
// hears of one worker more one beat and one control read, and the launcher's
// platform hears nothing more.
func TestAcceptanceSPCSStatements(t *testing.T) {
	needs(t, launcherFlag, "spcs", "it is about what the launcher of job services sends")
	is := is.New(t)
	s := newSite(t)
	cloud.Server(t).Received(t) // or the test is skipped
	all := map[int]rates{}
	for _, workers := range []int{1, 2, 4} {
		all[workers] = s.rates(workers)
		t.Logf("%d workers, statements in a second: %.2f of the launcher, %.2f to the store, of which %.2f beyond one beat and one control read of each worker",
			workers, all[workers].launcher, all[workers].store, all[workers].beyond)
	}
	const slack = 0.5 // a statement every two seconds: windows do not begin with a beat
	is.True(all[1].launcher > 0)
	is.True(all[4].launcher <= all[1].launcher+slack)
	is.True(all[4].launcher <= 1/poll.Seconds()+slack) // one question in each poll
	is.True(all[4].beyond <= all[1].beyond+slack)
}

// rates runs with so many workers, and counts.
func (s *site) rates(workers int) (r rates) {
	t, is := s.t, is.New(s.t)
	db, after := s.db(), cloud.Server(s.t).Received(s.t)
	o := s.do("run", "short", "--workers", fmt.Sprint(workers), "--warmup", "0s", "--duration", (settled + counted + settled).String(),
		"--set", "load.sampling=0", "--set", "load.think_time=50ms")
	if !measured(o.code) {
		t.Fatal(o)
	}
	run := s.newest(db)
	var origin time.Time
	is.NoErr(db.QueryRow("SELECT ORIGIN_AT FROM RUN_STATUS WHERE RUN_ID = ?", run).Scan(&origin))
	whole, _ := cloud.Server(t).Statements(t, after)
	mustSendNoDDL(t, whole)
	made := map[string]int{}
	for _, x := range whole {
		if x.Tag == launcherTag && ofLauncher.MatchString(x.SQL) {
			made[x.Kind]++
		}
		is.True(!strings.Contains(x.SQL, cloud.Server(t).Password)) // no secret in any
	}
	is.Equal(made["EXECUTE"], workers)
	is.True(made["DROP"] >= workers)
	kinds := map[string]int{}
	for _, x := range between(whole, origin.Add(settled), origin.Add(settled+counted)) {
		kinds[x.Tag+": "+x.Kind]++
		switch x.Tag {
		case storeTag:
			r.store += 1 / counted.Seconds()
		case launcherTag:
			r.launcher += 1 / counted.Seconds()
		}
	}
	t.Log(kinds)
	r.beyond = r.store - float64(workers)*(1+1/poll.Seconds()) // one beat for each interval of a second
	return r
}

// between are the statements of a span of time.
func between(all []snowflaketest.Statement, from, until time.Time) (found []snowflaketest.Statement) {
	for _, x := range all {
		if !x.At.Before(from) && x.At.Before(until) {
			found = append(found, x)
		}
	}
	return found
}
