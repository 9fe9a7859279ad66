-- Results: one parent row per run (TEST_ID = RUN_ID, no WORKER_ID) and one child
-- row per worker. ROLLUP is the whole result; the other columns are projections
-- of it. Latencies are of operations that succeeded.
CREATE TABLE IF NOT EXISTS TEST_RESULTS (
  TEST_ID                   TEXT    NOT NULL,
  RUN_ID                    TEXT    NOT NULL DEFAULT '',
  WORKER_ID                 TEXT,
  WORKER_GROUP_ID           INTEGER,
  TEST_NAME                 TEXT    NOT NULL DEFAULT '',
  TEMPLATE_ID               TEXT,
  TABLE_NAME                TEXT,
  TABLE_TYPE                TEXT,
  WAREHOUSE                 TEXT,
  STATUS                    TEXT    NOT NULL DEFAULT '',
  REASON                    TEXT    NOT NULL DEFAULT '',
  REASON_DETAIL             TEXT    NOT NULL DEFAULT '',
  START_TIME                TEXT,
  END_TIME                  TEXT,
  MEASURED_SECONDS          REAL    NOT NULL DEFAULT 0,
  CONCURRENT_CONNECTIONS    INTEGER NOT NULL DEFAULT 0,
  TOTAL_OPERATIONS          INTEGER NOT NULL DEFAULT 0,   -- started, belonging to the measurement
  OK_OPERATIONS             INTEGER NOT NULL DEFAULT 0,
  ERROR_OPERATIONS          INTEGER NOT NULL DEFAULT 0,
  ABORTED_OPERATIONS        INTEGER NOT NULL DEFAULT 0,   -- cancelled by the stop
  READ_OPERATIONS           INTEGER NOT NULL DEFAULT 0,   -- started; with WRITE_OPERATIONS the total
  WRITE_OPERATIONS          INTEGER NOT NULL DEFAULT 0,
  QPS                       REAL    NOT NULL DEFAULT 0,   -- completions per second inside the window
  AVG_LATENCY_MS            REAL,
  P50_LATENCY_MS            REAL,
  P90_LATENCY_MS            REAL,
  P95_LATENCY_MS            REAL,
  P99_LATENCY_MS            REAL,
  P999_LATENCY_MS           REAL,
  MIN_LATENCY_MS            REAL,
  MAX_LATENCY_MS            REAL,
  VERDICT                   TEXT    NOT NULL DEFAULT '',
  OPERATION_HASH            TEXT    NOT NULL DEFAULT '',
  QUERY_TAG                 TEXT,                         -- what the tags of the run's operations begin with, where the target takes tags
  NOTES                     TEXT,
  CREATED_AT                TEXT,
  UPDATED_AT                TEXT,
  VERDICT_REASONS           TEXT,                         -- JSON
  KINDS                     TEXT,                         -- JSON: counts and latencies per kind of operation
  HISTOGRAM                 TEXT,                         -- of all kinds
  ERRORS                    TEXT,                         -- JSON: classes and counts
  LEDGER                    TEXT,                         -- JSON: over all phases
  STOP_CERTIFICATE          TEXT,                         -- JSON; of the parent
  FIND_MAX_RESULT           TEXT,                         -- JSON; of the parent
  WAREHOUSE_CONFIG_SNAPSHOT TEXT,                         -- JSON
  TEST_CONFIG               TEXT,                         -- JSON: the scenario; of the parent
  ENVIRONMENT               TEXT,                         -- JSON; of the parent
  TAGS                      TEXT,                         -- JSON
  ROLLUP                    TEXT,                         -- JSON: the whole result
  PRIMARY KEY (TEST_ID)
);

CREATE INDEX IF NOT EXISTS TEST_RESULTS_RUN ON TEST_RESULTS (RUN_ID, WORKER_GROUP_ID);
