//go:build unix

package acceptance

import (
	"database/sql"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	sf "github.com/snowflakedb/gosnowflake/v2"
)

// createSchema makes the site's own empty schema for its target, and the endpoint
// of every command.
func (s *site) createSchema() {
	s.t.Helper()
	s.database = cloud.Server(s.t).Schema(s.t)
	s.with("BENCHFLEET_ENDPOINT_LOCAL=" + cloud.Server(s.t).DSN(snowflaketest.In{Schema: s.database}))
}

// createStore makes the site's own empty schema for its store, and the address of
// every command.
func (s *site) createStore() {
	s.t.Helper()
	server := cloud.Server(s.t)
	s.schema = server.Schema(s.t)
	s.with("SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true", "BENCHFLEET_STORE=snowflake:"+server.DSN(snowflaketest.In{
		Warehouse: server.ControlWarehouse, More: map[string]string{"store_config_schema": s.schema, "store_results_schema": s.schema},
	}))
}

// openCloud looks into a schema. The caller closes it.
func (s *site) openCloud(schema string) *sql.DB {
	s.t.Helper()
	config, err := sf.ParseDSN(cloud.Server(s.t).DSN(snowflaketest.In{Schema: schema, Warehouse: cloud.Server(s.t).ControlWarehouse}))
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
