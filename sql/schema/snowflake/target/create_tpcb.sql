-- The four tables of TPC-B as pgbench makes them; {table} holds the accounts.
CREATE TABLE {table.branches} (
  BID      NUMBER(38,0) NOT NULL,
  BBALANCE NUMBER(38,0),
  FILLER   VARCHAR(88),
  PRIMARY KEY (BID)
);
CREATE TABLE {table.tellers} (
  TID      NUMBER(38,0) NOT NULL,
  BID      NUMBER(38,0),
  TBALANCE NUMBER(38,0),
  FILLER   VARCHAR(84),
  PRIMARY KEY (TID)
);
CREATE TABLE {table} (
  AID      NUMBER(38,0) NOT NULL,
  BID      NUMBER(38,0),
  ABALANCE NUMBER(38,0),
  FILLER   VARCHAR(84),
  PRIMARY KEY (AID)
);
CREATE TABLE {table.history} (
  TID    NUMBER(38,0),
  BID    NUMBER(38,0),
  AID    NUMBER(38,0),
  DELTA  NUMBER(38,0),
  MTIME  TIMESTAMP,
  FILLER VARCHAR(22)
);
