-- Every key range that was ever reserved for the inserts of a run. Rows stay
-- when their run is deleted, so that no range is given out twice.
CREATE HYBRID TABLE IF NOT EXISTS {database}.{results}.INSERT_RANGES (
  INSERT_BASE NUMBER(38,0) NOT NULL,
  RUN_ID      VARCHAR(256) NOT NULL DEFAULT '',
  CREATED_AT  TIMESTAMP_NTZ(6),
  PRIMARY KEY (INSERT_BASE)
);
