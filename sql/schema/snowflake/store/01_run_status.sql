-- One row per run. STATE is the truth; every other column is a projection of
-- it, made in the same statement, for lists, dashboards and the control read.
-- What the control read needs comes first: a row is read up to the last column
-- that is asked for, and the long texts are at its end. WORKER_TARGETS is the one
-- column that the database looks into, so it is a VARIANT; JSON that only we read
-- back is text, byte for byte (docs/adr/0020).
CREATE HYBRID TABLE IF NOT EXISTS {database}.{results}.RUN_STATUS (
  RUN_ID                 VARCHAR(256) NOT NULL,
  VERSION                NUMBER(38,0) NOT NULL DEFAULT 1,              -- compared and raised by every commit
  STATUS                 VARCHAR(32) NOT NULL DEFAULT 'PREPARED',
  RUNG                   VARCHAR(32) NOT NULL DEFAULT 'NOT_STOPPING',  -- of the STOP ladder
  PHASE                  VARCHAR(32) NOT NULL DEFAULT 'PREPARING',
  PHASE_AT               TIMESTAMP_NTZ(6),                             -- when PHASE takes effect
  ORIGIN_AT              TIMESTAMP_NTZ(6),                             -- when the load begins
  UNTIL_AT               TIMESTAMP_NTZ(6),                             -- when the load ends by itself
  OWNER_LEASE_UNTIL      TIMESTAMP_NTZ(6),
  NEXT_SEQUENCE_ID       NUMBER(38,0) NOT NULL DEFAULT 1,              -- of RUN_CONTROL_EVENTS
  WORKER_TARGETS         VARIANT,                                      -- JSON: worker id to its connections, epoch, acknowledged interval
  TEST_ID                VARCHAR(512) NOT NULL DEFAULT '',             -- the run id
  INSERT_BASE            NUMBER(38,0) NOT NULL DEFAULT 0,              -- of INSERT_RANGES; rises with every run
  TEMPLATE_ID            VARCHAR(128),
  TEST_NAME              VARCHAR NOT NULL DEFAULT '',
  LAUNCHER               VARCHAR(64) NOT NULL DEFAULT '',
  HANDLE_HOST            VARCHAR NOT NULL DEFAULT '',                  -- that local handles belong to
  GATEWAY_ADDRESS        VARCHAR NOT NULL DEFAULT '',                  -- host:port at which the owner serves the store to its workers
  REASON                 VARCHAR(64) NOT NULL DEFAULT '',
  REASON_DETAIL          VARCHAR NOT NULL DEFAULT '',
  OWNER                  VARCHAR NOT NULL DEFAULT '',
  OWNER_EPOCH            NUMBER(38,0) NOT NULL DEFAULT 0,
  START_TIME             TIMESTAMP_NTZ(6),                             -- the start was requested
  WARMUP_START_TIME      TIMESTAMP_NTZ(6),
  WARMUP_END_TIME        TIMESTAMP_NTZ(6),
  END_TIME               TIMESTAMP_NTZ(6),                             -- the run became terminal
  TOTAL_WORKERS_EXPECTED NUMBER(38,0) NOT NULL DEFAULT 0,
  WORKERS_REGISTERED     NUMBER(38,0) NOT NULL DEFAULT 0,              -- have beaten at least once
  WORKERS_ACTIVE         NUMBER(38,0) NOT NULL DEFAULT 0,              -- registered, alive, not finished
  WORKERS_COMPLETED      NUMBER(38,0) NOT NULL DEFAULT 0,              -- made their final report
  TOTAL_OPS              NUMBER(38,0) NOT NULL DEFAULT 0,
  ERROR_COUNT            NUMBER(38,0) NOT NULL DEFAULT 0,
  CURRENT_QPS            FLOAT NOT NULL DEFAULT 0,
  COMMIT_ID              VARCHAR(64),                                  -- of the commit that made VERSION: who lost the reply finds out by it
  PENDING_EVENTS         VARCHAR,                                      -- JSON: control events that may not be in RUN_CONTROL_EVENTS yet
  CREATED_AT             TIMESTAMP_NTZ(6),
  UPDATED_AT             TIMESTAMP_NTZ(6),
  CHECK_AT               TIMESTAMP_NTZ(6),                             -- checks alone were asked for, and are not made yet
  FIND_MAX_STATE         VARCHAR,                                      -- JSON
  FINDINGS               VARCHAR,                                      -- JSON: of preflight
  WORKER_HANDLES         VARCHAR,                                      -- JSON: worker id to its launcher's handle
  STATE                  VARCHAR,                                      -- JSON: {"v":1,"run":...}
  SCENARIO_CONFIG        VARCHAR,                                      -- JSON: frozen
  PRIMARY KEY (RUN_ID),
  UNIQUE (INSERT_BASE),
  INDEX RUN_STATUS_STATUS (STATUS, INSERT_BASE)
);
