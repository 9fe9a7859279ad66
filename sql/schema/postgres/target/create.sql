-- The benchmark table; {table} is its quoted name.
CREATE TABLE {table} (
  ID          BIGINT  NOT NULL,
  CUSTOMER_ID BIGINT  NOT NULL,
  BALANCE     BIGINT  NOT NULL,  -- cents
  STATUS      VARCHAR NOT NULL,
  PAYLOAD     VARCHAR NOT NULL,
  PRIMARY KEY (ID)
);
