//go:build unix

package acceptance

import (
	"crypto/rand"
	"database/sql"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	sf "github.com/snowflakedb/gosnowflake/v2"
)

// cloud is Snowflake as this site knows it: that of all tests, or one of its own.
func (s *site) cloud() *snowflaketest.Server {
	s.t.Helper()
	if s.own != nil {
		return s.own
	}
	return cloud.Server(s.t)
}

// newSchema makes an empty schema. One in a Snowflake of the site's own goes with it.
func (s *site) newSchema() string {
	s.t.Helper()
	if s.own == nil {
		return cloud.Server(s.t).Schema(s.t)
	}
	name := "T_" + rand.Text()[:16]
	s.own.SQL(s.t, "CREATE SCHEMA "+s.own.Database+"."+name)
	return name
}

// createSchema makes the site's own empty schema for its target, and the endpoint
// of every command.
func (s *site) createSchema() {
	s.t.Helper()
	s.database = s.newSchema()
	s.with("BENCHFLEET_ENDPOINT_LOCAL=" + s.cloud().DSN(snowflaketest.In{Schema: s.database}))
}

// createStore makes the site's own empty schema for its store, and the address of
// every command.
func (s *site) createStore() {
	s.t.Helper()
	server := s.cloud()
	s.schema = s.newSchema()
	s.with("SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true", "BENCHFLEET_STORE=snowflake:"+server.DSN(snowflaketest.In{
		Warehouse: server.ControlWarehouse, More: map[string]string{"store_config_schema": s.schema, "store_results_schema": s.schema},
	}))
}

// openCloud looks into a schema. The caller closes it.
func (s *site) openCloud(schema string) *sql.DB {
	s.t.Helper()
	server := s.cloud()
	config, err := sf.ParseDSN(server.DSN(snowflaketest.In{Schema: schema, Warehouse: server.ControlWarehouse}))
	if err != nil {
		s.t.Fatal(err)
	}
	off := "false"
	config.Params["CLIENT_TELEMETRY_ENABLED"] = &off
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, *config))
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(2)
	return db
}
