-- The benchmark table as a standard table; {table} is its quoted name. Snowflake
-- does not enforce the key.
CREATE TABLE {table} (
  ID          NUMBER(38,0) NOT NULL,
  CUSTOMER_ID NUMBER(38,0) NOT NULL,
  BALANCE     NUMBER(38,0) NOT NULL,  -- cents
  STATUS      VARCHAR NOT NULL,
  PAYLOAD     VARCHAR NOT NULL,
  PRIMARY KEY (ID)
);
