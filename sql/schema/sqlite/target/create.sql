-- The benchmark table; {table} is its quoted name. ID is the table's own key, so
-- a look-up is one descent of one tree.
CREATE TABLE {table} (
  ID          INTEGER NOT NULL,
  CUSTOMER_ID BIGINT  NOT NULL,
  BALANCE     BIGINT  NOT NULL,  -- cents
  STATUS      VARCHAR NOT NULL,
  PAYLOAD     VARCHAR NOT NULL,
  PRIMARY KEY (ID)
);
