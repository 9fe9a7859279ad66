package snowflake

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
)

func testDialect(t testing.TB) *dialect {
	t.Helper()
	d, err := newDialect(&Config{StoreDatabase: "bench", ConfigSchema: "CONFIG", ResultsSchema: `"o'brien's"`, Warehouse: "W", ObserverWarehouse: "W", Role: "R"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInsertTexts(t *testing.T) {
	insert := testDialect(t).insert
	beat := []string{"RUN_ID", "EPOCH", "LAST_HEARTBEAT", "HEARTBEAT_COUNT"}
	for _, tc := range []struct {
		name string
		in   sqlstore.Insert
		want string
	}{
		{"plain", sqlstore.Insert{Table: "T", Name: "RUN_STATUS", Columns: []string{"RUN_ID", "VERSION", "PHASE_AT", "WORKER_TARGETS"}, Rows: 1},
			"INSERT INTO T (RUN_ID, VERSION, PHASE_AT, WORKER_TARGETS) SELECT ?, ?::NUMBER(38,0), ?::TIMESTAMP_NTZ(6), PARSE_JSON(?)"},
		{"rows", sqlstore.Insert{Table: "T", Name: "TEST_RESULTS", Columns: []string{"RUN_ID", "QPS", "KINDS"}, Rows: 2},
			"INSERT INTO T (RUN_ID, QPS, KINDS) SELECT column1, column2::FLOAT, PARSE_JSON(column3) FROM VALUES (?, ?, ?), (?, ?, ?)"},
		{"first stays", sqlstore.Insert{Table: "T", Name: "TEST_LOGS", Columns: []string{"RUN_ID", "SEQ"}, Rows: 2, Key: []string{"RUN_ID", "SEQ"}},
			"INSERT INTO T (RUN_ID, SEQ) SELECT s.RUN_ID, s.SEQ FROM (SELECT column1 AS RUN_ID, column2::NUMBER(38,0) AS SEQ FROM VALUES (?, ?), (?, ?)) AS s" +
				" WHERE NOT EXISTS (SELECT 1 FROM T AS k WHERE k.RUN_ID = s.RUN_ID AND k.SEQ = s.SEQ)"},
		{"first stays, if", sqlstore.Insert{Table: "T", Name: "TEST_LOGS", Columns: []string{"SEQ"}, Rows: 1, Key: []string{"SEQ"}, Within: "RUN_ID", OnlyIf: "EXISTS (x = ?)"},
			"INSERT INTO T (SEQ) SELECT s.SEQ FROM (SELECT ?::NUMBER(38,0) AS SEQ) AS s WHERE NOT EXISTS (SELECT 1 FROM T AS k WHERE k.RUN_ID = ? AND k.SEQ = s.SEQ) AND EXISTS (x = ?)"},
		{"last stays", sqlstore.Insert{Table: "T", Name: "METRICS_SNAPSHOTS", Columns: []string{"RUN_ID", "QPS"}, Rows: 2, Key: []string{"RUN_ID"}, Update: []string{"QPS"}, OnlyIf: "c"},
			"MERGE INTO T AS t USING (SELECT column1 AS RUN_ID, column2::FLOAT AS QPS FROM VALUES (?, ?), (?, ?) WHERE c) AS s ON t.RUN_ID = s.RUN_ID" +
				" WHEN MATCHED THEN UPDATE SET QPS = s.QPS WHEN NOT MATCHED THEN INSERT (RUN_ID, QPS) VALUES (s.RUN_ID, s.QPS)"},
		{"newest stays, if", sqlstore.Insert{Table: "T", Name: "WORKER_HEARTBEATS", Columns: beat, Rows: 1, Now: []string{"LAST_HEARTBEAT"}, OnlyIf: "c",
			Key: []string{"RUN_ID"}, Update: beat[1:], Newer: []string{"EPOCH", "HEARTBEAT_COUNT"}},
			"MERGE INTO T AS t USING (SELECT ? AS RUN_ID, ?::NUMBER(38,0) AS EPOCH, SYSDATE() AS LAST_HEARTBEAT, ?::NUMBER(38,0) AS HEARTBEAT_COUNT WHERE c) AS s ON t.RUN_ID = s.RUN_ID" +
				" WHEN MATCHED AND (s.EPOCH > t.EPOCH OR (s.EPOCH = t.EPOCH AND s.HEARTBEAT_COUNT >= t.HEARTBEAT_COUNT))" +
				" THEN UPDATE SET EPOCH = s.EPOCH, LAST_HEARTBEAT = s.LAST_HEARTBEAT, HEARTBEAT_COUNT = s.HEARTBEAT_COUNT" +
				" WHEN NOT MATCHED THEN INSERT (RUN_ID, EPOCH, LAST_HEARTBEAT, HEARTBEAT_COUNT) VALUES (s.RUN_ID, s.EPOCH, s.LAST_HEARTBEAT, s.HEARTBEAT_COUNT)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			got := insert(tc.in)
			is.Equal(got, tc.want)
			if at := strings.Index(got, "VALUES (?"); at >= 0 { // where Snowflake refuses it: 002014
				is.True(!strings.Contains(got[at:], "PARSE_JSON"))
			}
		})
	}
}

func TestDialectNames(t *testing.T) {
	is := is.New(t)
	d := testDialect(t).sqlstore()
	is.Equal(d.Table("RUN_STATUS"), `"BENCH"."o'brien's".RUN_STATUS`)
	is.Equal(d.Table("TEST_TEMPLATES"), `"BENCH"."CONFIG".TEST_TEMPLATES`)
	is.True(strings.Contains(d.ColumnsQuery, `FROM "BENCH".INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA IN ('CONFIG', 'o''brien''s')`))
	_, err := newDialect(&Config{StoreDatabase: "a b", ConfigSchema: "C", ResultsSchema: "R"})
	is.True(err != nil && strings.Contains(err.Error(), `store_database is "a b"`))
}

// TestBoundValues: what the driver would spoil is a text.
func TestBoundValues(t *testing.T) {
	is := is.New(t)
	is.Equal(bind(1234.56789012), "1234.56789012") // the driver sends 1234.5679
	is.Equal(bind(0.30000000000000004), "0.30000000000000004")
	is.Equal(bind(int64(1<<60)), "1152921504606846976")
	is.Equal(bind(7), "7")
	is.Equal(bind("x"), "x")
	is.Equal(bind(nil), nil)
	is.Equal(testDialect(t).sqlstore().Time(time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)), "2026-03-04 05:06:07.123456")
}

func TestStoreErrors(t *testing.T) {
	d := testDialect(t)
	for _, tc := range []struct {
		number   int
		state    string
		text     string
		badLuck  bool
		explains string
	}{
		{200001, "22000", "Primary key already exists", true, ""},
		{100078, "22000", `Duplicate key value violates unique constraint "SYS_INDEX_T"`, true, ""},
		{625, "57014", "Statement 'x' has locked table", true, ""},
		{0, "", "Deadlock detected", true, ""},
		{2003, "02000", "SQL compilation error:\nObject does not exist or not authorized", false, "benchfleet schema apply"},
		{904, "42000", "invalid identifier 'RUNG'", false, "benchfleet schema apply"},
		{3001, "42501", "Insufficient privileges to operate on table", false, "role R lacks a privilege"},
		{606, "57P03", "No active warehouse selected", false, "warehouse=NAME"},
		{1003, "42000", "syntax error", false, ""},
	} {
		t.Run(tc.text, func(t *testing.T) {
			is := is.New(t)
			err := error(&sf.SnowflakeError{Number: tc.number, SQLState: tc.state, Message: tc.text})
			is.Equal(isBadLuck(err), tc.badLuck)
			explained := d.explain(err)
			is.True(errors.Is(explained, err))
			is.True(strings.Contains(explained.Error(), tc.explains))
			is.Equal(tc.explains == "", !strings.Contains(explained.Error(), ";")) // nothing is added in vain
			is.True(!strings.Contains(explained.Error(), "\n"))
		})
	}
	is := is.New(t)
	is.True(!isBadLuck(errors.New("deadlock"))) // not the server's
	is.Equal(d.absent(&sf.SnowflakeError{Number: 2003}), "database bench does not exist, or role R may not use it")
	is.Equal(d.absent(&sf.SnowflakeError{Number: 1003}), "")
}

func TestHasSecret(t *testing.T) {
	for address, want := range map[string]bool{
		"me:hush@acme/db": true, "me@acme/db?password=hush": true, "me@acme?authenticator=OAUTH&token=x": true, "me@acme?privateKey=x": true,
		"snowflake:me:hush@acme": true, "me:hush@acme?colour=red": true,
		"acme/db?user=me&password=hush&colour=red": true, "/DB/S?authenticator=OAUTH&tokEN=x&colour=red": true,
		"/DB/S?authenticator=OAUTH&token_file=/t&colour=red": false,
		"connection:bench": false, "me@acme?private_key_file=/k&authenticator=SNOWFLAKE_JWT": false, "/DB/S?authenticator=OAUTH": false,
	} {
		if HasSecret(address) != want {
			t.Errorf("HasSecret(%q) is %v", address, !want)
		}
	}
}
