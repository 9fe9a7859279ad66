-- The tables of a store. The quoted names of database and schemas come from the
-- store's address (store_database, store_config_schema, store_results_schema).
-- Every statement can be run again at any time and removes nothing. Run them with
-- a role that may create databases, or in a database of its own, and with a
-- warehouse: CREATE HYBRID TABLE needs one. A hybrid table cannot be in a
-- transient database or schema.
CREATE DATABASE IF NOT EXISTS {database};
CREATE SCHEMA IF NOT EXISTS {database}.{config};
CREATE SCHEMA IF NOT EXISTS {database}.{results};
