//go:build unix

package parity_test

import (
	"cmp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
)

// shared is the stand-in with containers, or the account that the environment
// names, of all tests.
var shared = snowflaketest.Shared{Options: snowflaketest.Options{Containers: true}}

// Where job services are made in an account, which cannot be told from its DSN.
const (
	envPool      = "BENCHFLEET_SPCS_POOL"      // a compute pool
	envSchema    = "BENCHFLEET_SPCS_SCHEMA"    // DATABASE.SCHEMA
	envImage     = "BENCHFLEET_SPCS_IMAGE"     // /database/schema/repository/name:tag, of this very build
	envWarehouse = "BENCHFLEET_SPCS_WAREHOUSE" // of the store, which is not that of the DSN
)

// cloud is what a site has in Snowflake: a store, and perhaps the table.
type cloud struct {
	server  *snowflaketest.Server
	table   string // schema of the table
	address string // of the store
	options []string
}

// snowflake is Snowflake for this site.
func (s *site) snowflake(t *testing.T) *cloud {
	t.Helper()
	if s.cloud != nil {
		return s.cloud
	}
	server := shared.Server(t)
	schema := server.Schema(s.t)
	s.cloud = &cloud{server: server, table: server.Schema(s.t), address: server.DSN(snowflaketest.In{
		Warehouse: control(server), More: map[string]string{"store_config_schema": schema, "store_results_schema": schema},
	})}
	return s.cloud
}

// control is the warehouse of the store.
func control(server *snowflaketest.Server) string {
	return cmp.Or(server.ControlWarehouse, os.Getenv(envWarehouse))
}

// endpoint is the address of the table.
func (c *cloud) endpoint(t *testing.T) string {
	t.Helper()
	return c.server.DSN(snowflaketest.In{Schema: c.table})
}

// jobs is the way to run with workers as job services: their store is in
// Snowflake, too.
func (s *site) jobs(t *testing.T) way {
	t.Helper()
	c := s.snowflake(t)
	w := way{
		env:  append(slices.Clip(s.env), "SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true", ports.EnvStore+"=snowflake:"+c.address),
		open: c.open,
	}
	if c.options == nil {
		c.options = s.jobOptions(t)
		s.exec(t, w.env, s.binary, "--dir", s.dir, "schema", "apply")
		s.exec(t, w.env, s.binary, "--dir", s.dir, "template", "import", s.template(t))
	}
	w.args = []string{"--launcher", "spcs"}
	for _, option := range c.options {
		w.args = append(w.args, "--launcher-option", option)
	}
	return w
}

func (c *cloud) open(t *testing.T) ports.Store {
	t.Helper()
	store, err := snowflake.OpenStore(t.Context(), c.address, snowflake.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// jobOptions are the launcher's: where jobs run and what, and what they may know.
func (s *site) jobOptions(t *testing.T) []string {
	t.Helper()
	server := s.snowflake(t).server
	options := []string{"warehouse=" + control(server)}
	if server.Admin == "" {
		options = append(options, s.accountOptions(t)...)
	} else {
		options = append(options, "pool="+server.ComputePool, "schema="+services(server), "image="+s.push(t, server))
	}
	if *target != "snowflake" { // whose address holds a password
		secret := services(server) + ".PARITY_TARGET"
		_, address, _ := strings.Cut(s.env[len(s.env)-1], "=")
		server.SQL(t, "CREATE OR REPLACE SECRET "+secret+" TYPE = GENERIC_STRING SECRET_STRING = '"+strings.ReplaceAll(address, "'", "''")+"'")
		options = append(options, "secret="+worker.EndpointVariable("parity")+"="+secret)
	}
	return options
}

// services is the schema of the stand-in in which jobs are made: that of its
// repository.
func services(server *snowflaketest.Server) string {
	return server.ImageRepository[:strings.LastIndexByte(server.ImageRepository, '.')]
}

// accountOptions say where jobs run in the account. Its target has to be in
// Snowflake, since this machine's is out of reach.
func (s *site) accountOptions(t *testing.T) (options []string) {
	t.Helper()
	if *target != "snowflake" {
		t.Skip("jobs in an account do not reach a server of this machine: use -target snowflake")
	}
	for _, o := range []struct{ key, variable string }{{"pool", envPool}, {"schema", envSchema}, {"image", envImage}} {
		value := os.Getenv(o.variable)
		if value == "" {
			t.Skipf("%s is not set: docs/runbooks/spcs.md says what it is", o.variable)
		}
		options = append(options, o.key+"="+value)
	}
	return options
}

// push makes the stand-in's repository have the image: a tag is what it takes for
// one that was pushed.
func (s *site) push(t *testing.T, server *snowflaketest.Server) string {
	t.Helper()
	dockertest.Require(t)
	_, tag, _ := strings.Cut(s.buildImage(t), ":")
	name := server.Repository() + "benchfleet:" + tag
	if out, err := exec.Command("docker", "tag", s.buildImage(t), name).CombinedOutput(); err != nil {
		t.Fatalf("docker tag: %v: %s", err, out)
	}
	s.t.Cleanup(func() { exec.Command("docker", "image", "rm", "--force", name).Run() })
	return "/" + name
}
