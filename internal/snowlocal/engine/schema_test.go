package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

var comments = regexp.MustCompile(`(?m)^\s*--.*$`)

// statements reads the statements of this project's DDL.
func statements(t *testing.T, pattern string, names map[string]string) []string {
	t.Helper()
	files, err := filepath.Glob("../../../sql/schema/snowflake/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(pattern, err)
	}
	var list []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sql := string(text)
		for name, value := range names {
			sql = strings.ReplaceAll(sql, "{"+name+"}", value)
		}
		for s := range strings.SplitSeq(sql, ";\n") {
			if strings.TrimSpace(comments.ReplaceAllString(s, "")) != "" {
				list = append(list, s)
			}
		}
	}
	return list
}

// TestOurSchema executes the DDL of the store, twice, and that of the targets.
func TestOurSchema(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	names := map[string]string{"database": `"UNISTORE_BENCHMARK"`, "config": `"CONFIG"`, "results": `"TEST_RESULTS"`}
	for range 2 {
		for _, sql := range statements(t, "store/*.sql", names) {
			run(t, s, sql)
		}
	}
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM unistore_benchmark.information_schema.tables WHERE is_hybrid = 'YES' AND table_name = 'RUN_STATUS'")), "1")
	run(t, s, "USE SCHEMA db.public")
	for _, file := range []string{"create", "create_hybrid", "create_interactive"} {
		for _, sql := range statements(t, "target/"+file+".sql", map[string]string{"table": `"T_` + file + `"`}) {
			run(t, s, sql)
		}
	}
	for _, sql := range statements(t, "target/drop.sql", map[string]string{"table": `"T_create"`}) {
		run(t, s, sql)
	}
}
