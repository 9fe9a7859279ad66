-- The newest beat of every worker. PAYLOAD comes last: readers that know it
-- already do not read it again.
CREATE HYBRID TABLE IF NOT EXISTS {database}.{results}.WORKER_HEARTBEATS (
  RUN_ID             VARCHAR(256) NOT NULL,
  WORKER_ID          VARCHAR(128) NOT NULL,
  WORKER_GROUP_ID    NUMBER(38,0) NOT NULL DEFAULT 0,
  EPOCH              NUMBER(38,0) NOT NULL DEFAULT 0,
  STATUS             VARCHAR(32) NOT NULL DEFAULT '',
  PHASE              VARCHAR(32) NOT NULL DEFAULT '',
  LAST_HEARTBEAT     TIMESTAMP_NTZ(6),                 -- by the store's clock
  HEARTBEAT_COUNT    NUMBER(38,0) NOT NULL DEFAULT 0,
  ACTIVE_CONNECTIONS NUMBER(38,0) NOT NULL DEFAULT 0,
  TARGET_CONNECTIONS NUMBER(38,0) NOT NULL DEFAULT 0,
  CPU_PERCENT        FLOAT NOT NULL DEFAULT 0,
  MEMORY_PERCENT     FLOAT NOT NULL DEFAULT 0,
  QUERIES_PROCESSED  NUMBER(38,0) NOT NULL DEFAULT 0,  -- operations that have ended, in all phases
  ERROR_COUNT        NUMBER(38,0) NOT NULL DEFAULT 0,
  LAST_ERROR         VARCHAR NOT NULL DEFAULT '',
  LAST_SEQUENCE      NUMBER(38,0) NOT NULL DEFAULT 0,  -- newest control event that it knew of
  ACKED_SEQUENCE     NUMBER(38,0) NOT NULL DEFAULT 0,  -- last interval that it knew to be stored
  TARGET_SESSIONS    VARCHAR,                          -- JSON
  BUILD              VARCHAR,                          -- JSON
  PAYLOAD            VARCHAR,                          -- JSON: cumulative counters, histograms, unacknowledged intervals
  PRIMARY KEY (RUN_ID, WORKER_ID)
);
