//go:build unix

package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestAcceptanceRefusals: each gets one clear message and its exit code, before
// anything has happened.
func TestAcceptanceRefusals(t *testing.T) {
	s := newSite(t)
	db := s.db()
	bad := func(name, text string) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	short, err := os.ReadFile("testdata/short.yaml")
	if err != nil {
		t.Fatal(err)
	}
	one, _, _ := strings.Cut(string(short), "---")
	empty := filepath.Join(t.TempDir(), "no-store")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no store", []string{"--store", "sqlite:" + empty, "run", "short"}, 4, "schema apply"},
		{"corrupt store", []string{"--store", "sqlite:" + bad("corrupt.db", strings.Repeat("this is not a database\n", 300)), "run", "short"}, 4, "not a SQLite database"},
		{"unknown kind of store", []string{"--store", "oracle:x", "run", "short"}, 2, "sqlite:PATH"},
		{"unknown template", []string{"run", "nothing"}, 4, "template list"},
		{"misspelt key", []string{"template", "import", bad("key.yaml", strings.Replace(one, "workers:", "wrokers:", 1))}, 2, "workers"},
		{"weights that do not sum to 100", []string{"template", "import", bad("sum.yaml", strings.Replace(one, "weight: 80", "weight: 70", 1))}, 2, "100"},
		{"0 workers", []string{"run", "short", "--workers", "0"}, 2, "load.workers"},
		{"FIXED without counts", []string{"template", "import", bad("fixed.yaml", strings.Replace(one, "workers: 3, ", "scaling: FIXED, ", 1))}, 2, "FIXED"},
		{"a negative duration", []string{"run", "short", "--duration=-1s"}, 2, "load.duration"},
		{"a duration without a unit", []string{"run", "short", "--duration", "10"}, 2, "load.duration"},
		{"an unknown key in --set", []string{"run", "short", "--set", "load.conections=3"}, 2, "connections"},
		{"more parameters than placeholders", []string{"template", "validate", bad("more.yaml", one[:strings.Index(one, "mix:")]+`mix:
  - {kind: MINE, weight: 100, sql: "SELECT ID FROM {table}", parameters: [{type: key}]}
`)}, 2, "placeholder"},
		{"a missing table", []string{"run", "short", "--set", "table.name=NOT_THERE"}, 4, "benchfleet prepare"},
		{"too few rows", []string{"run", "short", "--set", "table.rows=5000"}, 4, "2000 of the 5000"},
		{"an endpoint that nobody knows", []string{"run", "short", "--set", "target.endpoint=prod"}, 2, "BENCHFLEET_ENDPOINT_PROD"},
		{"an unknown flag", []string{"run", "short", "--wrokers", "3"}, 2, "unknown flag"},
		{"an unknown command", []string{"rnu"}, 2, "run"},
		{"an unknown run", []string{"result", "nothing"}, 2, "nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			if *launcherFlag == "spcs" && (tt.name == "no store" || tt.name == "corrupt store") { // whatever is in that file
				tt.says = "inside Snowflake and cannot reach the store"
			}
			before := s.number(db, "SELECT COUNT(*) FROM RUN_STATUS WHERE STATUS <> 'FAILED'")
			o := s.do(tt.args...)
			t.Log(o)
			is.Equal(o.code, tt.code)
			is.True(strings.Contains(o.stderr+o.stdout, tt.says)) // the message helps
			is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_STATUS WHERE STATUS <> 'FAILED'"), before)
			is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS"), int64(0)) // no control event
			is.Equal(s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS"), int64(0))       // no result row
			is.Equal(len(s.workers("")), 0)                                             // no worker
		})
	}
	_, err = os.Stat(empty)
	is.New(t).True(os.IsNotExist(err)) // a refusal does not create a store
}

func TestAcceptanceStatementWithSyntaxError(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	o := s.do("run", "slow", "--set", "mix[0].sql=SELECT FROM WHERE ?")
	t.Log(o)
	is.Equal(o.code, 4)
	is.True(strings.Contains(o.stderr, "syntax error")) // the target's own message
	run := s.newest(db)
	is.Equal(s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run), "FAILED") // group 2: a FAILED run with its findings
	is.Equal(s.text(db, "SELECT REASON FROM RUN_STATUS WHERE RUN_ID = ?", run), "PREFLIGHT_REFUSED")
	is.True(strings.Contains(s.text(db, "SELECT FINDINGS FROM RUN_STATUS WHERE RUN_ID = ?", run), "syntax error"))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS"), int64(0)) // and nothing else
	is.Equal(s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS"), int64(0))
}

func TestAcceptanceSchemaWithoutAColumn(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	s.damage("ALTER TABLE RUN_STATUS DROP COLUMN REASON_DETAIL", "DROP TABLE TEST_LOGS")
	o := s.do("run", "short")
	is.Equal(o.code, 4)
	is.True(strings.Contains(o.stderr, "REASON_DETAIL") && strings.Contains(o.stderr, "TEST_LOGS")) // each is named
	is.True(strings.Contains(o.stderr, "schema apply"))                                             // and how to mend it
	is.Equal(s.do("schema", "check").code, 4)
	s.must("schema", "apply")
	s.must("schema", "check")
}
