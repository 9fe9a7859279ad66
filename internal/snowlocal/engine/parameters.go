package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameter is a session parameter.
type parameter struct {
	value string // the default
	kind  string // BOOLEAN, NUMBER or STRING
	low   int64
	high  int64
	about string
}

// parameters are those that the engine or a driver knows. Others are refused,
// except those that begin with CLIENT_, GO_, JDBC_, ENABLE_, FORCE_, USE_ or FEATURE_,
// which are kept as they are.
var parameters = map[string]parameter{
	"ABORT_DETACHED_QUERY":                          {value: "false", kind: "BOOLEAN", about: "abort queries of a lost connection"},
	"AUTOCOMMIT":                                    {value: "true", kind: "BOOLEAN", about: "commit each statement outside a transaction"},
	"BINARY_OUTPUT_FORMAT":                          {value: "HEX", kind: "STRING"},
	"CLIENT_RESULT_COLUMN_CASE_INSENSITIVE":         {value: "false", kind: "BOOLEAN"},
	"CLIENT_SESSION_KEEP_ALIVE":                     {value: "false", kind: "BOOLEAN", about: "heartbeats keep the session"},
	"CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": {value: "3600", kind: "NUMBER", low: 900, high: 3600},
	"CLIENT_STAGE_ARRAY_BINDING_THRESHOLD":          {value: "0", kind: "NUMBER", high: 1 << 40},
	"CLIENT_TELEMETRY_ENABLED":                      {value: "true", kind: "BOOLEAN"},
	"CLIENT_TIMESTAMP_TYPE_MAPPING":                 {value: "TIMESTAMP_LTZ", kind: "STRING"},
	"DATE_OUTPUT_FORMAT":                            {value: "YYYY-MM-DD", kind: "STRING"},
	"ERROR_ON_NONDETERMINISTIC_MERGE":               {value: "true", kind: "BOOLEAN"},
	"ERROR_ON_NONDETERMINISTIC_UPDATE":              {value: "false", kind: "BOOLEAN"},
	"GO_QUERY_RESULT_FORMAT":                        {value: "JSON", kind: "STRING"},
	"HYBRID_TABLE_LOCK_TIMEOUT":                     {value: "3600", kind: "NUMBER", high: 43200, about: "seconds that a row lock of a hybrid table is waited for"},
	"LOCK_TIMEOUT":                                  {value: "43200", kind: "NUMBER", high: 1 << 31, about: "seconds that a lock of a standard table is waited for"},
	"MULTI_STATEMENT_COUNT":                         {value: "1", kind: "NUMBER", high: 1 << 31},
	"NOORDER_SEQUENCE_AS_DEFAULT":                   {value: "true", kind: "BOOLEAN"},
	"QUERY_TAG":                                     {value: "", kind: "STRING", about: "tag of the queries of the session"},
	"QUOTED_IDENTIFIERS_IGNORE_CASE":                {value: "false", kind: "BOOLEAN"},
	"READ_LATEST_WRITES":                            {value: "false", kind: "BOOLEAN", about: "reads of hybrid tables see the last writes of all sessions"},
	"ROWS_PER_RESULTSET":                            {value: "0", kind: "NUMBER", high: 1 << 40},
	"STATEMENT_QUEUED_TIMEOUT_IN_SECONDS":           {value: "0", kind: "NUMBER", high: 604800},
	"STATEMENT_TIMEOUT_IN_SECONDS":                  {value: "172800", kind: "NUMBER", high: 604800, about: "seconds after which a statement is cancelled; 0 is the most"},
	"TIMESTAMP_NTZ_OUTPUT_FORMAT":                   {value: "YYYY-MM-DD HH24:MI:SS.FF3", kind: "STRING"},
	"TIMESTAMP_LTZ_OUTPUT_FORMAT":                   {value: "", kind: "STRING"},
	"TIMESTAMP_TZ_OUTPUT_FORMAT":                    {value: "", kind: "STRING"},
	"TIMESTAMP_OUTPUT_FORMAT":                       {value: "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM", kind: "STRING"},
	"TIMESTAMP_TYPE_MAPPING":                        {value: "TIMESTAMP_NTZ", kind: "STRING"},
	"TIMEZONE":                                      {value: "America/Los_Angeles", kind: "STRING"},
	"TIME_OUTPUT_FORMAT":                            {value: "HH24:MI:SS", kind: "STRING"},
	"TRANSACTION_ABORT_ON_ERROR":                    {value: "false", kind: "BOOLEAN", about: "an error rolls the transaction back"},
	"TRANSACTION_DEFAULT_ISOLATION_LEVEL":           {value: "READ COMMITTED", kind: "STRING"},
	"TWO_DIGIT_CENTURY_START":                       {value: "1970", kind: "NUMBER", low: 1900, high: 2100},
	"UNSUPPORTED_DDL_ACTION":                        {value: "ignore", kind: "STRING"},
	"USE_CACHED_RESULT":                             {value: "true", kind: "BOOLEAN", about: "accepted; results are never cached here"},
	"WEEK_OF_YEAR_POLICY":                           {value: "0", kind: "NUMBER", high: 0},
	"WEEK_START":                                    {value: "0", kind: "NUMBER", high: 0},
}

// tolerated begin the names of parameters of drivers that change nothing here.
var tolerated = []string{"CLIENT_", "GO_", "JDBC_", "ENABLE_", "FORCE_", "USE_", "FEATURE_"}

const maxTag = 2000

// checkParameter checks and normalises a value.
func checkParameter(name, value string) (string, *Error) {
	p, ok := parameters[name]
	if !ok {
		if slices.ContainsFunc(tolerated, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return value, nil
		}
		return "", failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for 'SESSION'", name)
	}
	bad := failure(1008, "22023", "SQL compilation error:\ninvalid value [%s] for parameter '%s'", value, name)
	switch p.kind {
	case "BOOLEAN":
		switch strings.ToLower(value) {
		case "true", "on", "yes", "1":
			return "true", nil
		case "false", "off", "no", "0":
			return "false", nil
		}
		return "", bad
	case "NUMBER":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < p.low || n > p.high {
			return "", bad
		}
		return strconv.FormatInt(n, 10), nil
	}
	switch name {
	case "TIMEZONE":
		if _, err := time.LoadLocation(value); err != nil || value == "" || value == "Local" {
			return "", bad
		}
	case "QUERY_TAG":
		if len(value) > maxTag {
			return "", bad
		}
	case "TIMESTAMP_TYPE_MAPPING":
		if value = strings.ToUpper(value); value != "TIMESTAMP_NTZ" {
			return "", unsupported("TIMESTAMP_TYPE_MAPPING = %s", value)
		}
	}
	return value, nil
}
