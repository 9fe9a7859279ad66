-- Changes since the first version, oldest first: for stores that were made by
-- hand. There is no CREATE OR ALTER for hybrid tables, so each is a column that
-- may be NULL, without DEFAULT: with IF NOT EXISTS Snowflake takes no other.
-- `schema apply` compares instead, and adds what is missing.
ALTER TABLE {database}.{results}.RUN_STATUS ADD COLUMN IF NOT EXISTS COMMIT_ID VARCHAR(64);
