-- The benchmark table as an interactive table, with no rows; {table} is its quoted
-- name. It takes no other change than the replacement of all its rows.
CREATE INTERACTIVE TABLE {table} CLUSTER BY (ID) AS
SELECT
  0::NUMBER(38,0) AS ID,
  0::NUMBER(38,0) AS CUSTOMER_ID,
  0::NUMBER(38,0) AS BALANCE,  -- cents
  ''::VARCHAR AS STATUS,
  ''::VARCHAR AS PAYLOAD
WHERE FALSE;
