//go:build unix

package acceptance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// TestAcceptanceScaling: 300 operations per second of 40 ms each keep 12 connections
// busy. A run that begins with one worker of 4 connections adds workers while it
// goes on until there are enough, and stays there; all have the same share of what
// was measured, and the stop ends every one of them.
func TestAcceptanceScaling(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newServerSite(t)
	s.must("template", "import", s.templates("growing.yaml"))
	args := []string{"run", "growing", "--output", "json"}
	if *launcherFlag != "local" { // whose workers take longer to begin
		args = append(args, "--warmup", "45s")
	}
	o := s.must(args...)
	d := o.result(t)
	is.Equal(d.Status, "COMPLETED")
	is.Equal(d.Reason, "ELAPSED")
	is.True(d.Ledger.Balanced)
	db := s.openStore()
	defer db.Close()

	var outcomes []string
	rows, err := db.QueryContext(t.Context(), "SELECT OUTCOME FROM CONTROLLER_STEP_HISTORY WHERE RUN_ID = '"+d.RunID+"' AND STEP_TYPE = 'QPS_SCALING' ORDER BY STEP_NUMBER")
	is.NoErr(err)
	for rows.Next() {
		var outcome string
		is.NoErr(rows.Scan(&outcome))
		outcomes = append(outcomes, outcome)
	}
	is.NoErr(rows.Err())
	t.Log("steps:", outcomes)
	is.True(len(outcomes) >= 3)
	is.Equal(outcomes[0], core.PursuitMore)
	is.Equal(outcomes[1], core.PursuitMore)
	is.Equal(outcomes[len(outcomes)-1], core.PursuitMet)

	workers := s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS WHERE RUN_ID = ? AND WORKER_ID IS NOT NULL", d.RunID)
	is.True(workers >= 4 && workers <= 5) // 16 connections, or 20 where the server was slow
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'WORKER_ADDED'", d.RunID), workers)
	is.Equal(s.number(db, "SELECT TOTAL_WORKERS_EXPECTED FROM RUN_STATUS WHERE RUN_ID = ?", d.RunID), workers)
	c := s.certificate(t, db, d.RunID)
	is.Equal(len(c.Workers), int(workers))
	is.True(c.Clean)
	is.Equal(len(s.workers(d.RunID)), 0)
	s.checkConserved(t, db, d.RunID)

	var whole struct {
		Workers []struct {
			Total    struct{ Operations int64 }
			Coverage float64 `json:"coverage_percent"`
		} `json:"worker_results"`
	}
	is.NoErr(json.Unmarshal([]byte(o.stdout), &whole))
	is.Equal(len(whole.Workers), int(workers))
	share := d.Total.Operations / workers
	for _, w := range whole.Workers {
		if *launcherFlag == "local" { // all had joined before the measurement
			is.True(w.Total.Operations > share*9/10 && w.Total.Operations < share*11/10)
		}
		is.True(w.Coverage > 90)
	}
	is.True(d.Total.Operations > 1400 && d.Total.Operations <= 1510) // of 300 in 5 s

	text := s.must("status", d.RunID).stdout
	is.True(strings.Contains(text, " of at most 6 workers"))
}

// TestAcceptanceScalingAuto: of a rate, AUTO has the connections that 100 ms keep busy,
// which is one worker of 32, and adds workers for statements that take longer; of a
// number of connections, BOUNDED and AUTO have the fewest workers that may keep them.
func TestAcceptanceScalingAuto(t *testing.T) {
	once(t)
	s := newServerSite(t)
	s.must("template", "import", s.templates("auto.yaml"))
	db := s.openStore()
	defer db.Close()
	for _, tt := range []struct {
		name    string
		args    []string
		workers int64
		rate    float64 // of the operations
	}{
		{"AUTO of a rate", []string{"auto-open"}, 2, 100},
		{"AUTO of connections", []string{"auto-closed"}, 2, 40 / 0.05},
		{"BOUNDED of connections", []string{"auto-closed", "--set", "load.scaling=BOUNDED", "--set", "load.max_workers=8", "--set", "load.max_connections=15"}, 3, 40 / 0.05},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			args := append([]string{"run", "--output", "json"}, tt.args...)
			if *launcherFlag != "local" && tt.rate == 100 { // whose workers take longer to begin
				args = append(args, "--warmup", "45s")
			}
			d := s.must(args...).result(t)
			is.Equal(d.Status, "COMPLETED")
			is.True(d.Ledger.Balanced)
			is.Equal(s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS WHERE RUN_ID = ? AND WORKER_ID IS NOT NULL", d.RunID), tt.workers)
			is.True(d.Total.Throughput > 0.8*tt.rate && d.Total.Throughput <= 1.02*tt.rate)
			added := s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'WORKER_ADDED'", d.RunID)
			more := s.number(db, "SELECT COUNT(*) FROM CONTROLLER_STEP_HISTORY WHERE RUN_ID = ? AND OUTCOME = '"+core.PursuitMore+"'", d.RunID)
			if tt.rate == 100 {
				is.Equal(added, int64(2))
				is.Equal(more, int64(1))
			} else { // all from the beginning
				is.Equal(more, int64(0))
			}
			is.Equal(len(s.workers(d.RunID)), 0)
		})
	}
}

// Impossible bounds are refused before anything happens.
func TestAcceptanceScalingRefused(t *testing.T) {
	is := is.New(t)
	s := newServerSite(t)
	s.must("template", "import", s.templates("growing.yaml"))
	for set, says := range map[string]string{
		"load.workers=2":     "load.workers is 2, but load.scaling is BOUNDED",
		"load.min_workers=7": "load.min_workers is 7; allowed: 1 to load.max_workers, which is 6",
		"load.scaling=FIXED": "load.max_workers is 6, but load.scaling is FIXED",
	} {
		o := s.do("run", "growing", "--set", set)
		is.True(o.code != 0)
		is.True(strings.Contains(o.stderr, says))
	}
	is.Equal(len(s.runs()), 0)
}
