package spcs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/spcs"
)

const (
	twoCPUs = `"resources":{"requests":{"cpu":"2","memory":"1Gi"}}` // one to a node
	poolRow = "DESCRIBE COMPUTE POOL pool"
)

// box is the first container of a job.
func box(name string) string { return "SHOW SERVICE CONTAINERS IN SERVICE DB.SERVICES." + name }

// control asks the stand-in about its services.
func (x *standIn) control(t *testing.T, method, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, x.address+"/snowlocal/spcs", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (x *standIn) breaks(t *testing.T, fault string) {
	t.Helper()
	if status, text := x.control(t, http.MethodPost, fault); status != http.StatusOK {
		t.Fatalf("%s: %d %s", fault, status, text)
	}
}

// dockerID is Docker's id of the first container of a service, "" while there is none.
func (x *standIn) dockerID(t *testing.T, name string) string {
	t.Helper()
	_, text := x.control(t, http.MethodGet, "")
	var answer struct {
		Services []struct {
			Name       string
			Containers []struct{ Docker string }
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, s := range answer.Services {
		if s.Name == name && len(s.Containers) > 0 {
			return s.Containers[0].Docker
		}
	}
	return ""
}

func (x *standIn) mend(t *testing.T) {
	t.Helper()
	if status, text := x.control(t, http.MethodDelete, ""); status != http.StatusNoContent {
		t.Fatalf("mending: %d %s", status, text)
	}
}

// A pool has as many nodes as it may; who finds none waits, and is told why.
func TestPoolIsLimited(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	is.Equal(rows(t, db, "SHOW COMPUTE POOLS LIKE 'po%'")[0]["state"], "IDLE")
	for _, name := range []string{"A", "B"} {
		exec1(t, db, job(name, "term:0", twoCPUs))
		until(t, db, fmt.Sprintf(statusOf, name), "status", "RUNNING")
	}
	p := rows(t, db, poolRow)[0]
	is.Equal(p["state"], "ACTIVE")
	is.Equal(p["active_nodes"], "2")
	is.Equal(p["num_services"], "2")
	is.Equal(p["error_code"], "NULL")
	exec1(t, db, job("C", "exit:0", twoCPUs))
	until(t, db, box("C"), "message", "Unschedulable due to insufficient cpu resources")
	is.Equal(rows(t, db, box("C"))[0]["status"], "PENDING")
	is.Equal(rows(t, db, fmt.Sprintf(statusOf, "C"))[0]["status"], "PENDING")
	p = rows(t, db, poolRow)[0]
	is.Equal(p["error_code"], "392508")
	is.True(strings.Contains(p["status_message"], "maximum node limit"))
	is.True(number(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('DB.SERVICES.C', 0, 'worker', 1)") != 0) // it has none yet
	exec1(t, db, "DROP SERVICE A")
	until(t, db, fmt.Sprintf(statusOf, "C"), "status", "DONE")
	exec1(t, db, job("D", "term:0", twoCPUs))
	until(t, db, fmt.Sprintf(statusOf, "D"), "status", "RUNNING")
	exec1(t, db, "ALTER COMPUTE POOL pool SET MAX_NODES = 1") // and with the second node goes what runs there
	ended := func(name string) bool { return rows(t, db, fmt.Sprintf(statusOf, name))[0]["status"] == "FAILED" }
	for late := time.Now().Add(testTimeout); !ended("B") && !ended("D"); time.Sleep(20 * time.Millisecond) {
		is.True(time.Now().Before(late))
	}
	is.True(ended("B") != ended("D"))
	exec1(t, db, "CALL B!SPCS_CANCEL_JOB()")
	exec1(t, db, "CALL D!SPCS_CANCEL_JOB()")
	until(t, db, poolRow, "state", "IDLE")

	exec1(t, db, job("WAITS", "exit:0", `"resources":{"requests":{"memory":"13Gi"}}`)) // a node of its own
	until(t, db, fmt.Sprintf(statusOf, "WAITS"), "status", "DONE")
	is.Equal(number(t, db, job("LARGE", "exit:0", `"resources":{"requests":{"memory":"14Gi"}}`)), 395018)
	is.Equal(number(t, db, job("WIDE", "exit:0", `"resources":{"requests":{"cpu":4}}`)), 395018)
}

// What waits can be cancelled, and has never run.
func TestCancelledWhileItWaits(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	x.breaks(t, `{"kind": "unschedulable", "match": "WAITS"}`)
	exec1(t, db, job("WAITS", "exit:0", ""))
	until(t, db, box("WAITS"), "message", "Unschedulable")
	is.Equal(number(t, db, "DROP COMPUTE POOL pool"), 392504) // somebody waits for it
	exec1(t, db, "CALL WAITS!SPCS_CANCEL_JOB()")
	until(t, db, fmt.Sprintf(statusOf, "WAITS"), "status", "CANCELLED")
	is.Equal(rows(t, db, box("WAITS"))[0]["last_exit_code"], "NULL")
	exec1(t, db, "DROP SERVICE WAITS")
	is.Equal(number(t, db, "DESCRIBE SERVICE WAITS"), 2003)
}

// A pool that is suspended resumes for a job, if it may; one that resumes by hand
// refuses it. SUSPEND lets what runs end, STOP ALL ends it.
func TestPoolStates(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, "CREATE COMPUTE POOL IF NOT EXISTS q MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS AUTO_RESUME = FALSE INITIALLY_SUSPENDED = TRUE AUTO_SUSPEND_SECS = 0 COMMENT = 'c'")
	is.Equal(number(t, db, "CREATE COMPUTE POOL q MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS"), 2002)
	is.True(number(t, db, "CREATE COMPUTE POOL r MIN_NODES = 2 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS") != 0)
	is.True(number(t, db, "CREATE COMPUTE POOL r MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = HUGE") != 0)
	q := rows(t, db, "SHOW COMPUTE POOLS LIKE 'Q'")[0]
	is.Equal(q["state"], "SUSPENDED")
	is.Equal(q["auto_resume"], "false")
	inQ := strings.NewReplacer("POOL POOL", "POOL Q")
	is.Equal(number(t, db, inQ.Replace(job("NO", "exit:0", ""))), 392503)
	x.breaks(t, `{"kind": "node_delay", "match": "^Q$", "delay_ms": 1500}`)
	exec1(t, db, "ALTER COMPUTE POOL q RESUME")
	exec1(t, db, inQ.Replace(job("YES", "term:0", "")))
	is.Equal(rows(t, db, "DESCRIBE COMPUTE POOL q")[0]["state"], "STARTING")
	until(t, db, box("YES"), "message", "Compute pool node(s) are being provisioned")
	until(t, db, fmt.Sprintf(statusOf, "YES"), "status", "RUNNING")
	x.mend(t)
	exec1(t, db, "ALTER COMPUTE POOL q SUSPEND")
	is.Equal(rows(t, db, "DESCRIBE COMPUTE POOL q")[0]["state"], "STOPPING")
	is.Equal(rows(t, db, fmt.Sprintf(statusOf, "YES"))[0]["status"], "RUNNING")
	is.True(number(t, db, "DROP COMPUTE POOL q") != 0)
	exec1(t, db, "CALL YES!SPCS_CANCEL_JOB()")
	until(t, db, "DESCRIBE COMPUTE POOL q", "state", "SUSPENDED")
	exec1(t, db, "ALTER COMPUTE POOL q SET AUTO_RESUME = TRUE")
	exec1(t, db, inQ.Replace(job("AGAIN", "term:0", "")))
	until(t, db, fmt.Sprintf(statusOf, "AGAIN"), "status", "RUNNING")
	exec1(t, db, "ALTER COMPUTE POOL q STOP ALL")
	untilGone(t, db, "SHOW SERVICES IN COMPUTE POOL q")
	exec1(t, db, "DROP COMPUTE POOL q")
	is.Equal(number(t, db, "DESCRIBE COMPUTE POOL q"), 2003)
	is.Equal(number(t, db, inQ.Replace(job("LATE", "exit:0", ""))), 2003)
}

// An idle pool suspends itself.
func TestPoolSuspendsItself(t *testing.T) {
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, "CREATE COMPUTE POOL lazy MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS AUTO_SUSPEND_SECS = 1")
	until(t, db, "SHOW COMPUTE POOLS LIKE 'LAZY'", "state", "SUSPENDED")
}

// Faults keep jobs waiting, for the reason that Snowflake would say, until they are
// mended.
func TestFaultsOfStart(t *testing.T) {
	x := start(t, nil)
	db := x.open(t, nil)
	for i, tc := range []struct{ fault, message, code string }{
		{"pool_exhausted", "Unschedulable due to insufficient", "392508"},
		{"provider_capacity", "Compute pool node(s) are being provisioned", "392507"},
		{"unschedulable", "Unschedulable due to insufficient memory resources", "NULL"},
		{"image_pull", "Failed to pull image", "NULL"},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			is := is.New(t)
			x.breaks(t, `[{"kind": "`+tc.fault+`", "match": "J[0-9]$"}]`)
			name := fmt.Sprintf("J%d", i)
			exec1(t, db, job(name, "exit:0", ""))
			until(t, db, box(name), "message", tc.message)
			is.Equal(rows(t, db, box(name))[0]["status"], "PENDING")
			is.Equal(rows(t, db, poolRow)[0]["error_code"], tc.code)
			exec1(t, db, job("OTHER"+name, "exit:0", "")) // others are not meant
			if name = "OTHER" + name; tc.fault == "unschedulable" {
				name = "J2"
			}
			x.mend(t)
			until(t, db, fmt.Sprintf(statusOf, name), "status", "DONE")
		})
	}
	for _, body := range []string{`{"kind": "none"}`, `{"kind": "evict", "delay_ms": 1}`, `{"kind": "late_status"}`, `{"kind": "evict", "match": "("}`, `{"kinds": 1}`, `nothing`} {
		if status, text := x.control(t, http.MethodPost, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

// An image that is not there yet is waited for.
func TestImageComesLate(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, strings.Replace(job("EARLY", "exit:0", ""), "worker:v1", "later:v2", 1))
	until(t, db, box("EARLY"), "message", "Failed to pull image")
	images := "SHOW IMAGES IN IMAGE REPOSITORY DB.SERVICES.IMAGES"
	is.Equal(len(rows(t, db, images)), 1)
	x.push(t, shared.host, "later:v2")
	until(t, db, fmt.Sprintf(statusOf, "EARLY"), "status", "DONE")
	all := rows(t, db, images)
	is.Equal(len(all), 2)
	is.Equal(all[0]["image_name"], "later")
	is.Equal(all[0]["tags"], "v2")
	is.Equal(all[0]["image_path"], "db/services/images/later:v2")
	is.Equal(all[0]["digest"], rows(t, db, box("EARLY"))[0]["image_digest"])
	is.Equal(number(t, db, strings.Replace(job("NOWHERE", "exit:0", ""), "services/images", "services/other", 1)), 2003)
	exec1(t, db, "CREATE IMAGE REPOSITORY other")
	is.Equal(rows(t, db, "SHOW IMAGE REPOSITORIES LIKE 'OTHER'")[0]["repository_url"], "standin.registry.snowflakecomputing.com/db/services/other")
	exec1(t, db, "DROP IMAGE REPOSITORY other")
}

// Maintenance ends a job, which has failed and stays so; a service starts anew.
func TestEviction(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, job("J", "term:0", ""))
	exec1(t, db, "CREATE SERVICE s IN COMPUTE POOL pool FROM SPECIFICATION $$"+spec("term:0", "")+"$$")
	until(t, db, fmt.Sprintf(statusOf, "J"), "status", "RUNNING")
	until(t, db, "SHOW SERVICES LIKE 'S'", "status", "RUNNING")
	first := x.dockerID(t, "DB.SERVICES.S")
	x.breaks(t, `{"kind": "evict"}`)
	until(t, db, fmt.Sprintf(statusOf, "J"), "status", "FAILED")
	is.True(strings.Contains(rows(t, db, box("J"))[0]["message"], "maintenance"))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(testTimeout); ; <-tick.C {
		if id := x.dockerID(t, "DB.SERVICES.S"); id != "" && id != first {
			break
		}
		is.True(time.Now().Before(late))
	}
	until(t, db, box("S"), "status", "READY")
	x.breaks(t, `{"kind": "lost_logs", "match": "\\.J$"}`)
	is.Equal(rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('J', 0, 'worker', 10) AS L")[0]["L"], "")
}

// Status is told late, and starts are seconds apart, when that is asked.
func TestFaultsOfTime(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	x.breaks(t, `[{"kind": "late_status", "match": "LATE", "delay_ms": 2000}, {"kind": "start_gap", "match": "APART", "delay_ms": 1000}]`)
	begun := time.Now()
	exec1(t, db, job("LATE", "exit:0", ""))
	is.Equal(rows(t, db, fmt.Sprintf(statusOf, "LATE"))[0]["status"], "PENDING")
	until(t, db, fmt.Sprintf(statusOf, "LATE"), "status", "DONE")
	is.True(time.Since(begun) > 2*time.Second)
	begun = time.Now()
	for i := range 3 {
		exec1(t, db, job(fmt.Sprintf("APART%d", i), "exit:0", ""))
	}
	for i := range 3 {
		until(t, db, fmt.Sprintf(statusOf, fmt.Sprintf("APART%d", i)), "status", "DONE")
	}
	is.True(time.Since(begun) > 2*time.Second)
}

// What a stand-in leaves behind that was killed is removed by the next one, and
// what another stand-in runs is not.
func TestSweep(t *testing.T) {
	is := is.New(t)
	folders := map[string]string{}
	note := func(name string) func(*spcs.Options) {
		return func(o *spcs.Options) { folders[name] = o.Folder }
	}
	x := start(t, note("lives"))
	db := x.open(t, nil)
	exec1(t, db, job("STAYS", "term:0", ""))
	until(t, db, fmt.Sprintf(statusOf, "STAYS"), "status", "RUNNING")
	orphan := orphaned(t)
	is.True(left(t, orphan) != "")
	start(t, note("next"))
	is.Equal(left(t, orphan), "")
	is.True(left(t, folders["lives"]) != "")
	is.Equal(rows(t, db, fmt.Sprintf(statusOf, "STAYS"))[0]["status"], "RUNNING")
}
