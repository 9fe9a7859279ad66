-- The four tables of TPC-B as pgbench makes them; {table} holds the accounts.
CREATE TABLE {table.branches} (
  BID      INTEGER NOT NULL,
  BBALANCE INTEGER,
  FILLER   CHAR(88),
  PRIMARY KEY (BID)
);
CREATE TABLE {table.tellers} (
  TID      INTEGER NOT NULL,
  BID      INTEGER,
  TBALANCE INTEGER,
  FILLER   CHAR(84),
  PRIMARY KEY (TID)
);
CREATE TABLE {table} (
  AID      INTEGER NOT NULL,
  BID      INTEGER,
  ABALANCE INTEGER,
  FILLER   CHAR(84),
  PRIMARY KEY (AID)
);
CREATE TABLE {table.history} (
  TID    INTEGER,
  BID    INTEGER,
  AID    INTEGER,
  DELTA  INTEGER,
  MTIME  TIMESTAMP,
  FILLER CHAR(22)
);
