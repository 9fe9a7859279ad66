package schema_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/sql/schema"
)

// fixed are the names that dashboards and runbooks rely on.
var fixed = map[string]string{
	"RUN_STATUS": `RUN_ID, TEST_ID, TEMPLATE_ID, TEST_NAME, SCENARIO_CONFIG, STATUS, PHASE, REASON, REASON_DETAIL, VERSION,
		NEXT_SEQUENCE_ID, OWNER, OWNER_EPOCH, OWNER_LEASE_UNTIL, LAUNCHER, START_TIME, WARMUP_START_TIME, WARMUP_END_TIME,
		END_TIME, TOTAL_WORKERS_EXPECTED, WORKERS_REGISTERED, WORKERS_ACTIVE, WORKERS_COMPLETED, WORKER_TARGETS,
		WORKER_HANDLES, FINDINGS, FIND_MAX_STATE, TOTAL_OPS, ERROR_COUNT, CURRENT_QPS, STATE, CREATED_AT, UPDATED_AT`,
	"RUN_CONTROL_EVENTS": `RUN_ID, SEQUENCE_ID, EVENT_ID, EVENT_TYPE, EVENT_DATA, CREATED_AT`,
	"WORKER_HEARTBEATS": `RUN_ID, WORKER_ID, WORKER_GROUP_ID, EPOCH, STATUS, PHASE, LAST_HEARTBEAT, HEARTBEAT_COUNT,
		ACTIVE_CONNECTIONS, TARGET_CONNECTIONS, CPU_PERCENT, MEMORY_PERCENT, QUERIES_PROCESSED, ERROR_COUNT, LAST_ERROR,
		LAST_SEQUENCE, ACKED_SEQUENCE, TARGET_SESSIONS, BUILD, PAYLOAD`,
	"TEST_RESULTS": `TEST_ID, RUN_ID, WORKER_ID, TEST_NAME, TEMPLATE_ID, TABLE_NAME, TABLE_TYPE, WAREHOUSE, STATUS, REASON,
		START_TIME, END_TIME, MEASURED_SECONDS, CONCURRENT_CONNECTIONS, TOTAL_OPERATIONS, OK_OPERATIONS, ERROR_OPERATIONS,
		ABORTED_OPERATIONS, READ_OPERATIONS, WRITE_OPERATIONS, QPS, AVG_LATENCY_MS, P50_LATENCY_MS, P90_LATENCY_MS,
		P95_LATENCY_MS, P99_LATENCY_MS, P999_LATENCY_MS, MIN_LATENCY_MS, MAX_LATENCY_MS, KINDS, HISTOGRAM, ERRORS, LEDGER,
		OPERATION_HASH, VERDICT, VERDICT_REASONS, STOP_CERTIFICATE, FIND_MAX_RESULT, WAREHOUSE_CONFIG_SNAPSHOT, QUERY_TAG,
		TEST_CONFIG, ENVIRONMENT, TAGS, NOTES, CREATED_AT, UPDATED_AT`,
	"WORKER_METRICS_SNAPSHOTS": `RUN_ID, TEST_ID, WORKER_ID, WORKER_GROUP_ID, SEQUENCE, TIMESTAMP, ELAPSED_SECONDS, PHASE,
		TOTAL_QUERIES, READ_COUNT, WRITE_COUNT, ERROR_COUNT, QPS, P50_LATENCY_MS, P95_LATENCY_MS, P99_LATENCY_MS,
		AVG_LATENCY_MS, MIN_LATENCY_MS, MAX_LATENCY_MS, HISTOGRAM, ACTIVE_CONNECTIONS, TARGET_CONNECTIONS, CPU_PERCENT,
		MEMORY_PERCENT, COARSE`,
	"METRICS_SNAPSHOTS": `RUN_ID, TIMESTAMP, ELAPSED_SECONDS, PHASE, TOTAL_QUERIES, READ_COUNT, WRITE_COUNT, ERROR_COUNT,
		QPS, P50_LATENCY_MS, P95_LATENCY_MS, P99_LATENCY_MS, AVG_LATENCY_MS, MIN_LATENCY_MS, MAX_LATENCY_MS, KINDS,
		WORKERS_HEALTHY, WORKERS_STALE, WORKERS_LOST`,
	"QUERY_EXECUTIONS": `EXECUTION_ID, RUN_ID, TEST_ID, WORKER_ID, CONNECTION_INDEX, QUERY_ID, QUERY_KIND, START_TIME,
		INTENDED_START_TIME, DURATION_MS, RESPONSE_MS, ROWS_AFFECTED, SUCCESS, ERROR_CLASS, ERROR, WARMUP`,
	"CONTROLLER_STEP_HISTORY":  `STEP_ID, RUN_ID, STEP_NUMBER, STEP_TYPE, OUTCOME, STOP_REASON`,
	"WAREHOUSE_POLL_SNAPSHOTS": `RUN_ID, TIMESTAMP, WAREHOUSE_NAME, STARTED_CLUSTERS, RUNNING, QUEUED, MIN_CLUSTERS, MAX_CLUSTERS, RAW`,
	"TEST_LOGS":                `LOG_ID, TEST_ID, WORKER_ID, SEQ, TIMESTAMP, LEVEL, LOGGER, MESSAGE, EXCEPTION`,
	"TEMPLATE_VALUE_POOLS":     `POOL_ID, TEMPLATE_ID, POOL_KIND, COLUMN_NAME, SEQ, VALUE`,
	"TEST_TEMPLATES": `TEMPLATE_ID, TEMPLATE_NAME, DESCRIPTION, CONFIG, VERSION, TAGS, USAGE_COUNT, LAST_USED_AT,
		CREATED_BY, CREATED_AT, UPDATED_AT`,
}

func TestEveryFixedNameIsThere(t *testing.T) {
	for _, dialect := range schema.Dialects() {
		tables, err := schema.Tables(dialect)
		is.New(t).NoErr(err)
		for name, columns := range fixed {
			t.Run(dialect+"/"+name, func(t *testing.T) {
				is := is.New(t)
				at := slices.IndexFunc(tables, func(table schema.Table) bool { return table.Name == name })
				is.True(at >= 0) // the table is there
				for column := range strings.SplitSeq(columns, ",") {
					column = strings.TrimSpace(column)
					if !tables[at].Has(column) {
						t.Errorf("table %s has no column %s", name, column)
					}
				}
			})
		}
	}
}

func TestEveryColumnCanBeAdded(t *testing.T) {
	for _, dialect := range schema.Dialects() {
		is := is.New(t)
		statements, err := schema.Statements(dialect, schema.Store)
		is.NoErr(err)
		for _, statement := range statements {
			if !strings.HasPrefix(statement, "CREATE TABLE") && !strings.HasPrefix(statement, "CREATE HYBRID TABLE") {
				continue
			}
			table, err := schema.Parse(statement)
			is.NoErr(err)
			key := regexp.MustCompile(`PRIMARY KEY \((.*)\)`).FindStringSubmatch(statement)
			is.Equal(len(key), 2) // every table has a key
			for _, column := range table.Columns {
				inKey := slices.Contains(strings.Split(key[1], ", "), column.Name)
				if !inKey && strings.Contains(column.Definition, "NOT NULL") && !strings.Contains(column.Definition, "DEFAULT") {
					t.Errorf("%s.%s could not be added to a table that holds rows: give it a DEFAULT", table.Name, column.Name)
				}
			}
		}
	}
}

func TestEveryStoreStatementCanRunAgain(t *testing.T) {
	for _, dialect := range schema.Dialects() {
		is := is.New(t)
		statements, err := schema.Statements(dialect, schema.Store)
		is.NoErr(err)
		is.True(len(statements) > len(fixed))
		for _, statement := range statements {
			if !strings.Contains(statement, "IF NOT EXISTS") {
				t.Errorf("cannot run twice: %s", statement)
			}
		}
	}
}

func TestUpgrade(t *testing.T) {
	tables, err := schema.Tables("sqlite")
	is.New(t).NoErr(err)
	all, err := schema.Statements("sqlite", schema.Store)
	is.New(t).NoErr(err)

	t.Run("an empty store gets everything", func(t *testing.T) {
		is := is.New(t)
		got, err := schema.Upgrade("sqlite", nil)
		is.NoErr(err)
		is.Equal(got, all)
	})
	t.Run("a complete store gets no ALTER", func(t *testing.T) {
		is := is.New(t)
		got, err := schema.Upgrade("sqlite", tables)
		is.NoErr(err)
		is.Equal(got, all)
	})
	t.Run("missing columns are added before indexes", func(t *testing.T) {
		is := is.New(t)
		old := []schema.Table{{Name: "run_status", Columns: slices.Clone(tables[0].Columns[:5])}}
		got, err := schema.Upgrade("sqlite", old)
		is.NoErr(err)
		is.Equal(len(got), len(all)+len(tables[0].Columns)-5)
		added := slices.Index(got, "ALTER TABLE RUN_STATUS ADD COLUMN INSERT_BASE INTEGER NOT NULL DEFAULT 0")
		index := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "CREATE UNIQUE INDEX") })
		is.True(added >= len(tables)) // behind the tables
		is.True(added < index)        // before the indexes
	})
}

func TestTarget(t *testing.T) {
	for _, dialect := range []string{"sqlite", "postgres", "snowflake"} {
		t.Run(dialect, func(t *testing.T) { testTarget(t, dialect) })
	}
}

func testTarget(t *testing.T, dialect string) {
	is := is.New(t)
	create, err := schema.Statements(dialect, schema.TargetCreate)
	is.NoErr(err)
	is.Equal(len(create), 1)
	table, err := schema.Parse(create[0])
	is.NoErr(err)
	is.Equal(table.Name, "{table}")
	var names []string
	for _, column := range table.Columns {
		names = append(names, column.Name)
	}
	is.Equal(names, []string{"ID", "CUSTOMER_ID", "BALANCE", "STATUS", "PAYLOAD"})
	drop, err := schema.Statements(dialect, schema.TargetDrop)
	is.NoErr(err)
	is.Equal(drop, []string{"DROP TABLE IF EXISTS {table}"})
}

func TestScriptIsEveryFile(t *testing.T) {
	is := is.New(t)
	script, err := schema.Script("sqlite")
	is.NoErr(err)
	names, err := filepath.Glob("sqlite/store/*.sql")
	is.NoErr(err)
	is.Equal(len(names), len(fixed)+1)
	for _, name := range names {
		text, err := os.ReadFile(name)
		is.NoErr(err)
		is.True(strings.Contains(script, string(text)))
	}
}

func TestUnknownIsNamed(t *testing.T) {
	is := is.New(t)
	_, err := schema.Statements("oracle", schema.Store)
	is.True(err != nil && strings.Contains(err.Error(), `"oracle"`))
	_, err = schema.Statements("sqlite", "shop")
	is.True(err != nil && strings.Contains(err.Error(), `"shop"`))
	_, err = schema.Script("oracle")
	is.True(err != nil)
}

func TestParseRefusesOtherForms(t *testing.T) {
	for _, statement := range []string{
		"CREATE INDEX I ON T (A)",
		"CREATE TABLE T (A TEXT)",
		"CREATE TABLE T (\n)",
		"CREATE TABLE T (\n  A\n)",
		"CREATE TABLE T (\n  lower TEXT\n)",
		"CREATE TABLE T (\n  A TEXT,\n  A TEXT\n)",
		"CREATE TABLE T (\n  A TEXT,\n  PRIMARY KEY (A),\n  B TEXT\n)",
	} {
		if table, err := schema.Parse(statement); err == nil {
			t.Errorf("parsed %q as %+v", statement, table)
		}
	}
}
