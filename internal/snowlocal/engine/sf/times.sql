-- Dates and times. Without a zone a text is one of UTC's, as NTZ.
CREATE FUNCTION sf.cut(x text, digits int) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT CASE WHEN x NOT LIKE '%.%' THEN x WHEN digits = 0 THEN regexp_replace(x, '(:\d\d)\.\d+', '\1')
		ELSE regexp_replace(x, '(:\d\d\.\d{' || digits || '})\d+', '\1') END $f$;
CREATE FUNCTION sf.to_tz(x timestamptz) RETURNS sf.timestamp_tz LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN x IS NOT NULL THEN ROW(x, extract(timezone from x)::int / 60)::sf.timestamp_tz END $f$;
CREATE FUNCTION sf.to_tz(x timestamp) RETURNS sf.timestamp_tz LANGUAGE sql STABLE AS 'SELECT sf.to_tz(x::timestamptz)';
CREATE FUNCTION sf.to_tz(x sf.timestamp_tz) RETURNS sf.timestamp_tz LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_tz(x text) RETURNS sf.timestamp_tz LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN m IS NULL THEN sf.to_tz(x::timestamptz)
		ELSE ROW(x::timestamptz, CASE m[1] WHEN 'Z' THEN 0 ELSE (m[2] || '1')::int * (m[3]::int * 60 + coalesce(nullif(m[4], ''), '0')::int) END)::sf.timestamp_tz END
	FROM (SELECT regexp_match(x, '\d\d:\d\d(?::\d\d(?:\.\d+)?)? ?(Z|([+-])(\d\d):?(\d\d)?)$') AS m) AS s $f$;
CREATE FUNCTION sf.of_tz(x sf.timestamp_tz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT (x).t';
CREATE FUNCTION sf.of_epoch(x numeric, digits int) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $f$
	SELECT timestamp '1970-01-01' + make_interval(secs => 0) + (trunc(x / (10::numeric ^ digits)) * interval '1 second') + ((x % (10::numeric ^ digits)) * 1000000 / (10::numeric ^ digits)) * interval '1 microsecond' $f$;
CREATE FUNCTION sf.to_ntz(x numeric) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $f$
	SELECT sf.of_epoch(x, CASE WHEN abs(x) < 31536000000 THEN 0 WHEN abs(x) < 31536000000000 THEN 3 WHEN abs(x) < 31536000000000000 THEN 6 ELSE 9 END) $f$;
CREATE FUNCTION sf.to_ntz(x numeric, digits numeric) RETURNS timestamp LANGUAGE sql IMMUTABLE AS 'SELECT sf.of_epoch(x, digits::int)';
CREATE FUNCTION sf.to_ntz(x text) RETURNS timestamp LANGUAGE sql STABLE AS $f$SELECT CASE WHEN x ~ '^-?\d+$' THEN sf.to_ntz(x::numeric) ELSE x::timestamp END$f$;
CREATE FUNCTION sf.to_ntz(x timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_ntz(x timestamptz) RETURNS timestamp LANGUAGE sql STABLE AS 'SELECT x::timestamp';
CREATE FUNCTION sf.to_ntz(x date) RETURNS timestamp LANGUAGE sql IMMUTABLE AS 'SELECT x::timestamp';
CREATE FUNCTION sf.to_ntz(x sf.timestamp_tz) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $f$SELECT ((x).t AT TIME ZONE 'UTC') + make_interval(mins => (x).o)$f$;
CREATE FUNCTION sf.to_ntz(x jsonb) RETURNS timestamp LANGUAGE sql STABLE AS $f$SELECT sf.to_ntz(x #>> '{}')$f$;
CREATE FUNCTION sf.to_ltz(x text) RETURNS timestamptz LANGUAGE sql STABLE AS $f$SELECT CASE WHEN x ~ '^-?\d+$' THEN sf.to_ntz(x::numeric) AT TIME ZONE 'UTC' ELSE x::timestamptz END$f$;
CREATE FUNCTION sf.to_ltz(x numeric) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $f$SELECT sf.to_ntz(x) AT TIME ZONE 'UTC'$f$;
CREATE FUNCTION sf.to_ltz(x timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_ltz(x timestamp) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT x::timestamptz';
CREATE FUNCTION sf.to_ltz(x sf.timestamp_tz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT (x).t';
CREATE FUNCTION sf.to_date(x text) RETURNS date LANGUAGE sql STABLE AS $f$SELECT CASE WHEN x ~ '^-?\d+$' THEN sf.to_ntz(x::numeric)::date ELSE x::date END$f$;
CREATE FUNCTION sf.to_date(x date) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_date(x timestamp) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT x::date';
CREATE FUNCTION sf.to_date(x timestamptz) RETURNS date LANGUAGE sql STABLE AS 'SELECT x::date';
CREATE FUNCTION sf.to_date(x jsonb) RETURNS date LANGUAGE sql STABLE AS $f$SELECT sf.to_date(x #>> '{}')$f$;
CREATE FUNCTION sf.to_time(x text) RETURNS time LANGUAGE sql STABLE AS 'SELECT x::time';
CREATE FUNCTION sf.to_time(x time) RETURNS time LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION sf.to_time(x timestamp) RETURNS time LANGUAGE sql IMMUTABLE AS 'SELECT x::time';
CREATE FUNCTION sf.to_time(x timestamptz) RETURNS time LANGUAGE sql STABLE AS 'SELECT x::time';
CREATE FUNCTION sf.convert_timezone(zone text, x timestamptz) RETURNS sf.timestamp_tz LANGUAGE sql STABLE AS $f$
	SELECT CASE WHEN x IS NOT NULL THEN ROW(x, (extract(epoch from (x AT TIME ZONE zone) - (x AT TIME ZONE 'UTC')) / 60)::int)::sf.timestamp_tz END $f$;
CREATE FUNCTION sf.convert_timezone(a text, b text, x timestamp) RETURNS timestamp LANGUAGE sql STABLE AS 'SELECT (x AT TIME ZONE a) AT TIME ZONE b';
CREATE FUNCTION sf.trunc(part text, x timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS 'SELECT date_trunc(part, x)';
CREATE FUNCTION sf.trunc(part text, x timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT date_trunc(part, x)';
CREATE FUNCTION sf.trunc(part text, x date) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT date_trunc(part, x::timestamp)::date';

-- DATEADD and DATEDIFF, one function for each part.
DO $do$
DECLARE u record; t text;
BEGIN
	FOR u IN SELECT * FROM (VALUES
		('year', 'interval ''1 year''', true, 'extract(year from %1$s)'),
		('quarter', 'interval ''3 months''', true, '(extract(year from %1$s) * 4 + extract(quarter from %1$s))'),
		('month', 'interval ''1 month''', true, '(extract(year from %1$s) * 12 + extract(month from %1$s))'),
		('week', 'interval ''7 days''', true, '(extract(epoch from date_trunc(''week'', %1$s)) / 604800)'),
		('day', 'interval ''1 day''', true, '(extract(epoch from date_trunc(''day'', %1$s)) / 86400)'),
		('hour', 'interval ''1 hour''', false, '(extract(epoch from date_trunc(''hour'', %1$s)) / 3600)'),
		('minute', 'interval ''1 minute''', false, '(extract(epoch from date_trunc(''minute'', %1$s)) / 60)'),
		('second', 'interval ''1 second''', false, 'floor(extract(epoch from %1$s))'),
		('millisecond', 'interval ''1 millisecond''', false, 'floor(extract(epoch from %1$s) * 1000)'),
		('microsecond', 'interval ''1 microsecond''', false, '(extract(epoch from %1$s) * 1000000)'),
		('nanosecond', 'interval ''0.001 microsecond''', false, '(extract(epoch from %1$s) * 1000000000)')
	) AS v (part, step, whole, counted)
	LOOP
		IF u.part = 'nanosecond' THEN u.step := 'interval ''1 microsecond'' * 0.001::float8'; END IF;
		FOREACH t IN ARRAY ARRAY['timestamp', 'timestamptz'] LOOP
			EXECUTE format('CREATE FUNCTION sf.add_%s(x %s, n numeric) RETURNS %s LANGUAGE sql STABLE AS $f$SELECT x + round(n)::float8 * %s$f$', u.part, t, t, u.step);
		END LOOP;
		EXECUTE format('CREATE FUNCTION sf.add_%s(x date, n numeric) RETURNS %s LANGUAGE sql STABLE AS $f$SELECT (x::timestamp + round(n)::float8 * %s)%s$f$',
			u.part, CASE WHEN u.whole THEN 'date' ELSE 'timestamp' END, u.step, CASE WHEN u.whole THEN '::date' ELSE '' END);
		EXECUTE format('CREATE FUNCTION sf.diff_%s(a timestamp, b timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS $f$SELECT (%s - %s)::bigint$f$',
			u.part, format(u.counted, 'b'), format(u.counted, 'a'));
		EXECUTE format('CREATE FUNCTION sf.diff_%s(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $f$SELECT sf.diff_%s(a::timestamp, b::timestamp)$f$', u.part, u.part);
	END LOOP;
	FOR u IN SELECT unnest(ARRAY['hour', 'minute', 'second', 'millisecond']) AS part LOOP
		EXECUTE format('CREATE FUNCTION sf.add_%s(x time, n numeric) RETURNS time LANGUAGE sql STABLE AS $f$SELECT x + round(n)::float8 * interval ''1 %s''$f$', u.part, u.part);
	END LOOP;
END $do$;

-- What Snowflake converts by itself.
CREATE CAST (text AS numeric) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS numeric) WITH INOUT AS IMPLICIT;
CREATE CAST (text AS timestamp) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS timestamp) WITH INOUT AS IMPLICIT;
CREATE CAST (text AS timestamptz) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS timestamptz) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS date) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS date) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS time) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS float8) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS float8) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS boolean) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS boolean) WITH INOUT AS ASSIGNMENT;
CREATE CAST (numeric AS boolean) WITH FUNCTION sf.to_boolean(numeric) AS ASSIGNMENT;
CREATE CAST (text AS bytea) WITH FUNCTION sf.to_binary(text) AS ASSIGNMENT;
CREATE CAST (text AS jsonb) WITH FUNCTION sf.to_variant(text) AS ASSIGNMENT;
CREATE CAST (numeric AS jsonb) WITH FUNCTION sf.to_variant(numeric) AS ASSIGNMENT;
CREATE CAST (int AS jsonb) WITH FUNCTION sf.to_variant(int) AS ASSIGNMENT;
CREATE CAST (float8 AS jsonb) WITH FUNCTION sf.to_variant(float8) AS ASSIGNMENT;
CREATE CAST (boolean AS jsonb) WITH FUNCTION sf.to_variant(boolean) AS ASSIGNMENT;
CREATE CAST (jsonb AS text) WITH FUNCTION sf.to_text(jsonb) AS ASSIGNMENT;
CREATE CAST (jsonb AS timestamp) WITH FUNCTION sf.to_ntz(jsonb) AS ASSIGNMENT;
CREATE CAST (sf.timestamp_tz AS timestamptz) WITH FUNCTION sf.of_tz(sf.timestamp_tz) AS IMPLICIT;
CREATE CAST (sf.timestamp_tz AS timestamp) WITH FUNCTION sf.to_ntz(sf.timestamp_tz) AS ASSIGNMENT;
CREATE CAST (timestamptz AS sf.timestamp_tz) WITH FUNCTION sf.to_tz(timestamptz) AS ASSIGNMENT;
CREATE CAST (timestamp AS sf.timestamp_tz) WITH FUNCTION sf.to_tz(timestamp) AS ASSIGNMENT;
CREATE CAST (text AS sf.timestamp_tz) WITH FUNCTION sf.to_tz(text) AS ASSIGNMENT;
