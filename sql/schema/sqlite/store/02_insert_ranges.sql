-- Every key range that was ever reserved for the inserts of a run. Rows stay
-- when their run is deleted, so that no range is given out twice.
CREATE TABLE IF NOT EXISTS INSERT_RANGES (
  INSERT_BASE INTEGER NOT NULL,
  RUN_ID      TEXT    NOT NULL DEFAULT '',
  CREATED_AT  TEXT,
  PRIMARY KEY (INSERT_BASE)
);
