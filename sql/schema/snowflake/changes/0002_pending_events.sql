-- Events of a commit, until they are in RUN_CONTROL_EVENTS (docs/adr/0020).
ALTER TABLE {database}.{results}.RUN_STATUS ADD COLUMN IF NOT EXISTS PENDING_EVENTS VARCHAR;
