-- Results: one parent row per run (TEST_ID = RUN_ID, no WORKER_ID) and one child
-- row per worker. ROLLUP is the whole result; the other columns are projections
-- of it, as VARIANT where dashboards look inside. Latencies are of operations that
-- succeeded. A key of a standard table is a declaration: Snowflake does not enforce
-- it, the store does.
CREATE TABLE IF NOT EXISTS {database}.{results}.TEST_RESULTS (
  TEST_ID                   VARCHAR(512) NOT NULL,
  RUN_ID                    VARCHAR(256) NOT NULL DEFAULT '',
  WORKER_ID                 VARCHAR(128),
  WORKER_GROUP_ID           NUMBER(38,0),
  TEST_NAME                 VARCHAR NOT NULL DEFAULT '',
  TEMPLATE_ID               VARCHAR(128),
  TABLE_NAME                VARCHAR,
  TABLE_TYPE                VARCHAR,
  WAREHOUSE                 VARCHAR,
  STATUS                    VARCHAR(32) NOT NULL DEFAULT '',
  REASON                    VARCHAR(64) NOT NULL DEFAULT '',
  REASON_DETAIL             VARCHAR NOT NULL DEFAULT '',
  START_TIME                TIMESTAMP_NTZ(6),
  END_TIME                  TIMESTAMP_NTZ(6),
  MEASURED_SECONDS          FLOAT NOT NULL DEFAULT 0,
  CONCURRENT_CONNECTIONS    NUMBER(38,0) NOT NULL DEFAULT 0,
  TOTAL_OPERATIONS          NUMBER(38,0) NOT NULL DEFAULT 0,   -- started, belonging to the measurement
  OK_OPERATIONS             NUMBER(38,0) NOT NULL DEFAULT 0,
  ERROR_OPERATIONS          NUMBER(38,0) NOT NULL DEFAULT 0,
  ABORTED_OPERATIONS        NUMBER(38,0) NOT NULL DEFAULT 0,   -- cancelled by the stop
  READ_OPERATIONS           NUMBER(38,0) NOT NULL DEFAULT 0,   -- started; with WRITE_OPERATIONS the total
  WRITE_OPERATIONS          NUMBER(38,0) NOT NULL DEFAULT 0,
  QPS                       FLOAT NOT NULL DEFAULT 0,          -- completions per second inside the window
  AVG_LATENCY_MS            FLOAT,
  P50_LATENCY_MS            FLOAT,
  P90_LATENCY_MS            FLOAT,
  P95_LATENCY_MS            FLOAT,
  P99_LATENCY_MS            FLOAT,
  P999_LATENCY_MS           FLOAT,
  MIN_LATENCY_MS            FLOAT,
  MAX_LATENCY_MS            FLOAT,
  VERDICT                   VARCHAR(32) NOT NULL DEFAULT '',
  OPERATION_HASH            VARCHAR(32) NOT NULL DEFAULT '',
  QUERY_TAG                 VARCHAR,                           -- what the tags of the run's operations begin with, where the target takes tags
  NOTES                     VARCHAR,
  CREATED_AT                TIMESTAMP_NTZ(6),
  UPDATED_AT                TIMESTAMP_NTZ(6),
  VERDICT_REASONS           VARIANT,                           -- JSON
  KINDS                     VARIANT,                           -- JSON: counts and latencies per kind of operation
  HISTOGRAM                 VARCHAR,                           -- of all kinds
  ERRORS                    VARIANT,                           -- JSON: classes and counts
  LEDGER                    VARIANT,                           -- JSON: over all phases
  STOP_CERTIFICATE          VARIANT,                           -- JSON; of the parent
  FIND_MAX_RESULT           VARIANT,                           -- JSON; of the parent
  WAREHOUSE_CONFIG_SNAPSHOT VARIANT,                           -- JSON
  TEST_CONFIG               VARIANT,                           -- JSON: the scenario; of the parent
  ENVIRONMENT               VARIANT,                           -- JSON; of the parent
  TAGS                      VARIANT,                           -- JSON
  ROLLUP                    VARCHAR,                           -- JSON: the whole result
  PRIMARY KEY (TEST_ID)
);
