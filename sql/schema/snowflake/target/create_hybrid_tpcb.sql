-- The four tables of TPC-B as pgbench makes them, as hybrid tables. Those need a
-- key, so the history has a number of its own.
CREATE HYBRID TABLE {table.branches} (
  BID      NUMBER(38,0) NOT NULL,
  BBALANCE NUMBER(38,0),
  FILLER   VARCHAR(88),
  PRIMARY KEY (BID)
);
CREATE HYBRID TABLE {table.tellers} (
  TID      NUMBER(38,0) NOT NULL,
  BID      NUMBER(38,0),
  TBALANCE NUMBER(38,0),
  FILLER   VARCHAR(84),
  PRIMARY KEY (TID)
);
CREATE HYBRID TABLE {table} (
  AID      NUMBER(38,0) NOT NULL,
  BID      NUMBER(38,0),
  ABALANCE NUMBER(38,0),
  FILLER   VARCHAR(84),
  PRIMARY KEY (AID)
);
CREATE HYBRID TABLE {table.history} (
  HID    NUMBER(38,0) NOT NULL AUTOINCREMENT,
  TID    NUMBER(38,0),
  BID    NUMBER(38,0),
  AID    NUMBER(38,0),
  DELTA  NUMBER(38,0),
  MTIME  TIMESTAMP,
  FILLER VARCHAR(22),
  PRIMARY KEY (HID)
);
