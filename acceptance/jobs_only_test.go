//go:build unix

package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// onlyJobs skips a test that is about job services alone.
func onlyJobs(t *testing.T) {
	t.Helper()
	needs(t, launcherFlag, "spcs", "it is about job services")
}

// TestAcceptanceSPCSHealth: a worker in a job is asked from inside by a person, and
// by the platform, which finds its container ready.
func TestAcceptanceSPCSHealth(t *testing.T) {
	onlyJobs(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "2m")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	is.Equal(engine(t, "exec", s.worker(run, "worker-1"), "/benchfleet", "health"), "worker RUNNING: live true, ready true\n")
	h := page{http.StatusOK, engine(t, "exec", s.worker(run, "worker-1"), "/benchfleet", "health", "--output", "json")}.health(t)
	is.Equal([]string{h.Role, h.RunID, h.WorkerID}, []string{"worker", run, "worker-1"})
	listed := s.show("SHOW JOB SERVICES IN SCHEMA " + s.services)
	is.Equal(len(listed), 3)
	for _, job := range listed {
		is.Equal(job["status"], "RUNNING")
		is.True(strings.HasPrefix(job["name"], "BF_"))
		is.True(json.Valid([]byte(job["comment"])))
		is.True(strings.Contains(job["comment"], run))
		until(t, 30*time.Second, "the platform finds it ready", func() bool {
			inside := s.show("SHOW SERVICE CONTAINERS IN SERVICE " + s.services + "." + job["name"])
			return len(inside) == 1 && inside[0]["status"] == "READY"
		})
	}
	s.must("stop", run)
	is.Equal(running.wait(30*time.Second).code, 3)
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
}

// TestAcceptanceSPCSSecrets: the password by which the orchestrator logs in is
// nowhere in a job: workers log in by the token that the platform gives them.
func TestAcceptanceSPCSSecrets(t *testing.T) {
	onlyJobs(t)
	is := is.New(t)
	s := newSite(t)
	password := s.cloud().Password
	is.True(len(password) > 10)
	after := s.cloud().Received(t)
	db := s.db()
	run := strings.TrimSpace(s.must("run", "short", "--duration", "1m", "--detach").stdout)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	workers := s.workers(run)
	is.Equal(len(workers), 3)
	seen := map[string]string{}
	for _, id := range workers {
		for _, look := range []string{"inspect", "logs", "top"} {
			seen["docker "+look] += engine(t, look, id)
		}
	}
	is.True(strings.Contains(seen["docker inspect"], "BENCHFLEET_STORE=snowflake:"))
	is.True(strings.Contains(seen["docker inspect"], "authenticator=OAUTH"))
	for _, job := range s.show("SHOW JOB SERVICES IN SCHEMA " + s.services) {
		description, err := json.Marshal(s.show("DESCRIBE SERVICE " + s.services + "." + job["name"]))
		is.NoErr(err)
		seen["specifications"] += string(description)
	}
	is.True(strings.Contains(seen["specifications"], "authenticator=OAUTH"))
	stop := s.must("stop", run)
	seen["stop"] = stop.stdout + stop.stderr
	seen["logs"] = s.must("logs", run).stdout
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	statements, _ := s.cloud().Statements(t, after)
	for _, x := range statements {
		seen["statements"] += x.SQL + "\n"
	}
	is.True(strings.Contains(seen["statements"], "EXECUTE JOB SERVICE"))
	for where, text := range seen {
		if strings.Contains(text, password) {
			t.Errorf("%s tells the password", where)
		}
	}
	until(t, 10*time.Second, "its orchestrator is gone", func() bool { return len(orchestrators(t, run)) == 0 })
}

// TestAcceptanceSPCSKilledWhileStarting: an orchestrator that dies while its workers
// start leaves jobs, and gc ends and drops them.
func TestAcceptanceSPCSKilledWhileStarting(t *testing.T) {
	onlyJobs(t)
	killWhileStarting(t)
}

// TestAcceptanceSPCSFromElsewhere: whoever has the login and the options drives a
// run on, with nothing of the machine that began it, and stops another.
func TestAcceptanceSPCSFromElsewhere(t *testing.T) {
	onlyJobs(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	elsewhere := *s
	elsewhere.dir = filepath.Join(t.TempDir(), "elsewhere")
	running := s.start("run", "short", "--duration", "8s", "--set", "limits.owner_lease=3s")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	running.signal(syscall.SIGKILL)
	running.wait(5 * time.Second)
	o := elsewhere.start("orchestrator", "--run", run).wait(60 * time.Second)
	t.Log(o)
	is.Equal(o.code, 0)
	c := s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
	is.True(c.Clean)
	s.checkConserved(t, db, run)
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'OWNER_CHANGED'", run), int64(1))

	another := *s
	another.dir = filepath.Join(t.TempDir(), "not", "there", "yet")
	run = strings.TrimSpace(another.must("run", "short", "--duration", "5m", "--detach").stdout)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	is.Equal(elsewhere.must("stop", run, "--reason", "from elsewhere").code, 0)
	until(t, 10*time.Second, "its orchestrator is gone", func() bool { return len(orchestrators(t, run)) == 0 })
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
}

// TestAcceptanceSPCSInside: the command that drives the run is a job service too.
// Nothing of it is outside of Snowflake, and no login goes anywhere.
func TestAcceptanceSPCSInside(t *testing.T) {
	onlyJobs(t)
	needs(t, targetFlag, "snowflake", "a secret's text is not in a job's own environment")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	inside := func(variable, prefix string) string {
		address, err := snowflake.ServiceAddress(strings.TrimPrefix(s.variable(variable), prefix), nil)
		is.NoErr(err)
		return prefix + address
	}
	specification, err := json.Marshal(map[string]any{"spec": map[string]any{
		"containers": []map[string]any{{
			"name": "run", "image": s.job["image"], "args": []string{"run", "short", "--dir", "/data"},
			"env": map[string]string{
				"BENCHFLEET_STORE": inside("BENCHFLEET_STORE", "snowflake:"), "BENCHFLEET_ENDPOINT_LOCAL": inside("BENCHFLEET_ENDPOINT_LOCAL", ""),
				"BENCHFLEET_LAUNCHER": "spcs", "BENCHFLEET_LAUNCHER_OPTION": s.variable("BENCHFLEET_LAUNCHER_OPTION"),
			},
			"volumeMounts": []map[string]string{{"name": "data", "mountPath": "/data"}},
		}},
		"volumes": []map[string]string{{"name": "data", "source": "memory", "size": "64Mi"}},
	}})
	is.NoErr(err)
	job := s.services + ".THE_RUN"
	s.cloud().SQL(t, fmt.Sprintf("EXECUTE JOB SERVICE IN COMPUTE POOL %s NAME = %s ASYNC = TRUE QUERY_WAREHOUSE = %s FROM SPECIFICATION $$%s$$",
		s.job["pool"], job, s.job["warehouse"], specification))
	var ended map[string]string
	until(t, 90*time.Second, "the job has ended", func() bool {
		ended = s.show("SHOW SERVICE CONTAINERS IN SERVICE " + job)[0]
		return ended["last_exit_code"] != ""
	})
	log := s.show("SELECT SYSTEM$GET_SERVICE_LOGS('" + job + "', 0, 'run') AS LOG")[0]["LOG"]
	t.Log(log)
	is.Equal(ended["last_exit_code"], "0")
	is.True(strings.Contains(log, "COMPLETED (ELAPSED)"))
	is.True(!strings.Contains(log, s.cloud().Password))
	s.cloud().SQL(t, "DROP SERVICE "+job)
	run := s.newest(db)
	s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
	s.checkConserved(t, db, run)
}

// TestAcceptanceSPCSBuilds: Snowflake does not tell of what build an image is, so
// workers of another one are refused when they register, and nothing is left.
func TestAcceptanceSPCSBuilds(t *testing.T) {
	onlyJobs(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	own, err := buildOf(binary)
	is.NoErr(err)
	other := otherBinary(t)
	build, err := buildOf(other)
	is.NoErr(err)
	is.True(build.ID != own.ID)
	s.launch("image", s.pushed(s.imageOf(other, own.ID)))
	o := s.do("run", "short")
	t.Log(o)
	is.Equal(o.code, 5)
	run := s.newest(db)
	s.checkEnded(t, db, run, "FAILED", string(core.LaunchRefused))
	detail := s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run)
	is.True(strings.Contains(detail, own.ID) && strings.Contains(detail, build.ID))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", run), int64(0))
}
