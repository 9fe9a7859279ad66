-- One row per run. STATE is the truth; every other column is a projection of
-- it, made in the same transaction, for lists, dashboards and the control read.
-- What the control read needs comes first: a row is read up to the last column
-- that is asked for, and the long texts are at its end.
CREATE TABLE IF NOT EXISTS RUN_STATUS (
  RUN_ID                 TEXT    NOT NULL,
  VERSION                INTEGER NOT NULL DEFAULT 1,               -- compared and raised by every commit
  STATUS                 TEXT    NOT NULL DEFAULT 'PREPARED',
  RUNG                   TEXT    NOT NULL DEFAULT 'NOT_STOPPING',  -- of the STOP ladder
  PHASE                  TEXT    NOT NULL DEFAULT 'PREPARING',
  PHASE_AT               TEXT,                                     -- when PHASE takes effect
  ORIGIN_AT              TEXT,                                     -- when the load begins
  UNTIL_AT               TEXT,                                     -- when the load ends by itself
  OWNER_LEASE_UNTIL      TEXT,
  NEXT_SEQUENCE_ID       INTEGER NOT NULL DEFAULT 1,               -- of RUN_CONTROL_EVENTS
  WORKER_TARGETS         BLOB,                                     -- JSONB (json() shows it): worker id to its connections, epoch, acknowledged interval
  TEST_ID                TEXT    NOT NULL DEFAULT '',              -- the run id
  INSERT_BASE            INTEGER NOT NULL DEFAULT 0,               -- of INSERT_RANGES; rises with every run
  TEMPLATE_ID            TEXT,
  TEST_NAME              TEXT    NOT NULL DEFAULT '',
  LAUNCHER               TEXT    NOT NULL DEFAULT '',
  HANDLE_HOST            TEXT    NOT NULL DEFAULT '',              -- that local handles belong to
  GATEWAY_ADDRESS        TEXT    NOT NULL DEFAULT '',              -- host:port at which the owner serves the store to its workers
  REASON                 TEXT    NOT NULL DEFAULT '',
  REASON_DETAIL          TEXT    NOT NULL DEFAULT '',
  OWNER                  TEXT    NOT NULL DEFAULT '',
  OWNER_EPOCH            INTEGER NOT NULL DEFAULT 0,
  START_TIME             TEXT,                                     -- the start was requested
  WARMUP_START_TIME      TEXT,
  WARMUP_END_TIME        TEXT,
  END_TIME               TEXT,                                     -- the run became terminal
  TOTAL_WORKERS_EXPECTED INTEGER NOT NULL DEFAULT 0,
  WORKERS_REGISTERED     INTEGER NOT NULL DEFAULT 0,               -- have beaten at least once
  WORKERS_ACTIVE         INTEGER NOT NULL DEFAULT 0,               -- registered, alive, not finished
  WORKERS_COMPLETED      INTEGER NOT NULL DEFAULT 0,               -- made their final report
  TOTAL_OPS              INTEGER NOT NULL DEFAULT 0,
  ERROR_COUNT            INTEGER NOT NULL DEFAULT 0,
  CURRENT_QPS            REAL    NOT NULL DEFAULT 0,
  CREATED_AT             TEXT,
  UPDATED_AT             TEXT,
  CHECK_AT               TEXT,                                     -- checks alone were asked for, and are not made yet
  FIND_MAX_STATE         TEXT,                                     -- JSON
  FINDINGS               TEXT,                                     -- JSON: of preflight
  WORKER_HANDLES         TEXT,                                     -- JSON: worker id to its launcher's handle
  STATE                  TEXT,                                     -- JSON: {"v":1,"run":...}
  SCENARIO_CONFIG        TEXT,                                     -- JSON: frozen
  PRIMARY KEY (RUN_ID)
);

CREATE UNIQUE INDEX IF NOT EXISTS RUN_STATUS_INSERT_BASE ON RUN_STATUS (INSERT_BASE);
CREATE INDEX IF NOT EXISTS RUN_STATUS_STATUS ON RUN_STATUS (STATUS, INSERT_BASE);
