//go:build unix

package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
	"github.com/matryer/is"
)

// Somebody who may come to the controller's page, and is no operator.
const (
	reader      = "EVE"
	readers     = "READERS"
	readerToken = "token-of-eve"
)

// The services of the examples in sql/schema.
const (
	orchestratorService = "BENCHFLEET_ORCHESTRATOR"
	controllerService   = "BENCHFLEET_CONTROLLER"
)

// examples are the statements of sql/schema/snowflake/services.sql, which are all
// comments there, for this site: its names instead of those of the file.
func (s *site) examples() []string {
	s.t.Helper()
	is := is.New(s.t)
	text, err := os.ReadFile("../sql/schema/snowflake/services.sql")
	is.NoErr(err)
	inside := func(variable, prefix string) string {
		address, err := snowflake.ServiceAddress(strings.TrimPrefix(s.variable(variable), prefix), nil)
		is.NoErr(err)
		return prefix + address
	}
	database, ours := s.cloud().Database, strings.TrimPrefix(s.services, s.cloud().Database+".")
	for _, name := range [][2]string{ // the longer before what is a part of it
		{"snowflake:/UNISTORE_BENCHMARK?authenticator=OAUTH&warehouse=BENCHFLEET_CONTROL_WH", inside("BENCHFLEET_STORE", "snowflake:")},
		{"/UNISTORE_BENCHMARK/BENCH?authenticator=OAUTH&warehouse=BENCHFLEET_WH", inside("BENCHFLEET_ENDPOINT_LOCAL", "")},
		{"warehouse=BENCHFLEET_CONTROL_WH", "warehouse=" + s.job["warehouse"]},
		{"/unistore_benchmark/services/images/benchfleet:1.0.0", s.job["image"]},
		{"schema=UNISTORE_BENCHMARK.SERVICES", "schema=" + s.services},
		{"pool=BENCHFLEET_WORKERS", "pool=" + s.job["pool"]},
		{"{database}.SERVICES.IMAGES", s.cloud().ImageRepository},
		{"{database}.SERVICES", "{database}." + ours},
	} {
		is.True(strings.Contains(string(text), name[0])) // the file has what is replaced
		text = []byte(strings.ReplaceAll(string(text), name[0], name[1]))
	}
	filled, err := schema.Names{
		Database: database, Orchestrator: s.cloud().Role, Viewer: readers, ControlWarehouse: s.cloud().ControlWarehouse,
	}.Fill(string(text))
	is.NoErr(err)
	var code strings.Builder
	for paragraph := range strings.SplitSeq(filled, "\n--\n") {
		plain := strings.TrimPrefix(strings.ReplaceAll("\n"+paragraph, "\n-- ", "\n"), "\n")
		if strings.HasPrefix(plain, "CREATE ") || strings.HasPrefix(plain, "GRANT ") {
			code.WriteString(plain + "\n")
		}
	}
	statements, err := statementsOf(code.String())
	is.NoErr(err)
	return statements
}

// createServices runs the examples, and returns the address of the page. What they
// make goes with the test.
func (s *site) createServices() string {
	s.t.Helper()
	admin := snowflaketest.In{Role: "ACCOUNTADMIN"}
	s.t.Cleanup(func() {
		for _, name := range []string{controllerService, orchestratorService} {
			s.tidy("DROP SERVICE IF EXISTS " + s.services + "." + name)
		}
		until(s.t, 60*time.Second, "the services are gone", func() bool { return len(s.show("SHOW SERVICES IN SCHEMA "+s.services)) == 0 })
		s.tidy("DROP COMPUTE POOL BENCHFLEET_SERVICES", "DROP COMPUTE POOL BENCHFLEET_WORKERS")
	})
	for _, statement := range s.examples() {
		in := admin
		if strings.HasPrefix(statement, "CREATE SERVICE") || strings.HasPrefix(statement, "GRANT SERVICE ROLE") {
			in = snowflaketest.In{} // as the orchestrator's role
		}
		s.cloud().SQLIn(s.t, in, statement)
	}
	for _, name := range []string{orchestratorService, controllerService} {
		s.isService(name, "RUNNING")
	}
	endpoint := s.show("SHOW ENDPOINTS IN SERVICE " + s.services + "." + controllerService)[0]
	return "http://" + endpoint["ingress_url"] + "/"
}

// tidy executes statements at the end of a test.
func (s *site) tidy(statements ...string) {
	db := s.openCloud("PUBLIC")
	defer db.Close()
	if _, err := db.Exec("USE ROLE ACCOUNTADMIN"); err != nil {
		s.t.Error(err)
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			s.t.Errorf("%s: %v", statement, err)
		}
	}
}

// isService waits until a service has a status.
func (s *site) isService(name, status string) {
	s.t.Helper()
	until(s.t, 60*time.Second, name+" is "+status, func() bool {
		found := s.show("SHOW SERVICES LIKE '" + name + "' IN SCHEMA " + s.services)
		return len(found) == 1 && found[0]["status"] == status
	})
}

// serviceLog is what the containers of a service have said.
func (s *site) serviceLog(service, container string, instances int) (log string) {
	for id := range instances {
		out := s.show(fmt.Sprintf("SELECT SYSTEM$GET_SERVICE_LOGS('%s.%s', %d, '%s') AS LOG", s.services, service, id, container))
		log += fmt.Sprintf("%s %d:\n%s\n", service, id, out[0]["LOG"])
	}
	return log
}

// boxOf is the container of an orchestrator, by the owner that a run names.
func (s *site) boxOf(owner string) string {
	s.t.Helper()
	host, _, _ := strings.Cut(owner, "/")
	ids, err := exec.Command("docker", "ps", "--quiet", "--no-trunc", "--filter", "label="+serviceLabel+"="+s.services+"."+orchestratorService).Output()
	if err != nil {
		s.t.Fatal("docker ps:", err)
	}
	for _, id := range strings.Fields(string(ids)) {
		if strings.TrimSpace(engine(s.t, "inspect", "--format", "{{.Config.Hostname}}", id)) == host {
			return id
		}
	}
	s.t.Fatalf("no orchestrator has the host %q of owner %q", host, owner)
	return ""
}

// TestAcceptanceSPCSRoles: controller and orchestrators are services inside
// Snowflake, as the examples of sql/schema make them, and workers are job services.
// A run is started and stopped from the browser; its orchestrator is killed, and then
// all of them are suspended, while it goes on.
func TestAcceptanceSPCSRoles(t *testing.T) {
	onlyJobs(t)
	needs(t, targetFlag, "snowflake", "the orchestrators' endpoint is an address without a password")
	is := is.New(t)
	s := newSite(t)
	if s.cloud().Admin == "" {
		t.Skip("an account asks a browser for a person's login: docs/runbooks/spcs.md has the same by hand")
	}
	db := s.db()
	page := s.createServices()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.serviceLog(orchestratorService, "orchestrator", 2), s.serviceLog(controllerService, "controller", 1))
		}
	})
	c, err := client.New(page, client.Options{})
	is.NoErr(err)
	b := newBrowser(t, page)
	b.user, b.quick = s.cloud().User, true

	b.open("")
	b.shows("main", "There are no runs yet")
	b.imports(s.templates("pages.yaml"))
	run := b.startsRun("load.duration=10m\nlimits.owner_lease=4s\nlimits.worker_lease=24s")
	b.watches()
	workers := s.workers(run)
	is.Equal(len(workers), 3)
	is.Equal(len(s.show("SHOW JOB SERVICES IN SCHEMA "+s.services)), 3)

	seen := s.goesOn(c, run, 1)
	is.NoErr(fleet.witness.kill(s.boxOf(seen.Owner))) // the other takes over
	seen = s.goesOn(c, run, 2)
	b.shows("#status", "RUNNING")
	s.cloud().SQL(t, "ALTER SERVICE "+s.services+"."+orchestratorService+" SUSPEND")
	s.isService(orchestratorService, "SUSPENDED")
	s.cloud().SQL(t, "ALTER SERVICE "+s.services+"."+orchestratorService+" RESUME")
	seen = s.goesOn(c, run, 3)
	is.Equal(s.workers(run), workers) // the same ones
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'OWNER_CHANGED'", run), int64(2))
	s.onlyReads(page, run)

	b.stops(run)
	cert := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(cert.Clean)
	is.Equal(cert.RequestedBy, s.cloud().User)
	s.checkConserved(t, db, run)
	s.withoutGap(c, run, 14)
	is.Equal(len(s.show("SHOW JOB SERVICES IN SCHEMA "+s.services)), 0)
	rollup, err := c.Rollup(t.Context(), run)
	is.NoErr(err)
	is.Equal(rollup.Run.Status, core.Cancelled)
	is.Equal(len(rollup.Workers), 3)
}

// goesOn waits until a run is driven by the owner of that epoch, and measured by it.
func (s *site) goesOn(c *client.Client, run string, epoch int) (seen client.Run) {
	s.t.Helper()
	from := -1.0
	until(s.t, 30*time.Second, fmt.Sprintf("owner %d of run %s measures", epoch, run), func() bool {
		var err error
		if seen, err = c.Run(s.t.Context(), run); err != nil {
			s.t.Fatal(err)
		}
		if seen.Status != core.Running {
			s.t.Fatalf("run %s is %s (%s: %s)", run, seen.Status, seen.Reason, seen.Detail)
		}
		if seen.OwnerEpoch != epoch {
			return false
		}
		if from < 0 {
			from = seen.Now.Sub(*seen.LoadFrom).Seconds()
		}
		newest, err := c.Snapshots(s.t.Context(), run, "", from)
		if err != nil {
			s.t.Fatal(err)
		}
		return len(newest.Items) > 1
	})
	return seen
}

// onlyReads checks that somebody who is no operator sees a run, and stops none.
func (s *site) onlyReads(page, run string) {
	s.t.Helper()
	is := is.New(s.t)
	c, err := client.New(page, client.Options{HTTP: &http.Client{Transport: withToken(readerToken)}})
	is.NoErr(err)
	seen, err := c.Run(s.t.Context(), run)
	is.NoErr(err)
	is.Equal(seen.Status, core.Running)
	_, err = c.StopRun(s.t.Context(), run, client.StopRun{Reason: "not mine"})
	is.Equal(core.CodeOf(err), core.Denied)
	c, err = client.New(page, client.Options{HTTP: &http.Client{Transport: withToken("nobody's")}})
	is.NoErr(err)
	_, err = c.Run(s.t.Context(), run)
	is.True(err != nil)
}

// withToken shows the ingress a token of Snowflake.
type withToken string

// RoundTrip makes the request.
func (token withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", `Snowflake Token="`+string(token)+`"`)
	return http.DefaultTransport.RoundTrip(r)
}
