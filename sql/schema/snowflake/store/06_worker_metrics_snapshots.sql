-- One row per worker and interval. Counts are of operations that ended in the
-- interval; QPS is TOTAL_QUERIES by INTERVAL_SECONDS.
CREATE TABLE IF NOT EXISTS {database}.{results}.WORKER_METRICS_SNAPSHOTS (
  RUN_ID             VARCHAR(256) NOT NULL,
  WORKER_ID          VARCHAR(128) NOT NULL,
  SEQUENCE           NUMBER(38,0) NOT NULL,
  TEST_ID            VARCHAR(512) NOT NULL DEFAULT '',
  WORKER_GROUP_ID    NUMBER(38,0) NOT NULL DEFAULT 0,
  TIMESTAMP          TIMESTAMP_NTZ(6),                  -- the interval's end
  INTERVAL_START     TIMESTAMP_NTZ(6),
  INTERVAL_SECONDS   FLOAT NOT NULL DEFAULT 0,
  ELAPSED_SECONDS    FLOAT NOT NULL DEFAULT 0,          -- from the run's origin to the interval's end
  OFFSET_MICROS      NUMBER(38,0) NOT NULL DEFAULT 0,   -- the same, to compare exactly
  PHASE              VARCHAR(32) NOT NULL DEFAULT '',
  TOTAL_QUERIES      NUMBER(38,0) NOT NULL DEFAULT 0,
  READ_COUNT         NUMBER(38,0) NOT NULL DEFAULT 0,
  WRITE_COUNT        NUMBER(38,0) NOT NULL DEFAULT 0,
  ERROR_COUNT        NUMBER(38,0) NOT NULL DEFAULT 0,
  QPS                FLOAT NOT NULL DEFAULT 0,
  P50_LATENCY_MS     FLOAT,
  P95_LATENCY_MS     FLOAT,
  P99_LATENCY_MS     FLOAT,
  AVG_LATENCY_MS     FLOAT,
  MIN_LATENCY_MS     FLOAT,
  MAX_LATENCY_MS     FLOAT,
  ACTIVE_CONNECTIONS NUMBER(38,0) NOT NULL DEFAULT 0,
  TARGET_CONNECTIONS NUMBER(38,0) NOT NULL DEFAULT 0,
  CPU_PERCENT        FLOAT NOT NULL DEFAULT 0,
  MEMORY_PERCENT     FLOAT NOT NULL DEFAULT 0,
  COARSE             NUMBER(38,0) NOT NULL DEFAULT 0,   -- several intervals merged into one
  HISTOGRAM          VARCHAR,                           -- of all kinds
  KINDS              VARCHAR,                           -- JSON: everything per kind of operation
  PRIMARY KEY (RUN_ID, WORKER_ID, SEQUENCE)
);
