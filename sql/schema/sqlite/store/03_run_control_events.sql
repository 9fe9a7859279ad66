-- The control events of runs: append only, without gaps within a run.
CREATE TABLE IF NOT EXISTS RUN_CONTROL_EVENTS (
  RUN_ID      TEXT    NOT NULL,
  SEQUENCE_ID INTEGER NOT NULL,
  EVENT_ID    TEXT    NOT NULL DEFAULT '',
  EVENT_TYPE  TEXT    NOT NULL DEFAULT '',
  CREATED_AT  TEXT,                         -- when it was decided
  EVENT_DATA  TEXT,                         -- JSON: scope, reason and the rest
  PRIMARY KEY (RUN_ID, SEQUENCE_ID)
);
