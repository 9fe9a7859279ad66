-- When checks alone were asked for, until they are made (docs/adr/0026).
ALTER TABLE {database}.{results}.RUN_STATUS ADD COLUMN IF NOT EXISTS CHECK_AT TIMESTAMP_NTZ(6);
