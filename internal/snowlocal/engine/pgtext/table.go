package pgtext

// functions are those that a text does for.
var functions = map[string]function{
	// Conditions.
	"IFF": {3, 3, "(CASE WHEN %1 THEN %2 ELSE %3 END)", "", "-"}, "NVL": {2, 2, "coalesce(%*)", "", "-"}, "IFNULL": {2, 2, "coalesce(%*)", "", "-"},
	"COALESCE": {1, -1, "coalesce(%*)", "", "-"}, "NVL2": {3, 3, "(CASE WHEN %1 IS NOT NULL THEN %2 ELSE %3 END)", "", "-"},
	"NULLIF": {2, 2, "nullif(%*)", "", "-"}, "ZEROIFNULL": {1, 1, "coalesce(%1, 0)", "", "number"}, "NULLIFZERO": {1, 1, "nullif(%1, 0)", "", "number"},
	"EQUAL_NULL": {2, 2, "(%1 IS NOT DISTINCT FROM %2)", "", "-"}, "DIV0": {2, 2, "sf.div0(%*)", "", "number"}, "DIV0NULL": {2, 2, "sf.div0(%1, coalesce(%2, 0))", "", "number"},
	// Numbers.
	"ABS": {1, 1, "abs(%*)", "", "number"}, "CEIL": {1, 1, "ceil(%*)", "", "number"}, "FLOOR": {1, 1, "floor(%*)", "", "number"}, "ROUND": {1, 2, "sf.round(%*)", "", "number"},
	"TRUNCATE": {1, 2, "sf.truncate(%*)", "", "number"}, "SIGN": {1, 1, "sign(%*)", "", "number"}, "SQRT": {1, 1, "sqrt((%1)::float8)", "", "number"},
	"POWER": {2, 2, "power((%1)::float8, (%2)::float8)", "", "number"}, "POW": {2, 2, "power((%1)::float8, (%2)::float8)", "", "number"},
	"EXP": {1, 1, "exp((%1)::float8)", "", "number"}, "LN": {1, 1, "ln((%1)::float8)", "", "number"}, "LOG": {2, 2, "(ln((%2)::float8) / ln((%1)::float8))", "", "number"},
	"MOD": {2, 2, "mod((%1)::numeric, (%2)::numeric)", "", "number"}, "PI": {0, 0, "pi()", "", ""}, "SQUARE": {1, 1, "power((%1)::float8, 2)", "", "number"},
	"SIN": {1, 1, "sin((%1)::float8)", "", "number"}, "COS": {1, 1, "cos((%1)::float8)", "", "number"}, "UNIFORM": {3, 3, "sf.uniform(%*)", "", "number"},
	"NORMAL": {3, 3, "sf.normal(%*)", "", "number"}, "HASH": {1, -1, "sf.hash(jsonb_build_array(%*))", "", "variant"},
	// Texts.
	"UPPER": {1, 1, "upper(%*)", "", ""}, "LOWER": {1, 1, "lower(%*)", "", ""}, "LENGTH": {1, 1, "sf.length(%*)", "", ""}, "LEN": {1, 1, "sf.length(%*)", "", ""},
	"SUBSTR": {2, 3, "sf.substr(%*)", "", "sub"}, "SUBSTRING": {2, 3, "sf.substr(%*)", "", "sub"}, "TRIM": {1, 2, "btrim(%*)", "", ""}, "LTRIM": {1, 2, "ltrim(%*)", "", ""},
	"RTRIM": {1, 2, "rtrim(%*)", "", ""}, "REPLACE": {2, 3, "sf.replace(%*)", "", ""}, "SPLIT_PART": {3, 3, "sf.split_part(%1, %2, (%3)::int)", "", "sub"},
	"SPLIT": {2, 2, "to_jsonb(string_to_array(%*))", "ARRAY", ""}, "CONTAINS": {2, 2, "(strpos(%*) > 0)", "BOOLEAN", ""}, "STARTSWITH": {2, 2, "starts_with(%*)", "BOOLEAN", ""},
	"ENDSWITH": {2, 2, "(right(%1, length(%2)) = %2)", "BOOLEAN", ""}, "CHARINDEX": {2, 2, "strpos(%2, %1)", "", ""}, "POSITION": {2, 2, "strpos(%2, %1)", "", ""},
	"LEFT": {2, 2, "left(%1, (%2)::int)", "", "sub"}, "RIGHT": {2, 2, "right(%1, (%2)::int)", "", "sub"}, "LPAD": {2, 3, "sf.lpad(%*)", "", "sub"}, "RPAD": {2, 3, "sf.rpad(%*)", "", "sub"},
	"REPEAT": {2, 2, "repeat(%1, (%2)::int)", "", "sub"}, "REVERSE": {1, 1, "reverse(%*)", "", ""}, "INITCAP": {1, 1, "initcap(%*)", "", ""}, "ASCII": {1, 1, "ascii(%*)", "", ""},
	"CHR": {1, 1, "chr((%1)::int)", "", "number"}, "CHAR": {1, 1, "chr((%1)::int)", "", "number"}, "CONCAT_WS": {2, -1, "sf.concat_ws(%1, ARRAY[%*])", "VARCHAR", ""},
	"MD5": {1, 1, "md5(%*)", "", ""}, "MD5_HEX": {1, 1, "md5(%*)", "", ""}, "SHA1": {1, 1, "sf.sha1(%*)", "", ""}, "SHA1_HEX": {1, 1, "sf.sha1(%*)", "", ""}, "SHA2": {1, 2, "sf.sha2(%*)", "", "sub"},
	"SHA2_HEX": {1, 2, "sf.sha2(%*)", "", "sub"}, "HEX_ENCODE": {1, 1, "sf.hex_encode(%*)", "VARCHAR", ""}, "HEX_DECODE_STRING": {1, 1, "convert_from(decode(%1, 'hex'), 'UTF8')", "", ""},
	"BASE64_ENCODE": {1, 1, "sf.base64_encode(%*)", "", ""}, "BASE64_DECODE_STRING": {1, 1, "convert_from(decode(%1, 'base64'), 'UTF8')", "", ""},
	"REGEXP_LIKE": {2, 2, "sf.rlike(%*)", "BOOLEAN", ""}, "RLIKE": {2, 2, "sf.rlike(%*)", "BOOLEAN", ""}, "REGEXP_REPLACE": {2, 3, "sf.regexp_replace(%*)", "", ""},
	"REGEXP_SUBSTR": {2, 2, "substring(%1 from %2)", "", ""}, "REGEXP_COUNT": {2, 2, "regexp_count(%*)", "", ""}, "TRANSLATE": {3, 3, "translate(%*)", "", ""},
	"UUID_STRING": {0, 0, "gen_random_uuid()::text", "VARCHAR", ""}, "RANDSTR": {2, 2, "sf.randstr((%1)::int, (%2)::bigint)", "VARCHAR", "number"}, "SPACE": {1, 1, "repeat(' ', (%1)::int)", "", "number"},
	// Semi-structured data.
	"PARSE_JSON": {1, 1, "sf.parse_json(%1)", "VARIANT", ""}, "TRY_PARSE_JSON": {1, 1, "sf.try_parse_json(%1)", "VARIANT", ""}, "CHECK_JSON": {1, 1, "sf.check_json(%1)", "VARCHAR", ""},
	"TO_JSON": {1, 1, "sf.to_json(%1)", "VARCHAR", "variant"}, "TO_VARIANT": {1, 1, "%1", "VARIANT", "variant"}, "TO_OBJECT": {1, 1, "%1", "OBJECT", "variant"}, "TO_ARRAY": {1, 1, "sf.to_array(%1)", "ARRAY", "variant"},
	"ARRAY_SIZE": {1, 1, "sf.array_size(%1)", "", "-"}, "ARRAY_CONTAINS": {2, 2, "(%2 @> %1)", "BOOLEAN", "variant"}, "ARRAY_APPEND": {2, 2, "(%1 || jsonb_build_array(%2))", "ARRAY", "variant"},
	"ARRAY_CAT": {2, 2, "(%1 || %2)", "ARRAY", "variant"}, "ARRAY_TO_STRING": {2, 2, "sf.array_to_string(%1, sf.to_text(%2))", "VARCHAR", "variant"}, "OBJECT_KEYS": {1, 1, "sf.object_keys(%1)", "ARRAY", "-"},
	"OBJECT_INSERT": {3, 4, "(%1 || jsonb_build_object(sf.to_text(%2), %3))", "OBJECT", "variant"}, "OBJECT_DELETE": {2, 2, "(%1 - sf.to_text(%2))", "OBJECT", "variant"},
	"TYPEOF": {1, 1, "sf.type_of(%1)", "VARCHAR", "-"}, "IS_OBJECT": {1, 1, "(jsonb_typeof(%1) = 'object')", "BOOLEAN", "-"}, "IS_ARRAY": {1, 1, "(jsonb_typeof(%1) = 'array')", "BOOLEAN", "-"},
	"IS_NULL_VALUE": {1, 1, "(jsonb_typeof(%1) = 'null')", "BOOLEAN", "-"}, "STRIP_NULL_VALUE": {1, 1, "nullif(%1, 'null'::jsonb)", "VARIANT", "-"}, "OBJECT_AGG": {2, 2, "jsonb_object_agg(sf.to_text(%1), %2)", "OBJECT", "variant"},
	// Aggregates and windows.
	"SUM": {1, 1, "sum(%*)", "", "number"}, "MIN": {1, 1, "min(%*)", "", ""}, "MAX": {1, 1, "max(%*)", "", ""}, "COUNT_IF": {1, 1, "count(*) FILTER (WHERE %1)", "", "-"},
	"STDDEV": {1, 1, "stddev((%*)::float8)", "", "number"}, "STDDEV_SAMP": {1, 1, "stddev_samp((%*)::float8)", "", "number"}, "STDDEV_POP": {1, 1, "stddev_pop((%*)::float8)", "", "number"},
	"VARIANCE": {1, 1, "variance((%*)::float8)", "", "number"}, "VAR_SAMP": {1, 1, "var_samp((%*)::float8)", "", "number"}, "VAR_POP": {1, 1, "var_pop((%*)::float8)", "", "number"},
	"MEDIAN": {1, 1, "percentile_cont(0.5) WITHIN GROUP (ORDER BY (%1)::float8)", "FLOAT", "number"}, "APPROX_PERCENTILE": {2, 2, "percentile_cont((%2)::float8) WITHIN GROUP (ORDER BY (%1)::float8)", "FLOAT", "number"},
	"APPROX_COUNT_DISTINCT": {1, 1, "count(DISTINCT %1)", "", ""}, "ANY_VALUE": {1, 1, "(array_agg(%1))[1]", "", ""}, "BOOLAND_AGG": {1, 1, "bool_and(%1)", "", "-"}, "BOOLOR_AGG": {1, 1, "bool_or(%1)", "", "-"},
	"MAX_BY": {2, 2, "(array_agg(%1 ORDER BY %2 DESC NULLS LAST))[1]", "", ""}, "MIN_BY": {2, 2, "(array_agg(%1 ORDER BY %2))[1]", "", ""},
	"ROW_NUMBER": {0, 0, "row_number()", "", ""}, "RANK": {0, 0, "rank()", "", ""}, "DENSE_RANK": {0, 0, "dense_rank()", "", ""}, "PERCENT_RANK": {0, 0, "percent_rank()", "", ""}, "CUME_DIST": {0, 0, "cume_dist()", "", ""},
	"NTILE": {1, 1, "ntile((%1)::int)", "", "number"}, "LAG": {1, 3, "lag(%*)", "", "-"}, "LEAD": {1, 3, "lead(%*)", "", "-"}, "FIRST_VALUE": {1, 1, "first_value(%*)", "", "-"}, "LAST_VALUE": {1, 1, "last_value(%*)", "", "-"},
	// Times. What is not confirmed of the clock is in clock.go.
	"SYSDATE": {0, 0, sysdate, "TIMESTAMP_NTZ", ""}, "CURRENT_TIMESTAMP": {0, 1, currentTimestamp, "TIMESTAMP_LTZ", ""}, "GETDATE": {0, 0, currentTimestamp, "TIMESTAMP_LTZ", ""}, "SYSTIMESTAMP": {0, 0, currentTimestamp, "TIMESTAMP_LTZ", ""},
	"LOCALTIMESTAMP": {0, 1, currentTimestamp, "TIMESTAMP_LTZ", ""}, "CURRENT_DATE": {0, 0, currentTimestamp + "::date", "DATE", ""}, "CURRENT_TIME": {0, 1, currentTimestamp + "::time", "TIME", ""}, "LOCALTIME": {0, 1, currentTimestamp + "::time", "TIME", ""},
	"CONVERT_TIMEZONE": {2, 3, "sf.convert_timezone(%*)", "", "zone"}, "TO_TIMESTAMP": {1, 2, "sf.to_ntz(%*)", "TIMESTAMP_NTZ", "stamp"}, "TO_TIMESTAMP_NTZ": {1, 2, "sf.to_ntz(%*)", "TIMESTAMP_NTZ", "stamp"}, "TO_TIMESTAMP_LTZ": {1, 2, "sf.to_ltz(%*)", "TIMESTAMP_LTZ", "stamp"},
	"TO_TIMESTAMP_TZ": {1, 1, "sf.to_tz(%*)", "TIMESTAMP_TZ", "stamp"}, "TO_DATE": {1, 1, "sf.to_date(%*)", "DATE", "stamp"}, "DATE": {1, 1, "sf.to_date(%*)", "DATE", "stamp"}, "TO_TIME": {1, 1, "sf.to_time(%*)", "TIME", "stamp"},
	"TRY_TO_TIMESTAMP_NTZ": {1, 1, "sf.try_cast(%1, 'timestamp')::timestamp", "TIMESTAMP_NTZ", ""}, "TRY_TO_DATE": {1, 1, "sf.try_cast(%1, 'date')::date", "DATE", ""}, "LAST_DAY": {1, 1, "(date_trunc('month', %1) + interval '1 month - 1 day')::date", "DATE", "time"},
	"YEAR": {1, 1, "extract(year from %1)::bigint", "", "time"}, "MONTH": {1, 1, "extract(month from %1)::bigint", "", "time"}, "DAY": {1, 1, "extract(day from %1)::bigint", "", "time"}, "QUARTER": {1, 1, "extract(quarter from %1)::bigint", "", "time"},
	"HOUR": {1, 1, "extract(hour from %1)::bigint", "", "time"}, "MINUTE": {1, 1, "extract(minute from %1)::bigint", "", "time"}, "SECOND": {1, 1, "trunc(extract(second from %1))::bigint", "", "time"}, "DAYOFWEEK": {1, 1, "extract(dow from %1)::bigint", "", "time"},
	"DAYOFYEAR": {1, 1, "extract(doy from %1)::bigint", "", "time"}, "WEEK": {1, 1, "extract(week from %1)::bigint", "", "time"}, "DATE_FROM_PARTS": {3, 3, "make_date((%1)::int, (%2)::int, (%3)::int)", "", "number"},
	// Conversions.
	"TO_DOUBLE": {1, 1, "sf.to_float(%*)", "FLOAT", "stamp"}, "TO_BOOLEAN": {1, 1, "sf.to_boolean(%*)", "BOOLEAN", "stamp"}, "TO_BINARY": {1, 2, "sf.to_binary(%*)", "BINARY", "stamp"},
	"TRY_TO_NUMBER": {1, 1, "sf.try_cast(%1, 'numeric')::numeric(38,0)", "", ""}, "TRY_TO_DOUBLE": {1, 1, "sf.try_cast(%1, 'float8')::float8", "FLOAT", ""}, "TRY_TO_BOOLEAN": {1, 1, "sf.try_cast(%1, 'boolean')::boolean", "BOOLEAN", ""},
	"AS_ARRAY": {1, 1, "sf.if_type(%1, 'array')", "ARRAY", "-"}, "AS_OBJECT": {1, 1, "sf.if_type(%1, 'object')", "OBJECT", "-"},
	"AS_VARCHAR": {1, 1, "sf.to_text(%1)", "VARCHAR", "-"}, "AS_INTEGER": {1, 1, "sf.to_number(%1)", "", "-"},
	// The system.
	"SYSTEM$WAIT": {1, 2, "sf.wait(%*)", "VARCHAR", "sub"}, "SYSTEM$TYPEOF": {1, 1, "upper(pg_typeof(%1)::text)", "VARCHAR", ""},
}

// functionTypes are the types of what functions return, where the text of the
// call alone tells.
var functionTypes = resultTypes()

func resultTypes() map[string]string {
	types := map[string]string{
		"OBJECT_CONSTRUCT": "OBJECT", "OBJECT_CONSTRUCT_KEEP_NULL": "OBJECT", "ARRAY_CONSTRUCT": "ARRAY", "ARRAY_AGG": "ARRAY", "GET": "VARIANT",
		"GET_PATH": "VARIANT", "LISTAGG": "VARCHAR", "CONCAT": "VARCHAR", "TO_CHAR": "VARCHAR", "TO_VARCHAR": "VARCHAR", "PERCENTILE_CONT": "FLOAT",
	}
	for name, f := range functions {
		if f.typ != "" {
			types[name] = f.typ
		}
	}
	return types
}

var aggregates = map[string]bool{
	"COUNT": true, "SUM": true, "AVG": true, "MIN": true, "MAX": true, "COUNT_IF": true, "STDDEV": true, "STDDEV_SAMP": true, "STDDEV_POP": true,
	"VARIANCE": true, "VAR_SAMP": true, "VAR_POP": true, "MEDIAN": true, "APPROX_PERCENTILE": true, "APPROX_COUNT_DISTINCT": true, "ANY_VALUE": true,
	"BOOLAND_AGG": true, "BOOLOR_AGG": true, "MAX_BY": true, "MIN_BY": true, "LISTAGG": true, "PERCENTILE_CONT": true, "PERCENTILE_DISC": true,
	"ARRAY_AGG": true, "OBJECT_AGG": true,
}
