-- The benchmark table as a hybrid table; {table} is its quoted name. The key
-- is enforced, and a look-up by it reads one row.
CREATE HYBRID TABLE {table} (
  ID          NUMBER(38,0) NOT NULL,
  CUSTOMER_ID NUMBER(38,0) NOT NULL,
  BALANCE     NUMBER(38,0) NOT NULL,  -- cents
  STATUS      VARCHAR NOT NULL,
  PAYLOAD     VARCHAR NOT NULL,
  PRIMARY KEY (ID)
);
