-- What tables are: kind, comment and time of creation are in the comment of the
-- relation, as JSON.
CREATE FUNCTION sf.about(relation oid) RETURNS jsonb LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN c LIKE '{%' THEN c::json::jsonb ELSE '{}' END FROM (SELECT obj_description(relation, 'pg_class') AS c) AS s $f$;
CREATE FUNCTION sf.row_count(schema text, name text) RETURNS bigint LANGUAGE plpgsql STABLE AS $f$
DECLARE n bigint;
BEGIN EXECUTE format('SELECT count(*) FROM %I.%I', schema, name) INTO n; RETURN n;
EXCEPTION WHEN insufficient_privilege THEN RETURN NULL; END $f$;
-- The name of a type, as INFORMATION_SCHEMA has it.
CREATE FUNCTION sf.type_name(typ oid) RETURNS text LANGUAGE sql STABLE AS $f$
	SELECT CASE typ::regtype::text WHEN 'numeric' THEN 'NUMBER' WHEN 'bigint' THEN 'NUMBER' WHEN 'integer' THEN 'NUMBER' WHEN 'double precision' THEN 'FLOAT'
		WHEN 'text' THEN 'TEXT' WHEN 'character varying' THEN 'TEXT' WHEN 'bytea' THEN 'BINARY' WHEN 'boolean' THEN 'BOOLEAN' WHEN 'date' THEN 'DATE'
		WHEN 'time without time zone' THEN 'TIME' WHEN 'timestamp without time zone' THEN 'TIMESTAMP_NTZ' WHEN 'timestamp with time zone' THEN 'TIMESTAMP_LTZ'
		WHEN 'jsonb' THEN 'VARIANT' ELSE upper(replace(typ::regtype::text, 'sf.', '')) END $f$;
CREATE FUNCTION sf.precision(typ oid, m int) RETURNS bigint LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN typ = 'numeric'::regtype THEN CASE WHEN m < 0 THEN 38 ELSE ((m - 4) >> 16) & 65535 END WHEN typ IN ('bigint'::regtype, 'integer'::regtype) THEN 38 END $f$;
CREATE FUNCTION sf.scale(typ oid, m int) RETURNS bigint LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN typ = 'numeric'::regtype THEN CASE WHEN m < 0 THEN 0 ELSE (m - 4) & 2047 END WHEN typ IN ('bigint'::regtype, 'integer'::regtype) THEN 0 END $f$;
CREATE FUNCTION sf.length_of(typ oid, m int) RETURNS bigint LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN typ IN ('text'::regtype, 'varchar'::regtype) THEN CASE WHEN m < 0 THEN 16777216 ELSE m - 4 END WHEN typ = 'bytea'::regtype THEN 8388608 END $f$;
-- The type as DESCRIBE writes it.
CREATE FUNCTION sf.type_text(typ oid, m int) RETURNS text LANGUAGE sql STABLE AS $f$
	SELECT CASE sf.type_name(typ) WHEN 'NUMBER' THEN format('NUMBER(%s,%s)', sf.precision(typ, m), sf.scale(typ, m)) WHEN 'TEXT' THEN format('VARCHAR(%s)', sf.length_of(typ, m))
		WHEN 'BINARY' THEN 'BINARY(8388608)' WHEN 'TIME' THEN format('TIME(%s)', CASE WHEN m < 0 THEN 9 ELSE m END)
		WHEN 'TIMESTAMP_NTZ' THEN format('TIMESTAMP_NTZ(%s)', CASE WHEN m < 0 THEN 9 ELSE m END) WHEN 'TIMESTAMP_LTZ' THEN format('TIMESTAMP_LTZ(%s)', CASE WHEN m < 0 THEN 9 ELSE m END)
		WHEN 'TIMESTAMP_TZ' THEN 'TIMESTAMP_TZ(9)' ELSE sf.type_name(typ) END $f$;

-- Every table and view with its database and schema; below, those that are not
-- INFORMATION_SCHEMA's own, which only INFORMATION_SCHEMA lists.
CREATE VIEW sf.every_relation AS
	SELECT c.oid, n.nspname AS schema_full, split_part(n.nspname, '.', 1) AS database, split_part(n.nspname, '.', 2) AS schema, c.relname AS name,
		CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE coalesce(sf.about(c.oid) ->> 'kind', 'STANDARD') END AS kind,
		regexp_replace(pg_get_userbyid(c.relowner), '^sf:[^:]*:', '') AS owner, coalesce(sf.about(c.oid) ->> 'comment', '') AS comment,
		coalesce((sf.about(c.oid) ->> 'created')::timestamptz, now()) AS created,
		has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES') OR has_any_column_privilege(c.oid, 'SELECT')) AS visible
	FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'v', 'p') AND n.nspname LIKE '%.%';
CREATE VIEW sf.relations AS SELECT * FROM sf.every_relation WHERE schema <> 'INFORMATION_SCHEMA';
CREATE VIEW sf.every_column AS
	SELECT r.database, r.schema, r.name AS table_name, r.oid AS relation, r.kind AS table_kind, r.visible, a.attname::text AS name, a.attnum AS number, a.atttypid AS typ, a.atttypmod AS m, NOT a.attnotnull AS nullable,
		pg_get_expr(d.adbin, d.adrelid) AS default_text, col_description(a.attrelid, a.attnum) AS comment, a.attidentity <> '' AS identity,
		EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'p' AND a.attnum = ANY (k.conkey))
			OR coalesce(sf.about(a.attrelid) -> 'primary_key' ? a.attname::text, false) AS primary_key,
		EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'u' AND a.attnum = ANY (k.conkey)) AS unique_key
	FROM sf.every_relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attnum > 0 AND NOT a.attisdropped;
CREATE VIEW sf.columns AS SELECT * FROM sf.every_column WHERE schema <> 'INFORMATION_SCHEMA';
CREATE VIEW sf.constraints AS
	SELECT r.database, r.schema, r.name AS table_name, r.visible, k.conname::text AS name, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' ELSE 'FOREIGN KEY' END AS kind, r.created
	FROM sf.relations AS r JOIN pg_constraint AS k ON k.conrelid = r.oid WHERE k.contype IN ('p', 'u', 'f');
GRANT SELECT ON sf.every_relation, sf.every_column, sf.relations, sf.columns, sf.constraints, sf.schemas, sf.databases TO PUBLIC;

-- INFORMATION_SCHEMA of a database: its tables are views over the above.
CREATE FUNCTION sf.make_information(d text, owner text) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE s text := quote_ident(d || '.INFORMATION_SCHEMA');
BEGIN
	EXECUTE format('CREATE SCHEMA IF NOT EXISTS %s AUTHORIZATION %I', s, owner);
	EXECUTE format($v$CREATE OR REPLACE VIEW %s."TABLES" AS SELECT database AS "TABLE_CATALOG", schema AS "TABLE_SCHEMA", name::text AS "TABLE_NAME", owner AS "TABLE_OWNER",
		CASE kind WHEN 'VIEW' THEN 'VIEW' ELSE 'BASE TABLE' END AS "TABLE_TYPE", CASE kind WHEN 'TRANSIENT' THEN 'YES' ELSE 'NO' END AS "IS_TRANSIENT", NULL::text AS "CLUSTERING_KEY",
		CASE WHEN kind <> 'VIEW' THEN sf.row_count(schema_full, name) END AS "ROW_COUNT", CASE WHEN kind <> 'VIEW' THEN pg_relation_size(oid) END AS "BYTES", 1::bigint AS "RETENTION_TIME",
		created AS "CREATED", created AS "LAST_ALTERED", nullif(comment, '') AS "COMMENT", 'NO'::text AS "IS_TEMPORARY", CASE kind WHEN 'HYBRID' THEN 'YES' ELSE 'NO' END AS "IS_HYBRID"
		FROM sf.every_relation WHERE visible AND database = %L$v$, s, d);
	EXECUTE format($v$CREATE OR REPLACE VIEW %s."VIEWS" AS SELECT database AS "TABLE_CATALOG", schema AS "TABLE_SCHEMA", name::text AS "TABLE_NAME", owner AS "TABLE_OWNER", created AS "CREATED"
		FROM sf.every_relation WHERE visible AND kind = 'VIEW' AND database = %L$v$, s, d);
	EXECUTE format($v$CREATE OR REPLACE VIEW %s."COLUMNS" AS SELECT database AS "TABLE_CATALOG", schema AS "TABLE_SCHEMA", table_name::text AS "TABLE_NAME", name AS "COLUMN_NAME", number::bigint AS "ORDINAL_POSITION",
		default_text AS "COLUMN_DEFAULT", CASE WHEN nullable THEN 'YES' ELSE 'NO' END AS "IS_NULLABLE", sf.type_name(typ) AS "DATA_TYPE", sf.length_of(typ, m) AS "CHARACTER_MAXIMUM_LENGTH",
		sf.length_of(typ, m) AS "CHARACTER_OCTET_LENGTH", sf.precision(typ, m) AS "NUMERIC_PRECISION", CASE WHEN sf.precision(typ, m) IS NOT NULL THEN 10::bigint END AS "NUMERIC_PRECISION_RADIX",
		sf.scale(typ, m) AS "NUMERIC_SCALE", CASE WHEN sf.type_name(typ) LIKE 'TIME%%' THEN CASE WHEN m < 0 THEN 9 ELSE m END::bigint END AS "DATETIME_PRECISION",
		CASE WHEN identity THEN 'YES' ELSE 'NO' END AS "IS_IDENTITY", comment AS "COMMENT" FROM sf.every_column WHERE visible AND database = %L$v$, s, d);
	EXECUTE format($v$CREATE OR REPLACE VIEW %s."SCHEMATA" AS SELECT database AS "CATALOG_NAME", name AS "SCHEMA_NAME", owner AS "SCHEMA_OWNER", created AS "CREATED", nullif(comment, '') AS "COMMENT"
		FROM sf.schemas WHERE database = %L AND has_schema_privilege(database || '.' || name, 'USAGE')$v$, s, d);
	EXECUTE format($v$CREATE OR REPLACE VIEW %s."DATABASES" AS SELECT name AS "DATABASE_NAME", owner AS "DATABASE_OWNER", created AS "CREATED", nullif(comment, '') AS "COMMENT" FROM sf.databases$v$, s);
	EXECUTE format($v$CREATE OR REPLACE VIEW %s."TABLE_CONSTRAINTS" AS SELECT database AS "CONSTRAINT_CATALOG", schema AS "CONSTRAINT_SCHEMA", name AS "CONSTRAINT_NAME", database AS "TABLE_CATALOG", schema AS "TABLE_SCHEMA",
		table_name::text AS "TABLE_NAME", kind AS "CONSTRAINT_TYPE", 'NO'::text AS "IS_DEFERRABLE", 'YES'::text AS "ENFORCED" FROM sf.constraints WHERE visible AND database = %L$v$, s, d);
	EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO PUBLIC', s);
END $f$;
