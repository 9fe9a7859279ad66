package spcs_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// get asks an endpoint until it answers with a status.
func get(t *testing.T, address, path string, status int) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for late := time.Now().Add(testTimeout); ; <-tick.C {
		answer, err := client.Get("http://" + address + path)
		if err == nil {
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == status {
				return string(text)
			}
			err = fmt.Errorf("%s: %s", answer.Status, text)
		}
		if time.Now().After(late) {
			t.Fatalf("%s%s: %v", address, path, err)
		}
	}
}

const serving = `"readinessProbe":{"port":8080,"path":"/health"}`

func withEndpoint(text string) string {
	return strings.Replace(text, `{"spec":{`, `{"spec":{"endpoints":[{"name":"web","port":8080,"public":true},{"name":"inner","port":8081,"protocol":"TCP"}],`, 1)
}

// A long-running service is started again when it exits, keeps its endpoint over
// restarts, upgrades and suspension, and ends with DROP alone.
func TestLongRunningService(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, "USE ROLE ACCOUNTADMIN") // for the public endpoint
	exec1(t, db, "CREATE SERVICE IF NOT EXISTS web IN COMPUTE POOL pool FROM SPECIFICATION $$"+withEndpoint(spec("serve:8080;term:0", serving))+"$$ MIN_INSTANCES = 1 MAX_INSTANCES = 1")
	state := "SHOW SERVICES LIKE 'WEB' IN SCHEMA DB.SERVICES"
	s := until(t, db, state, "status", "RUNNING")
	is.Equal(s["is_job"], "false")
	is.Equal(s["current_instances"], "1")
	is.Equal(len(rows(t, db, "SHOW SERVICES EXCLUDE JOBS")), 1)
	is.Equal(len(rows(t, db, "SHOW JOB SERVICES")), 0)
	e := rows(t, db, "SHOW ENDPOINTS IN SERVICE web")
	is.Equal(len(e), 2)
	is.Equal(e[1]["ingress_url"], "NULL") // it is not public
	at := e[0]["ingress_url"]
	is.True(strings.HasPrefix(at, "127.0.0.1:"))
	is.Equal(get(t, at, "/", 200), "WEB for BENCH")

	client := http.Client{Timeout: 5 * time.Second}
	if answer, err := client.Get("http://" + at + "/exit"); err == nil { // its container ends before it answers
		is.Equal(answer.StatusCode, http.StatusBadGateway)
		_ = answer.Body.Close()
	}
	box := "SHOW SERVICE CONTAINERS IN SERVICE web"
	c := until(t, db, box, "restart_count", "1")
	is.Equal(c["last_exit_code"], "9")
	is.True(c["last_restart_time"] != "NULL")
	until(t, db, box, "status", "READY")
	is.Equal(get(t, at, "/", 200), "WEB for BENCH")

	exec1(t, db, "ALTER SERVICE web SUSPEND")
	until(t, db, state, "status", "SUSPENDED")
	get(t, at, "/", http.StatusServiceUnavailable)
	exec1(t, db, "ALTER SERVICE web RESUME")
	until(t, db, state, "status", "RUNNING")

	is.Equal(number(t, db, "ALTER SERVICE web FROM SPECIFICATION $$"+spec("exit:0", `"unknown":1`)+"$$"), 395018)
	exec1(t, db, "ALTER SERVICE web FROM SPECIFICATION $$"+withEndpoint(strings.Replace(spec("say:second;serve:8080;term:0", serving), `"worker"`, `"next"`, 1))+"$$")
	until(t, db, "SHOW SERVICE CONTAINERS IN SERVICE web", "container_name", "next")
	until(t, db, state, "status", "RUNNING")
	is.Equal(get(t, at, "/", 200), "WEB for BENCH")
	exec1(t, db, "ALTER SERVICE web SET MIN_INSTANCES = 2 MAX_INSTANCES = 2 COMMENT = 'two'")
	until(t, db, state, "current_instances", "2")
	is.Equal(rows(t, db, state)[0]["comment"], "two")
	is.Equal(len(rows(t, db, "SHOW SERVICE INSTANCES IN SERVICE web")), 2)
	exec1(t, db, "DROP SERVICE web")
	untilGone(t, db, state)
	if answer, err := client.Get("http://" + at + "/"); err == nil {
		_ = answer.Body.Close()
		t.Errorf("the endpoint answers: %s", answer.Status)
	}
}

// untilGone waits until a listing is empty.
func untilGone(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(testTimeout); len(rows(t, db, query)) > 0; <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("%s: still there: %v", query, rows(t, db, query))
		}
	}
}

// A synchronous job is waited for; one that fails fails the statement. The replicas
// of a batch job know which one they are.
func TestSynchronousAndBatch(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	sync := strings.NewReplacer("ASYNC = TRUE", "REPLICAS = 2")
	exec1(t, db, sync.Replace(job("TWO", "env", "")))
	s := rows(t, db, fmt.Sprintf(statusOf, "TWO"))[0]
	is.Equal(s["status"], "DONE")
	is.Equal(s["is_async_job"], "false")
	for _, i := range []string{"0", "1"} {
		log := rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('DB.SERVICES.TWO', "+i+", 'worker')AS L")[0]["L"]
		is.True(strings.Contains(log, "SNOWFLAKE_JOBS_COUNT=2"))
		is.True(strings.Contains(log, "SNOWFLAKE_JOB_INDEX="+i))
	}
	is.True(number(t, db, strings.Replace(job("BAD", "exit:5", ""), "ASYNC = TRUE", "", 1)) != 0)
	is.Equal(rows(t, db, "SHOW SERVICE CONTAINERS IN SERVICE BAD")[0]["last_exit_code"], "5")
	is.Equal(rows(t, db, "DESCRIBE SERVICE BAD")[0]["status"], "FAILED")
	is.True(number(t, db, "CALL BAD!SPCS_WAIT_FOR('DONE', 10)") != 0) // it cannot come
	exec1(t, db, job("SHORT", "sleep:300", ""))
	exec1(t, db, "CALL SHORT!SPCS_WAIT_FOR('DONE', 20)")
	is.Equal(rows(t, db, "SELECT SYSTEM$WAIT_FOR_SERVICES(20, 'SHORT', 'TWO') AS W")[0]["W"], "All services are ready.")
	is.True(strings.Contains(rows(t, db, "SELECT SYSTEM$GET_SERVICE_STATUS('SHORT') AS S")[0]["S"], `"containerName":"worker"`))
}

// Who cancels the statement of a synchronous job cancels the job, as a timeout of
// the statement does.
func TestSynchronousJobIsCancelled(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	watch := x.open(t, nil)
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, 1)
	db := x.open(t, nil)
	go func() {
		_, err := db.ExecContext(ctx, strings.Replace(job("J", "term:0", ""), "ASYNC = TRUE", "", 1))
		ended <- err
	}()
	until(t, watch, fmt.Sprintf(statusOf, "J"), "status", "RUNNING")
	cancel()
	is.True(errors.Is(<-ended, context.Canceled))
	until(t, watch, fmt.Sprintf(statusOf, "J"), "status", "CANCELLED")
	exec1(t, watch, "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
	is.Equal(number(t, watch, strings.Replace(job("K", "term:0", ""), "ASYNC = TRUE", "", 1)), 630)
	until(t, watch, fmt.Sprintf(statusOf, "K"), "status", "CANCELLED")
}

// Values and names may be bound; a name that is a bare placeholder is refused.
func TestBinds(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, "EXECUTE JOB SERVICE IN COMPUTE POOL IDENTIFIER(?) NAME = IDENTIFIER(?) ASYNC = TRUE REPLICAS = ? QUERY_WAREHOUSE = IDENTIFIER(?) COMMENT = ? FROM SPECIFICATION ?",
		"POOL", "DB.SERVICES.BOUND", 2, "WH", "it's bound", spec("exit:0", ""))
	j := until(t, db, fmt.Sprintf(statusOf, "BOUND"), "status", "DONE")
	is.Equal(j["comment"], "it's bound")
	is.Equal(j["min_instances"], "2")
	is.Equal(len(rows(t, db, "SHOW SERVICE INSTANCES IN SERVICE IDENTIFIER(?)", "DB.SERVICES.BOUND")), 2)
	is.Equal(len(rows(t, db, "SHOW COMPUTE POOLS LIKE ?", "po_l")), 1)
	is.Equal(len(rows(t, db, `SHOW JOB SERVICES LIKE 'BO\\_ND' IN SCHEMA DB.SERVICES`)), 0)
	is.Equal(number(t, db, "DESCRIBE SERVICE ?", "BOUND"), 1003)
	for _, wrong := range []string{
		"EXECUTE JOB SERVICE IN COMPUTE POOL POOL FROM SPECIFICATION $$" + spec("exit:0", "") + "$$ NAME = LATE", // properties come before
		"EXECUTE JOB SERVICE IN COMPUTE POOL POOL NAME = A NAME = B FROM SPECIFICATION $$x$$",
		"EXECUTE JOB SERVICE IN COMPUTE POOL POOL NAME = \"lower\" FROM SPECIFICATION $$" + spec("exit:0", "") + "$$",
		"EXECUTE JOB SERVICE IN COMPUTE POOL POOL REPLICAS = 0 FROM SPECIFICATION $$x$$",
		"SHOW SERVICES THERE",
	} {
		is.Equal(number(t, db, wrong), 1003)
	}
	is.Equal(number(t, db, "EXECUTE JOB SERVICE IN COMPUTE POOL POOL MIN_INSTANCES = 1 FROM SPECIFICATION $$x$$"), 1420)
	is.Equal(number(t, db, "EXECUTE JOB SERVICE IN COMPUTE POOL POOL FROM @stage SPECIFICATION_FILE = 'x'"), 2)
	is.Equal(number(t, db, job("BOUND", "exit:0", "")), 2002) // it has ended, and its name is taken
	is.Equal(number(t, db, job("J", "exit:0", `"oops":1`)), 395018)
	is.Equal(number(t, db, "ALTER SERVICE BOUND SUSPEND"), 395024) // a job is not altered
}

// The secrets of a specification are variables or files, and shown nowhere.
func TestSecrets(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, "CREATE SECRET dsn TYPE = GENERIC_STRING SECRET_STRING = 'postgres://u:p@h/d' COMMENT = 'a target'")
	exec1(t, db, "CREATE OR REPLACE SECRET DB.SERVICES.login TYPE = PASSWORD USERNAME = 'u' PASSWORD = 'hush'")
	is.Equal(number(t, db, "CREATE SECRET dsn TYPE = GENERIC_STRING SECRET_STRING = 'x'"), 2002)
	is.True(number(t, db, "CREATE SECRET s TYPE = GENERIC_STRING") != 0)
	is.Equal(len(rows(t, db, "SHOW SECRETS IN SCHEMA DB.SERVICES")), 2)
	is.Equal(rows(t, db, "DESCRIBE SECRET dsn")[0]["secret_type"], "GENERIC_STRING")
	use := `"secrets":[{"snowflakeSecret":{"objectName":"DB.SERVICES.DSN"},"envVarName":"TARGET","secretKeyRef":"secret_string"},
		{"snowflakeSecret":"login","directoryPath":"/secrets/login"}]`
	exec1(t, db, job("SEES", "env;file:/secrets/login/password", use))
	is.Equal(until(t, db, fmt.Sprintf(statusOf, "SEES"), "status", "DONE", "FAILED")["status"], "DONE")
	log := rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('SEES', 0, 'worker', 100) AS L")[0]["L"]
	is.True(strings.Contains(log, "TARGET=postgres://u:p@h/d\n"))
	is.True(strings.Contains(log, "/secrets/login/password: 4 bytes, <nil>"))
	is.Equal(number(t, db, job("BLIND", "env", strings.Replace(use, "SERVICES.DSN", "SERVICES.NONE", 1))), 2003)
	exec1(t, db, "ALTER SECRET dsn SET SECRET_STRING = 'new'")
	exec1(t, db, "DROP SECRET dsn")
	is.Equal(number(t, db, "DROP SECRET dsn"), 2003)
	exec1(t, db, "DROP SECRET IF EXISTS dsn")
}

// An integration must be there, and be granted, for a job that names it.
func TestExternalAccess(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	with := strings.NewReplacer("QUERY_WAREHOUSE", "EXTERNAL_ACCESS_INTEGRATIONS = (TARGETS) QUERY_WAREHOUSE")
	is.Equal(number(t, db, with.Replace(job("J", "exit:0", ""))), 2003)
	exec1(t, db, "CREATE NETWORK RULE postgres MODE = EGRESS TYPE = HOST_PORT VALUE_LIST = ('db.example.com:5432')")
	is.Equal(number(t, db, "CREATE EXTERNAL ACCESS INTEGRATION targets ALLOWED_NETWORK_RULES = (postgres) ENABLED = TRUE"), 3001)
	exec1(t, db, "USE ROLE ACCOUNTADMIN")
	is.Equal(number(t, db, "CREATE EXTERNAL ACCESS INTEGRATION targets ALLOWED_NETWORK_RULES = (none) ENABLED = TRUE"), 2003)
	exec1(t, db, "CREATE OR REPLACE EXTERNAL ACCESS INTEGRATION targets ALLOWED_NETWORK_RULES = (DB.SERVICES.postgres) ENABLED = TRUE")
	exec1(t, db, "GRANT USAGE ON INTEGRATION targets TO ROLE SYSADMIN")
	exec1(t, db, "USE ROLE SYSADMIN")
	exec1(t, db, with.Replace(job("J", "exit:0", "")))
	j := until(t, db, fmt.Sprintf(statusOf, "J"), "status", "DONE")
	is.Equal(j["external_access_integrations"], `["TARGETS"]`)
	is.Equal(rows(t, db, "SHOW NETWORK RULES")[0]["mode"], "EGRESS")
	is.Equal(rows(t, db, "SHOW EXTERNAL ACCESS INTEGRATIONS LIKE 'targets'")[0]["enabled"], "true")
	exec1(t, db, "USE ROLE ACCOUNTADMIN")
	exec1(t, db, "DROP INTEGRATION targets")
	exec1(t, db, "DROP NETWORK RULE postgres")
}

// A log can be asked for at any time from the start of a container on: also while it
// ends and is removed.
func TestLogsWhileContainersEnd(t *testing.T) {
	x := start(t, nil)
	db := x.open(t, nil)
	for i := range 3 {
		name := fmt.Sprintf("ENDS%d", i)
		exec1(t, db, job(name, "fill:200;sleep:300;say:the end", ""))
		until(t, db, fmt.Sprintf(statusOf, name), "status", "RUNNING", "DONE")
		query := "SELECT SYSTEM$GET_SERVICE_LOGS('" + name + "', 0, 'worker', 1) AS L"
		until(t, db, query, "L", "the end") // it fails at any error on the way
		until(t, db, fmt.Sprintf(statusOf, name), "status", "DONE")
		until(t, db, query, "L", "the end")
	}
}

// A log has its last 100 KB, and asks for lines.
func TestLogsAreBounded(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, job("TALKS", "fill:3000;say:the end", ""))
	until(t, db, fmt.Sprintf(statusOf, "TALKS"), "status", "DONE")
	log := rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS(?, ?, ?, ?) AS L", "DB.SERVICES.TALKS", 0, "worker", 100000)[0]["L"]
	is.True(len(log) <= 100<<10 && len(log) > 90<<10)
	is.True(strings.HasSuffix(log, "the end"))
	is.Equal(rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('TALKS', 0, 'worker', 2) AS L")[0]["L"], fmt.Sprintf("%099d\nthe end", 2999))
	is.True(number(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('TALKS', 0, 'other', 2)") != 0)
	is.True(number(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('TALKS', 1, 'worker', 2)") != 0)
	is.Equal(number(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('NOBODY', 0, 'worker', 2)"), 2003)
}
