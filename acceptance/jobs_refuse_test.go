//go:build unix

package acceptance

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"
)

// admin executes statements as the administrator of the account, after the test too.
func (s *site) admin(statements ...string) {
	s.t.Helper()
	config, err := sf.ParseDSN(s.cloud().DSN(snowflaketest.In{Role: "ACCOUNTADMIN"}))
	if err != nil {
		s.t.Fatal(err)
	}
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, *config))
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			s.t.Errorf("%s: %v", statement, err)
		}
	}
}

// pool makes a compute pool of the test's own.
func (s *site) pool(name, properties string) string {
	s.t.Helper()
	name = name + "_" + s.services[len(s.services)-8:]
	s.admin(
		fmt.Sprintf("CREATE COMPUTE POOL %s INSTANCE_FAMILY = CPU_X64_XS %s", name, properties),
		fmt.Sprintf("GRANT USAGE, MONITOR ON COMPUTE POOL %s TO ROLE %s", name, s.cloud().Role))
	s.t.Cleanup(func() {
		s.admin("ALTER COMPUTE POOL "+name+" STOP ALL", "DROP COMPUTE POOL "+name)
	})
	return name
}

// checkNothing checks that nothing came of a run but its findings: no event, no
// job, no container.
func (s *site) checkNothing(t *testing.T) {
	t.Helper()
	is, db := is.New(t), s.db()
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE EVENT_TYPE = 'START'"), int64(0))
	is.Equal(len(s.workers(""))+len(fleet.witness.left(s, "")), 0)
}

// TestAcceptanceSPCSRefusals: what cannot run is refused in preflight by a finding
// that says what to run to mend it.
func TestAcceptanceSPCSRefusals(t *testing.T) {
	onlyJobs(t)
	s := newSite(t)
	first, good := s.env, s.job["pool"]
	suspended := s.pool("SUSPENDED", "MIN_NODES = 1 MAX_NODES = 1 AUTO_RESUME = FALSE INITIALLY_SUSPENDED = TRUE")
	small := s.pool("SMALL", "MIN_NODES = 1 MAX_NODES = 1")
	foreign := s.services + "_FOREIGN" // of the administrator
	s.admin("CREATE SCHEMA "+foreign, "GRANT USAGE ON SCHEMA "+foreign+" TO ROLE "+s.cloud().Role)
	t.Cleanup(func() { s.admin("DROP SCHEMA " + foreign) })
	for _, tt := range []struct {
		name   string
		launch []string
		env    []string
		code   int
		says   []string
	}{
		{"no such pool", []string{"pool", "NOWHERE"}, nil, 4, []string{"NOWHERE", "CREATE COMPUTE POOL"}},
		{"a suspended pool", []string{"pool", suspended}, nil, 4, []string{suspended, "RESUME"}},
		{"a pool that is too small", []string{"pool", small, "memory", "4Gi"}, nil, 4, []string{small, "MAX_NODES"}},
		{"no such image", []string{"image", "/unistore_benchmark/services/images/benchfleet:nothing"}, nil, 4, []string{"benchfleet:nothing", "docker push"}},
		{"no such repository", []string{"image", "/unistore_benchmark/services/nowhere/benchfleet:dev"}, nil, 4, []string{"NOWHERE"}},
		{"no such schema", []string{"schema", s.cloud().Database + ".NOWHERE"}, nil, 4, []string{"NOWHERE"}},
		{"no right to make jobs", []string{"schema", foreign}, nil, 4, []string{"lacks CREATE SERVICE", "GRANT CREATE SERVICE ON SCHEMA " + foreign}},
		{"a store that is a file", nil, []string{"BENCHFLEET_STORE=sqlite:" + s.dir + "/store.db"}, 4, []string{"snowflake"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			defer func() {
				s.env = first
				s.launch("pool", good, "memory", "", "image", s.pushed(fleet.image), "schema", s.services)
			}()
			s := s.in(t)
			s.launch(tt.launch...)
			s.with(tt.env...)
			begun := time.Now()
			o := s.do("run", "short")
			t.Log(o)
			is.Equal(o.code, tt.code)
			for _, text := range tt.says {
				if !strings.Contains(o.stderr, text) {
					t.Errorf("%q is not said", text)
				}
			}
			is.True(time.Since(begun) < time.Minute)
			s.checkNothing(t)
		})
	}
}
