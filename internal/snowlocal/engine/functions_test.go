package engine_test

import (
	"testing"

	"github.com/matryer/is"
)

// TestFunctions covers expressions: what PostgreSQL answers must be what
// Snowflake's documentation says.
func TestFunctions(t *testing.T) {
	s := session(t, open(t, account()))
	for _, c := range []struct{ expr, want string }{
		{"1 + 2 * 3", "7"}, {"7 / 2", "3.500000"}, {"1.0::FLOAT / 4", "0.25"}, {"10 % 3", "1"}, {"-5", "-5"}, {"DIV0(1, 0)", "0"}, {"1e3", "1000"},
		{"'a' || 1 || 'b'", "a1b"}, {"'a' || NULL", "NULL"}, {"CONCAT('a', 'b', 1)", "ab1"}, {"'it''s' = $$it's$$", "1"}, {`'a\tb\\'`, "a\tb\\"},
		{"IFF(1 > 2, 'x', 'y')", "y"}, {"NVL(NULL, 5)", "5"}, {"NVL2(1, 'a', 'b')", "a"}, {"ZEROIFNULL(NULL)", "0"}, {"NULLIFZERO(0)", "NULL"}, {"COALESCE(NULL, 'z')", "z"},
		{"GREATEST(1, 5, 3)", "5"}, {"GREATEST(1, NULL)", "NULL"}, {"LEAST(2, 1)", "1"}, {"DECODE(2, 1, 'a', 2, 'b', 'c')", "b"}, {"DECODE(NULL, NULL, 'n', 'c')", "n"},
		{"EQUAL_NULL(NULL, NULL)", "1"}, {"CASE WHEN 1 = 1 THEN 'a' END", "a"}, {"CASE 3 WHEN 1 THEN 'a' ELSE 'b' END", "b"}, {"5 BETWEEN 1 AND 5", "1"}, {"2 IN (1, 2)", "1"},
		{"'abc' LIKE 'a%'", "1"}, {"'abc' ILIKE 'A_C'", "1"}, {"'a%c' LIKE 'a!%c' ESCAPE '!'", "1"}, {"'abc' LIKE ANY ('x', 'a%')", "1"}, {"'abc' NOT LIKE 'a%'", "0"}, {"'abc' RLIKE 'a.c'", "1"}, {"REGEXP_LIKE('abc', 'b')", "0"},
		{"1 IS DISTINCT FROM NULL", "1"}, {"NULL IS NULL", "1"}, {"TRUE AND NOT FALSE", "1"}, {"TRUE IS FALSE", "0"},
		{"UPPER('a') || LOWER('B')", "Ab"}, {"LENGTH('äb')", "2"}, {"SUBSTR('hello', 2, 3)", "ell"}, {"SUBSTR('hello', -3)", "llo"}, {"SPLIT_PART('a,b,c', ',', -1)", "c"}, {"SPLIT_PART('a,b', ',', 0)", "a"},
		{"REPLACE('abc', 'b')", "ac"}, {"TRIM('  a ')", "a"}, {"LPAD('1', 3, '0')", "001"}, {"CONTAINS('abc', 'b')", "1"}, {"STARTSWITH('abc', 'ab')", "1"}, {"ENDSWITH('abc', 'bc')", "1"}, {"POSITION('b', 'abc')", "2"},
		{"LEFT('abc', 2)", "ab"}, {"RIGHT('abc', 2)", "bc"}, {"REVERSE('abc')", "cba"}, {"REPEAT('a', 3)", "aaa"}, {"MD5('a')", "0cc175b9c0f1b6a831c399e269772661"},
		{"SHA1('a')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"}, {"SHA2('a')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}, {"HEX_ENCODE('a')", "61"}, {"BASE64_ENCODE('abc')", "YWJj"},
		{"LENGTH(UUID_STRING())", "36"}, {"LENGTH(RANDSTR(8, 1))", "8"}, {"RANDSTR(8, 1) = RANDSTR(8, 1)", "1"}, {"UNIFORM(1, 1, RANDOM())", "1"}, {"ABS(RANDOM()) >= 0", "1"},
		{"ABS(-1.5)", "1.5"}, {"CEIL(1.2)", "2"}, {"ROUND(1.25, 1)", "1.3"}, {"ROUND(2.5::FLOAT)", "3"}, {"TRUNC(1.29, 1)", "1.2"}, {"MOD(7, 3)", "1"}, {"POWER(2, 3)", "8"}, {"SQRT(9)", "3"}, {"SIGN(-3)", "-1"},
		{"'5'::NUMBER + 1", "6"}, {"1.5::NUMBER(38,0)", "2"}, {"'1.25'::NUMBER(10,1)", "1.3"}, {"'1e3'::FLOAT", "1000"}, {"1::VARCHAR || ''", "1"}, {"TRUE::VARCHAR", "true"}, {"'true'::BOOLEAN", "1"}, {"0::BOOLEAN", "0"},
		{"TRY_CAST('x' AS NUMBER)", "NULL"}, {"TRY_CAST('7' AS NUMBER)", "7"}, {"TRY_TO_NUMBER('7')", "7"}, {"TO_NUMBER('12.5', 10, 1)", "12.5"}, {"TO_DOUBLE('1.5')", "1.5"}, {"TO_BOOLEAN('no')", "0"},
		{"'61FF'::BINARY", "61FF"}, {"X'00ff'", "00FF"}, {"TO_BINARY('a', 'UTF-8')", "61"}, {"TO_CHAR(15)", "15"},
		{"PARSE_JSON('{\"b\":1,\"a\":[1,2]}')", "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": 1\n}"}, {"PARSE_JSON('')", "NULL"}, {"TRY_PARSE_JSON('{')", "NULL"}, {"PARSE_JSON('null')", "null"}, {"PARSE_JSON('{\"a\":null}'):a::STRING", "NULL"},
		{"PARSE_JSON('{\"a\":{\"B\":[10,20]}}'):a.B[1]", "20"}, {"PARSE_JSON('{\"a\":\"x\"}'):a", "\"x\""}, {"PARSE_JSON('{\"a\":\"x\"}'):a::STRING", "x"}, {"PARSE_JSON('{\"a\":\"x\"}'):a = 'x'", "1"}, {"PARSE_JSON('{\"a\":5}'):a + 1", "6"},
		{"PARSE_JSON('{\"a\":5}')['a']", "5"}, {"GET(PARSE_JSON('[1,2]'), 1)", "2"}, {"GET(PARSE_JSON('{\"k\":1}'), 'K')", "NULL"}, {"GET_PATH(PARSE_JSON('{\"a\":{\"b\":1}}'), 'a.b')", "1"}, {"PARSE_JSON('[1,2,3]')[5]", "NULL"},
		{"TO_JSON(OBJECT_CONSTRUCT('b', 1, 'a', 'x', 'n', NULL))", `{"a":"x","b":1}`}, {"TO_JSON(OBJECT_CONSTRUCT_KEEP_NULL('a', NULL))", `{"a":null}`}, {"TO_JSON(ARRAY_CONSTRUCT(1, 'a', NULL))", `[1,"a",null]`}, {"TO_JSON({'a': [1, 2]})", `{"a":[1,2]}`},
		{"ARRAY_SIZE(PARSE_JSON('[1,2]'))", "2"}, {"ARRAY_CONTAINS('a'::VARIANT, ARRAY_CONSTRUCT('a'))", "1"}, {"ARRAY_TO_STRING(ARRAY_CONSTRUCT(1, 2), '-')", "1-2"}, {"TO_JSON(OBJECT_KEYS(PARSE_JSON('{\"b\":1,\"a\":2}')))", `["a","b"]`},
		{"TYPEOF(PARSE_JSON('1.5'))", "DECIMAL"}, {"IS_ARRAY(PARSE_JSON('[]'))", "1"}, {"TO_JSON(TO_VARIANT('a'))", `"a"`}, {"TO_JSON(SPLIT('a,b', ','))", `["a","b"]`}, {"'a'::VARIANT::STRING", "a"},
		{"DATEADD('day', 1, '2024-02-28'::DATE)", "19782"}, {"DATEADD(month, 1, '2024-01-31'::DATE)", "19782"}, {"DATEADD('millisecond', 1500, '2024-01-01 00:00:00'::TIMESTAMP_NTZ)", "1704067201.500000000"},
		{"DATEADD('hour', -1, TO_TIMESTAMP_NTZ('1970-01-01 01:00:00'))", "0.000000000"}, {"TIMESTAMPADD(second, 5, TO_TIMESTAMP_NTZ(0))", "5.000000000"},
		{"TIMESTAMPDIFF('second', '2024-01-01 00:00:00.900', '2024-01-01 00:00:01.100')", "1"}, {"DATEDIFF('day', '2024-01-01', '2024-03-01')", "60"}, {"TIMESTAMPDIFF(millisecond, '2024-01-01 00:00:00.100'::TIMESTAMP_NTZ, '2024-01-01 00:00:00.350'::TIMESTAMP_NTZ)", "250"},
		{"DATEDIFF(year, '2023-12-31', '2024-01-01')", "1"}, {"DATEDIFF(month, '2024-01-31'::DATE, '2024-02-01'::DATE)", "1"}, {"DATEDIFF('week', '2024-01-07'::DATE, '2024-01-08'::DATE)", "1"}, {"TIMESTAMPDIFF('hour', '2024-01-01 00:59:00', '2024-01-01 01:00:00')", "1"},
		{"DATE_TRUNC('month', '2024-05-17'::DATE)", "19844"}, {"DATE_TRUNC('hour', '1970-01-01 01:30:00'::TIMESTAMP_NTZ)", "3600.000000000"}, {"DATE_PART('year', '2024-05-17'::DATE)", "2024"}, {"EXTRACT(month FROM '2024-05-17'::DATE)", "5"}, {"DATE_PART(epoch_second, TO_TIMESTAMP_NTZ(86400))", "86400"},
		{"YEAR('2024-05-17'::DATE)", "2024"}, {"DAYOFWEEK('2024-05-19'::DATE)", "0"}, {"TO_DATE('2024-01-01')", "19723"}, {"TO_TIMESTAMP_NTZ(1700000000123, 3)", "1700000000.123000000"}, {"TO_TIMESTAMP_NTZ('1700000000')", "1700000000.000000000"},
		{"TO_VARCHAR('2024-01-02 03:04:05.678'::TIMESTAMP_NTZ, 'YYYY-MM-DD HH24:MI:SS.FF3')", "2024-01-02 03:04:05.678"}, {"TO_CHAR('2024-01-02'::DATE, 'DD/MM/YYYY')", "02/01/2024"}, {"'2024-01-02 03:04:05'::TIMESTAMP_NTZ::VARCHAR", "2024-01-02 03:04:05.000"},
		{"CONVERT_TIMEZONE('UTC', 'America/New_York', '2024-01-01 12:00:00'::TIMESTAMP_NTZ)", "1704092400.000000000"}, {"CONVERT_TIMEZONE('America/New_York', '2024-01-01 12:00:00 +0000'::TIMESTAMP_LTZ)", "1704110400.000000000 1140"},
		{"'2024-01-01 12:00:00 +0100'::TIMESTAMP_TZ", "1704106800.000000000 1500"}, {"TIME '01:02:03'", "3723.000000000"}, {"DATE '1969-12-31'", "-1"}, {"'1969-12-31 23:59:59.5'::TIMESTAMP_NTZ", "-0.500000000"},
		{"'9999-12-12 23:59:59.999999999'::TIMESTAMP_NTZ(0)", "253400659199.000000000"}, {"'1970-01-01 00:00:00.987654321'::TIMESTAMP_LTZ(4)", "0.987600000"}, {"'23:59:59.99'::TIME(0)", "86399.000000000"},
		{"'1970-01-01 00:00:00.99 +0100'::TIMESTAMP_TZ(1)", "-3599.100000000 1500"}, {"'2024-01-02'::TIMESTAMP_NTZ(0)", "1704153600.000000000"}, {"NULL::TIMESTAMP_NTZ", "NULL"},
		{"'2024-01-02 03:04:05'::TIMESTAMP_LTZ::VARCHAR", "2024-01-02 03:04:05.000 Z"}, {"'2024-01-02 03:04:05 -0330'::TIMESTAMP_TZ::VARCHAR", "2024-01-02 03:04:05.000 -0330"},
		{"ABS(TIMESTAMPDIFF('second', SYSDATE(), CURRENT_TIMESTAMP()::TIMESTAMP_NTZ)) < 5", "1"}, {"CURRENT_DATE() = CURRENT_TIMESTAMP()::DATE", "1"}, {"SYSDATE() + INTERVAL '1 hour' > SYSDATE()", "1"},
		{"CURRENT_USER()", "BENCH"}, {"CURRENT_ROLE()", "SYSADMIN"}, {"CURRENT_WAREHOUSE()", "WH"}, {"CURRENT_DATABASE() || '.' || CURRENT_SCHEMA()", "DB.PUBLIC"}, {"CURRENT_ACCOUNT()", "STANDIN"}, {"CURRENT_SESSION() = CURRENT_SESSION()", "1"},
		{"(SELECT MAX(column1) FROM VALUES (1), (3))", "3"}, {"EXISTS (SELECT 1 WHERE FALSE)", "0"}, {"SYSTEM$WAIT(0)", "waited 0 seconds"},
	} {
		t.Run(c.expr, func(t *testing.T) {
			is := is.New(t)
			is.Equal(show(run(t, s, "SELECT "+c.expr)), c.want)
		})
	}
}

// TestQueries covers the shapes of queries.
func TestQueries(t *testing.T) {
	s := session(t, open(t, account()))
	run(t, s, "CREATE TABLE t (a NUMBER(10,2), b VARCHAR, v VARIANT)")
	run(t, s, "INSERT INTO t SELECT column1, column2, PARSE_JSON(column3) FROM VALUES (1, 'x', '[1,2]'), (2, 'y', '{\"k\":3}'), (3, 'x', NULL)")
	for _, c := range []struct{ sql, want string }{
		{"SELECT * FROM t ORDER BY a DESC LIMIT 1", "3.00|x|NULL"}, {"SELECT b, SUM(a) AS total FROM t GROUP BY b ORDER BY total", "y|2.00\nx|4.00"},
		{"SELECT b, COUNT(*) FROM t GROUP BY ALL HAVING COUNT(*) > 1", "x|2"}, {"SELECT AVG(a), MIN(a), MAX(b), COUNT(DISTINCT b), COUNT_IF(a > 1) FROM t", "2.000000|1.00|y|2|2"},
		{"SELECT LISTAGG(b, '-') WITHIN GROUP (ORDER BY a) FROM t", "x-y-x"}, {"SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a) FROM t", "2"}, {"SELECT APPROX_PERCENTILE(a, 0.5), MEDIAN(a) FROM t", "2|2"},
		{"SELECT a FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY b ORDER BY a DESC) = 1 ORDER BY a", "2.00\n3.00"}, {"SELECT a, RANK() OVER (ORDER BY b) AS r FROM t QUALIFY r = 1 ORDER BY a", "1.00|1\n3.00|1"},
		{"WITH c AS (SELECT a FROM t WHERE b = 'x'), d (n) AS (SELECT a FROM c) SELECT SUM(n) FROM d", "4.00"}, {"WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT MAX(n) FROM r", "3"},
		{"SELECT x.a, y.b FROM t x JOIN t y ON x.a = y.a + 1 ORDER BY 1", "2.00|x\n3.00|y"}, {"SELECT COUNT(*) FROM t x LEFT JOIN t y USING (b)", "5"}, {"SELECT COUNT(*) FROM t, t u WHERE t.a < u.a", "3"},
		{"SELECT a FROM t WHERE b = 'y' UNION ALL SELECT 9 ORDER BY 1", "2.00\n9"}, {"SELECT b FROM t INTERSECT SELECT 'x'", "x"}, {"SELECT b FROM t EXCEPT SELECT 'x'", "y"}, {"(SELECT 1) UNION (SELECT 1)", "1"},
		{"SELECT f.index, f.value FROM t, LATERAL FLATTEN(input => t.v) f WHERE t.a = 1 ORDER BY 1", "0|1\n1|2"}, {"SELECT key, value::NUMBER FROM t, TABLE(FLATTEN(v)) WHERE a = 2", "k|3"},
		{"SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 100))", "100"}, {"SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 3))", "0\n1\n2"}, {"SELECT 'a' FROM TABLE(GENERATOR(ROWCOUNT => 2))", "a\na"},
		{"SELECT * FROM VALUES (3, 4), (NULL, 5) ORDER BY 2", "3|4\nNULL|5"}, {"SELECT x FROM (VALUES (1), (2)) AS v (x) ORDER BY x DESC", "2\n1"}, {"SELECT column2 FROM VALUES (1, 'a')", "a"}, {"VALUES (1, 'a')", "1|a"},
		{"SELECT TOP 1 a FROM t ORDER BY a", "1.00"}, {"SELECT a FROM t ORDER BY a LIMIT 1 OFFSET 1", "2.00"}, {"SELECT a FROM t ORDER BY a OFFSET 2 ROWS FETCH NEXT 1 ROWS ONLY", "3.00"}, {"SELECT DISTINCT b FROM t ORDER BY b", "x\ny"},
		{"SELECT t.* FROM t WHERE t.a = 1", "1.00|x|[\n  1,\n  2\n]"}, {"SELECT db.public.t.a FROM db.public.t WHERE a = 1", "1.00"}, {"SELECT 1 FROM dual", "1"}, {"SELECT a FROM t WHERE b IN (SELECT b FROM t WHERE a = 2)", "2.00"},
		{"SELECT MAX(a) FROM t WHERE v:k = 3", "2.00"}, {"SELECT TO_JSON(ARRAY_AGG(b) WITHIN GROUP (ORDER BY a)) FROM t", `["x","y","x"]`}, {"SELECT LAG(b) OVER (ORDER BY a) FROM t ORDER BY a", "NULL\nx\ny"}, {"SELECT LAST_VALUE(a) OVER (ORDER BY a) FROM t ORDER BY a LIMIT 1", "3.00"},
		{"SELECT a FROM IDENTIFIER('t') WHERE a = 1", "1.00"}, {"SELECT CASE WHEN a = 1 THEN 'one' ELSE b END FROM t ORDER BY a", "one\ny\nx"}, {"SELECT b FROM t ORDER BY CASE b WHEN 'y' THEN 0 ELSE 1 END, a LIMIT 1", "y"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			is.Equal(show(run(t, s, c.sql)), c.want)
		})
	}
}
