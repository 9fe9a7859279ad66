//go:build unix

package acceptance

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// breakJobs lets something go wrong with the site's job services.
func (s *site) breakJobs(fault snowflaketest.ServiceFault) {
	s.t.Helper()
	if fault.Match == "" {
		fault.Match = "^" + regexp.QuoteMeta(s.services) + `\.`
	}
	s.cloud().BreakServices(s.t, fault)
}

// TestAcceptanceSPCSNeverStarts: workers that the platform lets wait end the start
// when its time is up. Why they wait is shown while they do, and is the reason of
// the run; nothing is left of them.
func TestAcceptanceSPCSNeverStarts(t *testing.T) {
	onlyJobs(t)
	s := newSite(t)
	for _, tt := range []struct {
		fault string
		says  string
	}{
		{snowflaketest.PoolExhausted, "maximum node limit"},
		{snowflaketest.ProviderCapacity, "CAPACITY_ERROR"},
		{snowflaketest.ImagePull, "Failed to pull image"},
		{snowflaketest.Unschedulable, "Unschedulable"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			is := is.New(t)
			s := s.in(t)
			fault := snowflaketest.ServiceFault{Kind: tt.fault}
			if tt.fault == snowflaketest.PoolExhausted || tt.fault == snowflaketest.ProviderCapacity {
				fault.Match = s.job["pool"]
			}
			s.breakJobs(fault)
			begun := time.Now()
			o := s.do("run", "short", "--set", "limits.start_timeout=8s")
			t.Log(o)
			is.Equal(o.code, 5)
			live, _, _ := strings.Cut(o.stderr, "CANCELLING")
			is.True(strings.Contains(live, tt.says)) // while they wait
			db := s.db()
			run := s.newest(db)
			s.checkEnded(t, db, run, "FAILED", string(core.StartTimeout))
			detail := s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run)
			is.True(strings.Contains(detail, tt.says))
			is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", run), int64(0))
			t.Logf("over after %.1fs: %s", time.Since(begun).Seconds(), detail)
		})
	}
}

// TestAcceptanceSPCSRefusedAtLaunch: what the platform says of a launch is the
// reason of the run, with what to do about it, and jobs that were made are ended.
func TestAcceptanceSPCSRefusedAtLaunch(t *testing.T) {
	onlyJobs(t)
	s := newSite(t)
	for _, tt := range []struct {
		name   string
		number int
		state  string
		text   string
		says   []string
	}{
		{"the specification", 395018, "22023", "Invalid spec: unknown option 'x' for 'y'.", []string{"395018", "Invalid spec", "options of the launcher"}},
		{"a privilege", 3001, "42501", "SQL access control error: Insufficient privileges to operate on schema", []string{"Insufficient privileges", "GRANT"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			s := s.in(t)
			s.cloud().Break(t, snowflaketest.Fault{
				Kind: snowflaketest.SQLError, Match: `(?s)^EXECUTE JOB SERVICE.*` + regexp.QuoteMeta(s.services), Skip: 1,
				Number: tt.number, State: tt.state, Message: tt.text,
			})
			o := s.do("run", "short")
			t.Log(o)
			is.Equal(o.code, 5)
			db := s.db()
			run := s.newest(db)
			s.checkEnded(t, db, run, "FAILED", string(core.LaunchRefused))
			detail := s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run)
			for _, text := range tt.says {
				if !strings.Contains(detail, text) {
					t.Errorf("%q is not in the reason: %s", text, detail)
				}
			}
		})
	}
}

// TestAcceptanceSPCSEvicted: a node that Snowflake maintains ends the job on it. The
// run fails, names the worker, and leaves what was measured until then.
func TestAcceptanceSPCSEvicted(t *testing.T) {
	onlyJobs(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "2m")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	until(t, 10*time.Second, "operations are counted", func() bool {
		return s.number(db, "SELECT TOTAL_OPS FROM RUN_STATUS WHERE RUN_ID = ?", run) > 0
	})
	jobs := s.show("SHOW JOB SERVICES IN SCHEMA " + s.services)
	i := slices.IndexFunc(jobs, func(job map[string]string) bool { return strings.Contains(job["comment"], "worker-1") })
	is.True(i >= 0)
	s.breakJobs(snowflaketest.ServiceFault{Kind: snowflaketest.Evict, Match: regexp.QuoteMeta(jobs[i]["name"])})
	o := running.wait(30 * time.Second)
	t.Log(o)
	is.Equal(o.code, 5)
	c := s.checkEnded(t, db, run, "FAILED", "WORKER_LOST")
	is.True(c.Workers[1].BeforeStop)
	is.True(strings.Contains(s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run), "worker-1"))
	is.True(s.number(db, "SELECT TOTAL_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run) > 0)
}

// TestAcceptanceSPCSLate: jobs that start seconds apart, and a platform that tells
// late what has become of them, cost time and nothing else.
func TestAcceptanceSPCSLate(t *testing.T) {
	onlyJobs(t)
	is := is.New(t)
	s := newSite(t)
	s.breakJobs(snowflaketest.ServiceFault{Kind: snowflaketest.LateStatus, DelayMS: 3000})
	s.cloud().BreakServices(t, snowflaketest.ServiceFault{Kind: snowflaketest.StartGap, DelayMS: 2000})
	o := s.do("run", "short")
	t.Log(o)
	is.True(measured(o.code))
	db := s.db()
	run := s.newest(db)
	is.True(s.checkSurvived(t, db, run).Clean)
	s.cloud().MendServices(t)
}
