package spcs_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/snowlocal/spcs"
)

// orphaned is the folder of a stand-in that is no longer there, with a container
// that it has left running.
func orphaned(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "gone")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("docker", "run", "--detach", "--label", "snowlocal.host="+host, "--label", "snowlocal.folder="+folder, "--env", envScript+"=stay", shared.image).CombinedOutput()
	if err != nil {
		t.Fatalf("docker run: %v: %s", err, out)
	}
	id := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", id).Run() }) // the sweep has removed it
	return folder
}

// loginError is the number of the error of a login, 0 when it succeeds.
func loginError(t *testing.T, db *sql.DB) int {
	t.Helper()
	err := db.PingContext(within(t))
	var own *sf.SnowflakeError
	if err != nil && !errors.As(err, &own) {
		t.Fatal(err)
	}
	if own == nil {
		return 0
	}
	return own.Number
}

// The file with the token is replaced, and the token before it still valid; each is
// good for its own container alone, and at the gateway alone.
func TestTokens(t *testing.T) {
	is := is.New(t)
	folder := ""
	x := start(t, func(o *spcs.Options) {
		folder = o.Folder
		o.Rotate, o.Token = time.Second, 30*time.Second
	})
	db := x.open(t, nil)
	exec1(t, db, job("TURNS", "login:SELECT 1;wait;login:SELECT 2;wait;login:SELECT CURRENT_USER();say:turned;term:0", ""))
	until(t, db, fmt.Sprintf(statusOf, "TURNS"), "status", "RUNNING")
	logOf := "SELECT SYSTEM$GET_SERVICE_LOGS('TURNS', 0, 'worker', 100) AS L"
	log := until(t, db, logOf, "L", "turned")["L"]
	is.True(strings.Contains(log, "login: 1 <nil>") && strings.Contains(log, "login: 2 <nil>") && strings.Contains(log, "login: TURNS <nil>"))

	token, err := os.ReadFile(filepath.Join(folder, "sessions", "1", "session", "token"))
	is.NoErr(err)
	with := func(change func(*sf.Config)) *sql.DB {
		return x.open(t, func(c *sf.Config) {
			c.User, c.Password, c.Authenticator, c.Token = "", "", sf.AuthTypeOAuth, string(token)
			change(c)
		})
	}
	is.Equal(loginError(t, with(func(*sf.Config) {})), 395092) // not over SNOWFLAKE_HOST
	gateway := func(c *sf.Config) { c.Host, c.Port = x.manager.Gateway(), x.inside }
	is.Equal(loginError(t, with(gateway)), 395092)      // not from its container
	is.Equal(loginError(t, x.open(t, gateway)), 395092) // no password there
	is.Equal(loginError(t, with(func(c *sf.Config) { gateway(c); c.Token = "none" })), 390303)
	is.Equal(loginError(t, with(func(c *sf.Config) { c.Token = "none" })), 390303)
	exec1(t, db, "CALL TURNS!SPCS_CANCEL_JOB()")
	until(t, db, fmt.Sprintf(statusOf, "TURNS"), "status", "CANCELLED")
	is.Equal(loginError(t, with(func(*sf.Config) {})), 390303) // revoked with its end
	_, err = os.Stat(filepath.Join(folder, "sessions", "1"))
	is.True(errors.Is(err, os.ErrNotExist))
}

// A token ends with its time.
func TestTokenExpires(t *testing.T) {
	is := is.New(t)
	x := start(t, func(o *spcs.Options) { o.Rotate, o.Token = time.Hour, 500*time.Millisecond })
	db := x.open(t, nil)
	exec1(t, db, job("OLD", "sleep:1000;login:SELECT 1", ""))
	until(t, db, fmt.Sprintf(statusOf, "OLD"), "status", "DONE")
	log := rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('OLD', 0, 'worker', 100) AS L")[0]["L"]
	is.True(strings.Contains(log, "390303"))
}

// A service has the role of its owner, and no other but PUBLIC.
func TestRolesOfServices(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	admin := x.open(t, nil)
	exec1(t, admin, "CREATE TABLE DB.SERVICES.T (A NUMBER)")
	db := x.open(t, func(c *sf.Config) { c.User, c.Database, c.Schema, c.Warehouse = "RUNS", "", "", "" })
	runs := "FROM DB.SERVICES.T;login:SELECT CURRENT_ROLE()"
	is.Equal(number(t, db, job("J", "login:SELECT COUNT(*) "+runs, "")), 2003) // nothing is granted
	for _, grant := range []string{"USAGE ON DATABASE DB", "USAGE ON SCHEMA DB.SERVICES", "CREATE SERVICE ON SCHEMA DB.SERVICES"} {
		exec1(t, admin, "GRANT "+grant+" TO ROLE RUNNER")
	}
	is.Equal(number(t, db, job("J", "login:SELECT COUNT(*) "+runs, "")), 2003) // the pool
	exec1(t, admin, "GRANT USAGE, MONITOR ON COMPUTE POOL POOL TO ROLE RUNNER")
	is.Equal(number(t, db, job("J", "login:SELECT COUNT(*) "+runs, "")), 2003) // the warehouse
	exec1(t, admin, "GRANT USAGE ON WAREHOUSE WH TO ROLE RUNNER")
	is.Equal(number(t, db, job("J", "login:SELECT COUNT(*) "+runs, "")), 2003) // the repository
	exec1(t, admin, "GRANT READ ON IMAGE REPOSITORY DB.SERVICES.IMAGES TO ROLE RUNNER")
	exec1(t, db, job("J", "login:SELECT COUNT(*) "+runs, ""))
	until(t, db, fmt.Sprintf(statusOf, "J"), "status", "DONE")
	log := rows(t, db, "SELECT SYSTEM$GET_SERVICE_LOGS('DB.SERVICES.J', 0, 'worker', 100) AS L")[0]["L"]
	is.True(strings.Contains(log, "002003")) // the table is not the runner's
	is.True(strings.Contains(log, "login: RUNNER <nil>"))
	grants := rows(t, admin, "SHOW GRANTS ON COMPUTE POOL POOL")
	is.Equal(len(grants), 3) // OWNERSHIP too
	is.Equal(grants[0]["granted_on"], "COMPUTE_POOL")

	nobody := x.open(t, func(c *sf.Config) { c.User, c.Role, c.Database, c.Schema = "RUNS", "NOBODY", "", ""; c.Warehouse = "" })
	is.Equal(number(t, nobody, "DESCRIBE SERVICE DB.SERVICES.J"), 2003)
	exec1(t, db, "GRANT MONITOR ON SERVICE DB.SERVICES.J TO ROLE NOBODY")
	is.Equal(number(t, nobody, "CALL DB.SERVICES.J!SPCS_CANCEL_JOB()"), 3001)
	is.Equal(rows(t, nobody, "DESCRIBE SERVICE DB.SERVICES.J")[0]["spec"], "NULL") // it is the owner's to see
	is.Equal(number(t, nobody, "DROP SERVICE DB.SERVICES.J"), 3001)
}

// A schema goes with its services.
func TestSchemaGoesWithItsServices(t *testing.T) {
	is := is.New(t)
	folder := ""
	x := start(t, func(o *spcs.Options) { folder = o.Folder })
	db := x.open(t, nil)
	exec1(t, db, "CREATE SCHEMA DB.OTHER")
	exec1(t, db, strings.Replace(job("J", "stay", ""), "DB.SERVICES.J", "DB.OTHER.J", 1))
	until(t, db, "SHOW SERVICES IN SCHEMA DB.OTHER", "status", "RUNNING")
	exec1(t, db, "DROP SCHEMA DB.OTHER")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(testTimeout); left(t, folder) != ""; <-tick.C {
		is.True(time.Now().Before(late))
	}
	exec1(t, db, "CREATE SCHEMA DB.OTHER")
	is.Equal(len(rows(t, db, "SHOW SERVICES IN SCHEMA DB.OTHER")), 0)
}
