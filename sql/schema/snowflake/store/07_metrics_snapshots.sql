-- One row per run, phase and interval: the merge of all workers. Pages read it. It
-- is hybrid, since a row is written anew while beats of its interval come in, and
-- on a standard table that would lock out the rows of all other runs.
CREATE HYBRID TABLE IF NOT EXISTS {database}.{results}.METRICS_SNAPSHOTS (
  RUN_ID             VARCHAR(256) NOT NULL,
  OFFSET_MICROS      NUMBER(38,0) NOT NULL,            -- ELAPSED_SECONDS, to compare exactly
  PHASE              VARCHAR(32) NOT NULL,
  TIMESTAMP          TIMESTAMP_NTZ(6),                 -- the interval's end
  INTERVAL_START     TIMESTAMP_NTZ(6),
  INTERVAL_SECONDS   FLOAT NOT NULL DEFAULT 0,
  ELAPSED_SECONDS    FLOAT NOT NULL DEFAULT 0,         -- from the run's origin to the interval's end
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
  WORKERS_HEALTHY    NUMBER(38,0) NOT NULL DEFAULT 0,
  WORKERS_STALE      NUMBER(38,0) NOT NULL DEFAULT 0,
  WORKERS_LOST       NUMBER(38,0) NOT NULL DEFAULT 0,
  KINDS              VARCHAR,                          -- JSON: everything per kind of operation
  PRIMARY KEY (RUN_ID, OFFSET_MICROS, PHASE)
);
