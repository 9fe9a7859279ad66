-- The control events of runs: append only, without gaps within a run.
CREATE HYBRID TABLE IF NOT EXISTS {database}.{results}.RUN_CONTROL_EVENTS (
  RUN_ID      VARCHAR(256) NOT NULL,
  SEQUENCE_ID NUMBER(38,0) NOT NULL,
  EVENT_ID    VARCHAR(512) NOT NULL DEFAULT '',
  EVENT_TYPE  VARCHAR(64) NOT NULL DEFAULT '',
  CREATED_AT  TIMESTAMP_NTZ(6),                  -- when it was decided
  EVENT_DATA  VARCHAR,                           -- JSON: scope, reason and the rest
  PRIMARY KEY (RUN_ID, SEQUENCE_ID)
);
