package spcs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/spcs"
)

// A job runs its container on the Docker Engine, which logs in with the token that
// the platform gives it; then it is done, and nothing of it is left but what is
// known of it.
func TestJob(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, job("J1", "say:hello;env;file:/snowflake/session/token;login:SELECT CURRENT_USER() || ' ' || CURRENT_ROLE() || ' ' || CURRENT_WAREHOUSE() || ' ' || CURRENT_SCHEMA()", ""))
	j := until(t, db, fmt.Sprintf(statusOf, "J1"), "status", "DONE", "FAILED")
	is.Equal(j["status"], "DONE")
	is.Equal(j["is_job"], "true")
	is.Equal(j["is_async_job"], "true")
	is.Equal(j["comment"], `{"a": 1}`)
	is.Equal(j["compute_pool"], "POOL")
	c := rows(t, db, "SHOW SERVICE CONTAINERS IN SERVICE DB.SERVICES.J1")
	is.Equal(len(c), 1)
	is.Equal(c[0]["status"], "DONE")
	is.Equal(c[0]["last_exit_code"], "0")
	is.Equal(c[0]["message"], "Completed successfully")
	log := rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('DB.SERVICES.J1', 0, 'worker', 100) AS L")[0]["L"]
	for _, text := range []string{"hello\n", "SNOWFLAKE_ACCOUNT=STANDIN\n", "SNOWFLAKE_SERVICE_NAME=J1\n", "SNOWFLAKE_DATABASE=DB\n", "login: J1 SYSADMIN WH SERVICES <nil>"} {
		if !strings.Contains(log, text) {
			t.Errorf("%q is not in the log: %s", text, log)
		}
	}
	exec1(t, db, "DROP SERVICE IF EXISTS DB.SERVICES.J1")
	is.Equal(len(rows(t, db, fmt.Sprintf(statusOf, "J1"))), 0)
	is.Equal(number(t, db, "DESCRIBE SERVICE DB.SERVICES.J1"), 2003)
}

// A job that is cancelled gets SIGTERM, and SIGKILL when it does not end.
func TestCancel(t *testing.T) {
	is := is.New(t)
	x := start(t, func(o *spcs.Options) { o.Grace = 5 * time.Second })
	db := x.open(t, nil)
	exec1(t, db, job("GENTLE", "term:3", ""))
	exec1(t, db, job("STUBBORN", "stay", ""))
	for _, name := range []string{"GENTLE", "STUBBORN"} {
		until(t, db, fmt.Sprintf(statusOf, name), "status", "RUNNING")
	}
	for name, says := range map[string]string{"GENTLE": "waiting for SIGTERM", "STUBBORN": "staying"} { // else nothing holds the signal yet
		until(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('DB.SERVICES."+name+"', 0, 'worker', 1) AS L", "L", says)
	}
	exec1(t, db, "SELECT DB.SERVICES.GENTLE!SPCS_CANCEL_JOB()")
	exec1(t, db, "CALL DB.SERVICES.STUBBORN!SPCS_CANCEL_JOB()")
	is.Equal(rows(t, db, fmt.Sprintf(statusOf, "STUBBORN"))[0]["status"], "CANCELLING")
	for name, code := range map[string]string{"GENTLE": "3", "STUBBORN": "137"} {
		until(t, db, fmt.Sprintf(statusOf, name), "status", "CANCELLED")
		is.Equal(rows(t, db, "SHOW SERVICE CONTAINERS IN SERVICE DB.SERVICES."+name)[0]["last_exit_code"], code)
	}
}
