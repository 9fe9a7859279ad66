-- What Snowflake has and PostgreSQL lacks. Functions of one SELECT are inlined.

-- Texts of values.
CREATE FUNCTION sf.compact(j jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN
	CASE jsonb_typeof(j)
	WHEN 'object' THEN RETURN (SELECT '{' || coalesce(string_agg(to_json(k)::text || ':' || sf.compact(v), ',' ORDER BY k), '') || '}' FROM jsonb_each(j) AS e (k, v));
	WHEN 'array' THEN RETURN (SELECT '[' || coalesce(string_agg(sf.compact(v), ',' ORDER BY i), '') || ']' FROM jsonb_array_elements(j) WITH ORDINALITY AS e (v, i));
	WHEN 'string' THEN RETURN to_json(j #>> '{}')::text;
	WHEN 'null' THEN RETURN 'null';
	ELSE RETURN j #>> '{}';
	END CASE;
END $f$;
CREATE FUNCTION sf.to_text(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_text(x numeric) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x::text';
CREATE FUNCTION sf.to_text(x bigint) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x::text';
CREATE FUNCTION sf.to_text(x int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x::text';
CREATE FUNCTION sf.to_text(x float8) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x::text';
CREATE FUNCTION sf.to_text(x boolean) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x::text';
CREATE FUNCTION sf.to_text(x date) RETURNS text LANGUAGE sql STABLE AS $f$SELECT to_char(x, 'YYYY-MM-DD')$f$;
CREATE FUNCTION sf.to_text(x time) RETURNS text LANGUAGE sql STABLE AS $f$SELECT to_char(x, 'HH24:MI:SS')$f$;
CREATE FUNCTION sf.to_text(x timestamp) RETURNS text LANGUAGE sql STABLE AS $f$SELECT to_char(x, 'YYYY-MM-DD HH24:MI:SS.MS')$f$;
-- An offset in minutes as TZHTZM writes it.
CREATE FUNCTION sf.offset_text(o int) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE WHEN o = 0 THEN 'Z' ELSE CASE WHEN o < 0 THEN '-' ELSE '+' END || lpad((abs(o) / 60)::text, 2, '0') || lpad((abs(o) % 60)::text, 2, '0') END $f$;
CREATE FUNCTION sf.to_text(x timestamptz) RETURNS text LANGUAGE sql STABLE AS $f$SELECT to_char(x, 'YYYY-MM-DD HH24:MI:SS.MS ') || sf.offset_text(extract(timezone from x)::int / 60)$f$;
CREATE FUNCTION sf.to_text(x bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT upper(encode(x, 'hex'))$f$;
CREATE FUNCTION sf.to_text(x jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE WHEN jsonb_typeof(x) IN ('object', 'array') THEN sf.compact(x) ELSE x #>> '{}' END $f$;
CREATE FUNCTION sf.to_text(x sf.timestamp_tz) RETURNS text LANGUAGE sql STABLE AS $f$
	SELECT to_char(((x).t AT TIME ZONE 'UTC') + make_interval(mins => (x).o), 'YYYY-MM-DD HH24:MI:SS.MS ') || sf.offset_text((x).o) $f$;
CREATE FUNCTION sf.format(x timestamp, f text) RETURNS text LANGUAGE sql STABLE AS 'SELECT to_char(x, f)';
CREATE FUNCTION sf.format(x timestamptz, f text) RETURNS text LANGUAGE sql STABLE AS 'SELECT to_char(x, f)';
CREATE FUNCTION sf.format(x date, f text) RETURNS text LANGUAGE sql STABLE AS 'SELECT to_char(x, f)';

-- Numbers.
CREATE FUNCTION sf.to_number(x text) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT x::numeric';
CREATE FUNCTION sf.to_number(x numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_number(x float8) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT x::numeric';
CREATE FUNCTION sf.to_number(x bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT x::numeric';
CREATE FUNCTION sf.to_number(x int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT x::numeric';
CREATE FUNCTION sf.to_number(x boolean) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT x::int::numeric';
CREATE FUNCTION sf.to_number(x jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE jsonb_typeof(x) WHEN 'boolean' THEN (x::boolean)::int::numeric ELSE (x #>> '{}')::numeric END $f$;
CREATE FUNCTION sf.to_float(x text) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT x::float8';
CREATE FUNCTION sf.to_float(x numeric) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT x::float8';
CREATE FUNCTION sf.to_float(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_float(x jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE AS $f$SELECT (x #>> '{}')::float8$f$;
CREATE FUNCTION sf.to_boolean(x text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT x::boolean';
CREATE FUNCTION sf.to_boolean(x numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT x <> 0';
CREATE FUNCTION sf.to_boolean(x boolean) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_boolean(x jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $f$SELECT (x #>> '{}')::boolean$f$;
CREATE FUNCTION sf.div(a numeric, b numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $f$
	SELECT round(a / b, greatest(scale(a), least(scale(a) + 6, 12))) $f$;
CREATE FUNCTION sf.div(a bigint, b bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(a::numeric / b, 6)';
CREATE FUNCTION sf.div(a int, b int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(a::numeric / b, 6)';
CREATE FUNCTION sf.div(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT a / b';
CREATE FUNCTION sf.div0(a numeric, b numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN b = 0 THEN 0 ELSE sf.div(a, b) END';
CREATE FUNCTION sf.div0(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN b = 0 THEN 0 ELSE a / b END';
CREATE FUNCTION sf.averaged(x numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(x, 6)';
CREATE FUNCTION sf.averaged(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.round(x numeric, n numeric DEFAULT 0) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(x, n::int)';
CREATE FUNCTION sf.round(x float8, n numeric DEFAULT 0) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT round(x::numeric, n::int)::float8';
CREATE FUNCTION sf.truncate(x numeric, n numeric DEFAULT 0) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT trunc(x, n::int)';
CREATE FUNCTION sf.truncate(x float8, n numeric DEFAULT 0) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT trunc(x::numeric, n::int)::float8';
CREATE FUNCTION sf.random() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT ((random() - 0.5) * 18446744073709549568)::bigint';
CREATE FUNCTION sf.uniform(low numeric, high numeric, g numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE WHEN scale(low) = 0 AND scale(high) = 0 THEN low + floor((abs(hashtextextended(g::text, 0) % 1000000007) / 1000000007.0) * (high - low + 1))
	ELSE low + (abs(hashtextextended(g::text, 0) % 1000000007) / 1000000007.0) * (high - low) END $f$;
CREATE FUNCTION sf.normal(mean float8, deviation float8, g numeric) RETURNS float8 LANGUAGE sql IMMUTABLE AS $f$
	SELECT mean + deviation * sqrt(-2 * ln((1 + abs(hashtextextended(g::text, 1) % 1000000007)) / 1000000008.0::float8))
		* cos(2 * pi() * (abs(hashtextextended(g::text, 2) % 1000000007) / 1000000007.0)::float8) $f$;
CREATE FUNCTION sf.hash(j jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $f$SELECT hashtextextended(j #>> '{}', 0)$f$;

-- Texts.
CREATE FUNCTION sf.length(x text) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT char_length(x)::bigint';
CREATE FUNCTION sf.length(x bytea) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT length(x)::bigint';
CREATE FUNCTION sf.substr(x text, p numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT substr(x, CASE WHEN p < 0 THEN greatest(char_length(x) + p::int + 1, 1) WHEN p = 0 THEN 1 ELSE p::int END) $f$;
CREATE FUNCTION sf.substr(x text, p numeric, n numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT substr(x, CASE WHEN p < 0 THEN greatest(char_length(x) + p::int + 1, 1) WHEN p = 0 THEN 1 ELSE p::int END, greatest(n::int, 0)) $f$;
CREATE FUNCTION sf.replace(x text, a text, b text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT replace(x, a, b)';
CREATE FUNCTION sf.split_part(x text, d text, n int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT split_part(x, d, CASE WHEN n = 0 THEN 1 ELSE n END)';
CREATE FUNCTION sf.lpad(x text, n numeric, p text DEFAULT ' ') RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lpad(x, n::int, p)';
CREATE FUNCTION sf.rpad(x text, n numeric, p text DEFAULT ' ') RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT rpad(x, n::int, p)';
CREATE FUNCTION sf.concat_ws(d text, parts text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE WHEN array_position(parts, NULL) IS NULL THEN array_to_string(parts[2:], d) END $f$;
CREATE FUNCTION sf.sha2(x text, bits numeric DEFAULT 256) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT encode(CASE bits WHEN 224 THEN sha224(convert_to(x, 'UTF8')) WHEN 384 THEN sha384(convert_to(x, 'UTF8'))
		WHEN 512 THEN sha512(convert_to(x, 'UTF8')) ELSE sha256(convert_to(x, 'UTF8')) END, 'hex') $f$;
CREATE FUNCTION sf.hex_encode(x text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT upper(encode(convert_to(x, 'UTF8'), 'hex'))$f$;
CREATE FUNCTION sf.hex_encode(x bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT upper(encode(x, 'hex'))$f$;
CREATE FUNCTION sf.base64_encode(x text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT replace(encode(convert_to(x, 'UTF8'), 'base64'), E'\n', '')$f$;
CREATE FUNCTION sf.base64_encode(x bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT replace(encode(x, 'base64'), E'\n', '')$f$;
CREATE FUNCTION sf.rlike(x text, p text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $f$SELECT x ~ ('^(?:' || p || ')$')$f$;
CREATE FUNCTION sf.regexp_replace(x text, p text, r text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT regexp_replace(x, p, r, 'g')$f$;
CREATE FUNCTION sf.to_binary(x text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $f$SELECT decode(x, 'hex')$f$;
CREATE FUNCTION sf.to_binary(x text, f text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE upper(f) WHEN 'UTF-8' THEN convert_to(x, 'UTF8') WHEN 'UTF8' THEN convert_to(x, 'UTF8') WHEN 'BASE64' THEN decode(x, 'base64') ELSE decode(x, 'hex') END $f$;
CREATE FUNCTION sf.to_binary(x bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS 'SELECT x';
-- A long one repeats itself after about 250 characters.
CREATE FUNCTION sf.randstr(n int, g bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT left(repeat(string_agg(translate(encode(sha512(convert_to(g || ':' || i, 'UTF8')), 'base64'), E'+/=\n', 'xy'), ''), n / 250 + 1), n) FROM generate_series(0, least(n / 86, 2)) AS s (i) $f$;

-- SHA1 is an extension's, where there is one.
DO $do$
BEGIN
	IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pgcrypto') THEN
		CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA sf;
		CREATE FUNCTION sf.sha1(x text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$SELECT encode(sf.digest(convert_to(x, 'UTF8'), 'sha1'), 'hex')$f$;
	END IF;
END $do$;

-- Semi-structured data.
CREATE FUNCTION sf.parse_json(x text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $f$SELECT nullif(btrim(x, E' \t\r\n'), '')::json::jsonb$f$;
CREATE FUNCTION sf.try_parse_json(x text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN RETURN sf.parse_json(x); EXCEPTION WHEN data_exception THEN RETURN NULL; END $f$;
CREATE FUNCTION sf.check_json(x text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN PERFORM sf.parse_json(x); RETURN NULL; EXCEPTION WHEN data_exception THEN RETURN SQLERRM; END $f$;
CREATE FUNCTION sf.to_variant(x text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(x)';
CREATE FUNCTION sf.to_variant(x numeric) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(x)';
CREATE FUNCTION sf.to_variant(x bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(x)';
CREATE FUNCTION sf.to_variant(x int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(x)';
CREATE FUNCTION sf.to_variant(x float8) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(x)';
CREATE FUNCTION sf.to_variant(x boolean) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(x)';
CREATE FUNCTION sf.to_variant(x jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_variant(x timestamp) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT to_jsonb(sf.to_text(x))';
CREATE FUNCTION sf.to_variant(x timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT to_jsonb(sf.to_text(x))';
CREATE FUNCTION sf.to_variant(x date) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT to_jsonb(sf.to_text(x))';
CREATE FUNCTION sf.to_variant(x bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(sf.to_text(x))';
CREATE FUNCTION sf.to_json(x jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT sf.compact(x)';
CREATE FUNCTION sf.to_array(x jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $f$SELECT CASE WHEN jsonb_typeof(x) = 'array' THEN x ELSE jsonb_build_array(x) END$f$;
CREATE FUNCTION sf.object(x jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $f$
	SELECT coalesce(jsonb_object_agg(k, v), '{}'::jsonb) FROM jsonb_each(x) AS e (k, v) WHERE v <> 'null'::jsonb $f$;
CREATE FUNCTION sf.get(x jsonb, k text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT x -> k';
CREATE FUNCTION sf.get(x jsonb, k numeric) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN k >= 0 THEN x -> k::int END';
CREATE FUNCTION sf.if_type(x jsonb, t text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN jsonb_typeof(x) = t THEN x END';
CREATE FUNCTION sf.array_size(x jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $f$SELECT CASE WHEN jsonb_typeof(x) = 'array' THEN jsonb_array_length(x)::bigint END$f$;
CREATE FUNCTION sf.array_to_string(x jsonb, d text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT string_agg(sf.to_text(v), d ORDER BY i) FROM jsonb_array_elements(x) WITH ORDINALITY AS e (v, i) $f$;
CREATE FUNCTION sf.object_keys(x jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $f$SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(x) AS e (k)$f$;
CREATE FUNCTION sf.type_of(x jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE jsonb_typeof(x) WHEN 'null' THEN 'NULL_VALUE' WHEN 'string' THEN 'VARCHAR'
		WHEN 'number' THEN CASE WHEN scale((x #>> '{}')::numeric) = 0 THEN 'INTEGER' ELSE 'DECIMAL' END ELSE upper(jsonb_typeof(x)) END $f$;
CREATE FUNCTION sf.flatten(x jsonb, outside boolean) RETURNS TABLE (seq bigint, key text, path text, index bigint, value jsonb, this jsonb) LANGUAGE sql IMMUTABLE AS $f$
	SELECT 1::bigint, NULL::text, '[' || (i - 1) || ']', i - 1, v, x
		FROM jsonb_array_elements(CASE WHEN jsonb_typeof(x) = 'array' THEN x ELSE '[]' END) WITH ORDINALITY AS e (v, i)
	UNION ALL SELECT 1, k, k, NULL, v, x FROM jsonb_each(CASE WHEN jsonb_typeof(x) = 'object' THEN x ELSE '{}' END) AS e (k, v)
	UNION ALL SELECT 1, NULL, '', NULL, NULL, x WHERE outside AND (x IS NULL OR x IN ('[]'::jsonb, '{}'::jsonb) OR jsonb_typeof(x) NOT IN ('array', 'object')) $f$;

-- Casts that may fail.
CREATE FUNCTION sf.try_cast(x text, target text) RETURNS text LANGUAGE plpgsql STABLE AS $f$
DECLARE r text;
BEGIN EXECUTE format('SELECT CAST($1 AS %s)::text', target) INTO r USING x; RETURN r;
EXCEPTION WHEN data_exception THEN RETURN NULL; END $f$;

-- Waiting.
CREATE FUNCTION sf.wait(n text, unit text DEFAULT 'SECONDS') RETURNS text LANGUAGE plpgsql VOLATILE AS $f$
BEGIN
	PERFORM pg_sleep(n::float8 * CASE upper(unit) WHEN 'MILLISECONDS' THEN 0.001 WHEN 'SECONDS' THEN 1 WHEN 'MINUTES' THEN 60 WHEN 'HOURS' THEN 3600 WHEN 'DAYS' THEN 86400 END);
	RETURN 'waited ' || n || ' ' || lower(unit);
END $f$;
CREATE FUNCTION sf.wait(n numeric, unit text DEFAULT 'SECONDS') RETURNS text LANGUAGE sql VOLATILE AS 'SELECT sf.wait(n::text, unit)';
CREATE FUNCTION sf.generate(seconds float8) RETURNS SETOF boolean LANGUAGE plpgsql VOLATILE AS $f$
DECLARE ended timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
	WHILE clock_timestamp() < ended LOOP RETURN NEXT true; PERFORM pg_sleep(0.0005); END LOOP;
END $f$;
