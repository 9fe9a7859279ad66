-- Stored values that parameters of a template draw from.
CREATE TABLE IF NOT EXISTS {database}.{config}.TEMPLATE_VALUE_POOLS (
  POOL_ID     VARCHAR(256) NOT NULL,
  SEQ         NUMBER(38,0) NOT NULL,
  TEMPLATE_ID VARCHAR(128) NOT NULL DEFAULT '',
  POOL_KIND   VARCHAR(64) NOT NULL DEFAULT '',
  COLUMN_NAME VARCHAR(256) NOT NULL DEFAULT '',
  VALUE       VARCHAR,                           -- JSON
  PRIMARY KEY (POOL_ID, SEQ)
);
