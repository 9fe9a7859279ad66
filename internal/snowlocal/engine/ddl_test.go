package engine_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

func TestDDL(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	status := func(sql string) string { return show(run(t, s, sql)) }
	is.Equal(status("CREATE DATABASE IF NOT EXISTS unistore_benchmark COMMENT = 'c'"), "Database UNISTORE_BENCHMARK successfully created.")
	is.Equal(status("CREATE DATABASE IF NOT EXISTS unistore_benchmark"), "UNISTORE_BENCHMARK already exists, statement succeeded.")
	is.Equal(status("CREATE SCHEMA IF NOT EXISTS unistore_benchmark.config"), "Schema CONFIG successfully created.")
	is.Equal(s.Info().Schema, "CONFIG")
	create := `CREATE HYBRID TABLE IF NOT EXISTS "UNISTORE_BENCHMARK"."CONFIG"."T" (A VARCHAR(256) NOT NULL, B NUMBER(38,0) NOT NULL DEFAULT 0, C VARCHAR NOT NULL DEFAULT 'X', F FLOAT NOT NULL DEFAULT 0,
		AT TIMESTAMP_NTZ(6), V VARIANT, PRIMARY KEY (A, B), UNIQUE (C), INDEX ix (B, AT) INCLUDE (C)) COMMENT = 'it''s'`
	is.Equal(status(create), "Table T successfully created.")
	is.Equal(status(create), "T already exists, statement succeeded.")
	is.Equal(status("ALTER TABLE t ADD COLUMN IF NOT EXISTS x VARCHAR(64)"), "Statement executed successfully.")
	run(t, s, "ALTER TABLE t ADD COLUMN IF NOT EXISTS x VARCHAR(64)")
	run(t, s, "INSERT INTO t (a) VALUES ('a')")
	run(t, s, "SELECT * FROM t")
	run(t, s, "SELECT * FROM t") // prepared now
	run(t, s, "ALTER TABLE t ADD COLUMN y NUMBER(38,0) NOT NULL DEFAULT 7")
	is.Equal(show(run(t, s, "SELECT * FROM t")), "a|0|X|0|NULL|NULL|NULL|7")
	is.Equal(show(run(t, s, "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM unistore_benchmark.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA IN ('CONFIG', 'B') ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION LIMIT 6")),
		"T|A|TEXT\nT|B|NUMBER\nT|C|TEXT\nT|F|FLOAT\nT|AT|TIMESTAMP_NTZ\nT|V|VARIANT")
	is.Equal(show(run(t, s, "SELECT DISTINCT TABLE_TYPE, DATA_TYPE FROM unistore_benchmark.INFORMATION_SCHEMA.COLUMNS JOIN unistore_benchmark.INFORMATION_SCHEMA.TABLES USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA = 'INFORMATION_SCHEMA' AND COLUMN_NAME = 'TABLE_SCHEMA'")), "VIEW|TEXT") // it lists itself
	is.Equal(show(run(t, s, "SELECT schema_name FROM information_schema.schemata ORDER BY 1")), "CONFIG\nPUBLIC")
	is.Equal(show(run(t, s, "SELECT table_name, is_hybrid, row_count, comment FROM information_schema.tables WHERE table_schema = 'CONFIG'")), "T|YES|1|it's")
	is.Equal(fails(t, s, "SELECT * FROM nodb.information_schema.columns").Number, 2003)
	run(t, s, "CREATE INDEX IF NOT EXISTS late ON t (f)")
	run(t, s, "CREATE INDEX IF NOT EXISTS late ON t (f)")
	indexes := show(run(t, s, "SHOW INDEXES IN TABLE t"))
	is.True(strings.Contains(indexes, "|IX|N|[\"B\", \"AT\"]|[\"C\"]|T|") && strings.Contains(indexes, "SYS_INDEX_T_PRIMARY|Y|"))
	run(t, s, "DROP INDEX t.late")
	run(t, s, "ALTER TABLE t ADD CONSTRAINT uq UNIQUE (f)")
	run(t, s, "ALTER TABLE t DROP CONSTRAINT uq")
	run(t, s, "ALTER TABLE t DROP COLUMN y")
	run(t, s, "ALTER TABLE t RENAME COLUMN x TO z")
	run(t, s, "ALTER TABLE t RENAME TO t2")
	is.Equal(fails(t, s, "SELECT * FROM t").Number, 2003)
	run(t, s, "CREATE TABLE c AS SELECT a, b, v FROM t2")
	is.Equal(run(t, s, "SELECT * FROM c").Columns[2].Type, "variant")
	run(t, s, "CREATE OR REPLACE TABLE c (id NUMBER(38,0), n VARCHAR) AS SELECT 10, 'z'")
	is.Equal(show(run(t, s, "SELECT * FROM c")), "10|z")
	run(t, s, "CREATE TABLE auto (id INTEGER AUTOINCREMENT, n VARCHAR)")
	run(t, s, "INSERT INTO auto (n) VALUES ('a'), ('b')")
	is.Equal(show(run(t, s, "SELECT id FROM auto ORDER BY id")), "1\n2")
	run(t, s, "CREATE TEMPORARY TABLE c (tmp INT)") // hides the other
	is.Equal(run(t, s, "SELECT * FROM c").Columns[0].Name, "TMP")
	run(t, s, "DROP TABLE c")
	is.Equal(show(run(t, s, "SELECT * FROM c")), "10|z")
	run(t, s, "CREATE INTERACTIVE TABLE it CLUSTER BY (id) AS SELECT 0::NUMBER(38,0) AS id WHERE FALSE")
	run(t, s, "INSERT OVERWRITE INTO it SELECT 5")
	is.Equal(show(run(t, s, "SELECT * FROM it")), "5")
	is.Equal(fails(t, s, "INSERT INTO it VALUES (1)").SQLState, "0A000")
	is.Equal(status("DROP TABLE IF EXISTS nothing"), "Drop statement executed successfully (NOTHING already dropped).")
	is.Equal(status("TRUNCATE TABLE t2"), "Statement executed successfully.")
	is.Equal(status("DROP SCHEMA config"), "CONFIG successfully dropped.")
	is.Equal(s.Info().Schema, "")
	is.Equal(status("DROP DATABASE unistore_benchmark"), "UNISTORE_BENCHMARK successfully dropped.")
	is.Equal(fails(t, s, "SELECT * FROM unistore_benchmark.config.t2").Number, 2003)
}

func TestShowAndDescribe(t *testing.T) {
	s := session(t, open(t, account()))
	run(t, s, `CREATE HYBRID TABLE "odd ""name""; --" (id NUMBER(10,0) PRIMARY KEY, b VARCHAR(5) DEFAULT 'x' COMMENT 'says')`)
	run(t, s, "CREATE VIEW v AS SELECT * FROM \"odd \"\"name\"\"; --\"")
	cell := func(sql, column string) string {
		r := run(t, s, sql)
		for i, c := range r.Columns {
			if c.Name == column && len(r.Rows) > 0 {
				if r.Rows[0][i] == nil {
					return "NULL"
				}
				return *r.Rows[0][i]
			}
		}
		return "nothing"
	}
	for _, c := range []struct{ sql, column, want string }{
		{"SHOW TABLES LIKE 'ODD%'", "is_hybrid", "Y"}, {"SHOW TABLES LIKE 'odd%' IN SCHEMA \"DB\".\"PUBLIC\"", "schema_name", "PUBLIC"}, {"SHOW TABLES IN DATABASE db", "rows", "0"}, {"SHOW TABLES LIKE 'nope'", "name", "nothing"},
		{"SHOW HYBRID TABLES", "name", `odd "name"; --`}, {"SHOW VIEWS LIKE 'V'", "name", "V"}, {"SHOW DATABASES LIKE 'db'", "is_current", "Y"}, {"SHOW SCHEMAS IN DATABASE db", "name", "PUBLIC"}, {"SHOW WAREHOUSES LIKE 'FA\\\\ST'", "name", "FAST"},
		{"SHOW WAREHOUSES LIKE 'FAST'", "is_interactive", "Y"}, {"SHOW WAREHOUSES LIKE 'SLEEPING'", "auto_resume", "false"}, {"SHOW PARAMETERS LIKE 'TIMEZONE' IN SESSION", "value", "UTC"}, {"SHOW PARAMETERS LIKE 'TIMEZONE'", "level", "SESSION"},
		{"SHOW ROLES LIKE 'SYSADMIN'", "is_current", "Y"}, {"SHOW USERS LIKE 'BENCH'", "default_role", "SYSADMIN"}, {"SHOW GRANTS ON VIEW v", "privilege", "OWNERSHIP"}, {"SHOW GRANTS", "name", "ACCOUNTADMIN"},
		{`SHOW COLUMNS IN TABLE "odd ""name""; --"`, "column_name", "ID"}, {`DESCRIBE TABLE "odd ""name""; --"`, "type", "NUMBER(10,0)"}, {"DESC VIEW v", "name", "ID"}, {"DESCRIBE USER bench", "value", "BENCH"}, {"DESCRIBE WAREHOUSE wh", "state", "STARTED"},
		{"SHOW TABLES LIMIT 1", "name", `odd "name"; --`}, {"SHOW TABLES STARTS WITH 'odd'", "kind", "TABLE"}, {"EXPLAIN USING TEXT SELECT 1", "content", "GlobalStats:"}, {"EXPLAIN SELECT * FROM v", "operation", "Result"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			got := cell(c.sql, c.column)
			is.True(got == c.want || c.column == "content" && strings.HasPrefix(got, c.want))
		})
	}
	t.Run("missing schema", func(t *testing.T) {
		is := is.New(t)
		is.Equal(fails(t, s, "SHOW TABLES LIKE 'x' IN SCHEMA nope").Number, 2043)
	})
	t.Run("types", func(t *testing.T) {
		is := is.New(t)
		is.Equal(run(t, s, "SHOW TABLES").TypeID, int64(engine.TypeShow))
		is.Equal(run(t, s, "DESC TABLE v").TypeID, int64(engine.TypeDescribe))
	})
}
