-- Least privileges, to be run once by a role that may create roles and grant on
-- the store (USERADMIN creates, the owner of the store grants), and again after
-- an upgrade that adds tables. Three roles:
--   orchestrator  drives runs, keeps templates and results; has what a worker has
--   worker        follows the control state, beats, stores sampled operations
--   viewer        reads
-- None may create, alter or drop anything: a run executes no DDL. Warehouses must
-- be there. The role of a target's user, which needs rights on the benchmark
-- table and USAGE on its warehouse, is not one of these.
CREATE ROLE IF NOT EXISTS {orchestrator};
CREATE ROLE IF NOT EXISTS {worker};
CREATE ROLE IF NOT EXISTS {viewer};

GRANT USAGE ON DATABASE {database} TO ROLE {worker};
GRANT USAGE ON SCHEMA {database}.{results} TO ROLE {worker};
GRANT USAGE ON SCHEMA {database}.{config} TO ROLE {worker};
GRANT USAGE ON WAREHOUSE {control_warehouse} TO ROLE {worker};
GRANT USAGE ON DATABASE {database} TO ROLE {orchestrator};
GRANT USAGE ON SCHEMA {database}.{results} TO ROLE {orchestrator};
GRANT USAGE ON SCHEMA {database}.{config} TO ROLE {orchestrator};
GRANT USAGE ON WAREHOUSE {control_warehouse} TO ROLE {orchestrator};
GRANT USAGE ON DATABASE {database} TO ROLE {viewer};
GRANT USAGE ON SCHEMA {database}.{results} TO ROLE {viewer};
GRANT USAGE ON SCHEMA {database}.{config} TO ROLE {viewer};
GRANT USAGE ON WAREHOUSE {control_warehouse} TO ROLE {viewer};

-- The worker: the control read, the beat, sampled operations, value pools.
GRANT SELECT ON TABLE {database}.{results}.RUN_STATUS TO ROLE {worker};
GRANT SELECT ON TABLE {database}.{results}.RUN_CONTROL_EVENTS TO ROLE {worker};
GRANT SELECT, INSERT, UPDATE ON TABLE {database}.{results}.WORKER_HEARTBEATS TO ROLE {worker};
GRANT SELECT, INSERT ON TABLE {database}.{results}.QUERY_EXECUTIONS TO ROLE {worker};
GRANT SELECT, INSERT ON TABLE {database}.{results}.TEST_LOGS TO ROLE {worker};
GRANT SELECT ON TABLE {database}.{config}.TEMPLATE_VALUE_POOLS TO ROLE {worker};

-- The orchestrator: everything that is stored under a run, and templates. DELETE is
-- for deleting ended runs, for replacing a result, and for the write probe. Key
-- ranges stay, so nobody may change or delete them. The last lets it watch the warehouse
-- under test and cancel what still runs there.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.RUN_STATUS TO ROLE {orchestrator};
GRANT SELECT, INSERT ON TABLE {database}.{results}.INSERT_RANGES TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.RUN_CONTROL_EVENTS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.WORKER_HEARTBEATS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.METRICS_SNAPSHOTS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.TEST_RESULTS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.WORKER_METRICS_SNAPSHOTS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.QUERY_EXECUTIONS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.CONTROLLER_STEP_HISTORY TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.WAREHOUSE_POLL_SNAPSHOTS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{results}.TEST_LOGS TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{config}.TEST_TEMPLATES TO ROLE {orchestrator};
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {database}.{config}.TEMPLATE_VALUE_POOLS TO ROLE {orchestrator};
GRANT MONITOR, OPERATE ON WAREHOUSE {warehouse} TO ROLE {orchestrator};

-- The viewer: everything, to read.
GRANT SELECT ON TABLE {database}.{results}.RUN_STATUS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.INSERT_RANGES TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.RUN_CONTROL_EVENTS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.WORKER_HEARTBEATS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.METRICS_SNAPSHOTS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.TEST_RESULTS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.WORKER_METRICS_SNAPSHOTS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.QUERY_EXECUTIONS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.CONTROLLER_STEP_HISTORY TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.WAREHOUSE_POLL_SNAPSHOTS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{results}.TEST_LOGS TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{config}.TEST_TEMPLATES TO ROLE {viewer};
GRANT SELECT ON TABLE {database}.{config}.TEMPLATE_VALUE_POOLS TO ROLE {viewer};
