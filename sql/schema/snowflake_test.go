package schema_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/sql/schema"
)

// enforced are the tables whose keys must be enforced: everything that several
// processes write at once.
var enforced = []string{
	"RUN_STATUS", "INSERT_RANGES", "RUN_CONTROL_EVENTS", "WORKER_HEARTBEATS", "METRICS_SNAPSHOTS", "TEST_TEMPLATES",
}

func TestControlTablesAreHybrid(t *testing.T) {
	is := is.New(t)
	statements, err := schema.Statements("snowflake", schema.Store)
	is.NoErr(err)
	var hybrid []string
	for _, statement := range statements {
		if !strings.HasPrefix(statement, "CREATE HYBRID TABLE") {
			continue
		}
		table, err := schema.Parse(statement)
		is.NoErr(err)
		hybrid = append(hybrid, table.Name)
		for _, column := range table.Columns {
			if strings.Contains(column.Definition, "VARIANT") && column.Name != "WORKER_TARGETS" {
				t.Errorf("%s.%s is a VARIANT: a hybrid table keeps text that only we read back", table.Name, column.Name)
			}
		}
		for _, indexed := range regexp.MustCompile(`(?:KEY|UNIQUE|INDEX \w+) \((.*)\)`).FindAllStringSubmatch(statement, -1) {
			for name := range strings.SplitSeq(indexed[1], ", ") {
				at := slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Name == name })
				is.True(at >= 0) // the indexed column is there
				if strings.HasPrefix(table.Columns[at].Definition, "VARCHAR ") {
					t.Errorf("%s.%s is in an index without a length", table.Name, name)
				}
			}
		}
	}
	slices.Sort(hybrid)
	is.Equal(hybrid, slices.Sorted(slices.Values(enforced)))
}

// TestSnowflakeHasEveryColumn compares the dialects: what the store uses is in
// both.
func TestSnowflakeHasEveryColumn(t *testing.T) {
	is := is.New(t)
	sqlite, err := schema.Tables("sqlite")
	is.NoErr(err)
	snowflake, err := schema.Tables("snowflake")
	is.NoErr(err)
	is.Equal(len(snowflake), len(sqlite))
	for i, table := range sqlite {
		is.Equal(snowflake[i].Name, table.Name)
		for _, column := range table.Columns {
			if !snowflake[i].Has(column.Name) {
				t.Errorf("Snowflake's %s has no column %s", table.Name, column.Name)
			}
		}
	}
}

func TestSnowflakeTypes(t *testing.T) {
	is := is.New(t)
	tables, err := schema.Tables("snowflake")
	is.NoErr(err)
	for _, table := range tables {
		for _, column := range table.Columns {
			kind, _, _ := strings.Cut(column.Definition, " ")
			if name, _, _ := strings.Cut(kind, "("); !slices.Contains([]string{"VARCHAR", "NUMBER", "FLOAT", "TIMESTAMP_NTZ", "VARIANT"}, name) {
				t.Errorf("%s.%s is %s, which the dialect has no cast for", table.Name, column.Name, kind)
			}
		}
	}
}

// TestChangesAreInTheTables holds what is run by hand to what is created.
func TestChangesAreInTheTables(t *testing.T) {
	is := is.New(t)
	changes, err := schema.Statements("snowflake", schema.StoreChanges)
	is.NoErr(err)
	is.True(len(changes) > 0)
	tables, err := schema.Tables("snowflake")
	is.NoErr(err)
	for _, change := range changes {
		found := regexp.MustCompile(`^ALTER TABLE (\S+) ADD COLUMN IF NOT EXISTS (\w+) (.*)$`).FindStringSubmatch(change)
		is.True(found != nil) // the only form of a change
		at := slices.IndexFunc(tables, func(t schema.Table) bool { return t.Path == found[1] })
		is.True(at >= 0)
		is.True(slices.Contains(tables[at].Columns, schema.Column{Name: found[2], Definition: found[3]}))
		is.True(!strings.Contains(found[3], "DEFAULT") && !strings.Contains(found[3], "NOT NULL"))
	}
}

func TestGrantsNameEveryTable(t *testing.T) {
	is := is.New(t)
	grants, err := schema.Statements("snowflake", schema.Grants)
	is.NoErr(err)
	tables, err := schema.Tables("snowflake")
	is.NoErr(err)
	for _, role := range []string{"{orchestrator}", "{viewer}"} {
		for _, table := range tables {
			if !slices.ContainsFunc(grants, func(s string) bool {
				return strings.HasPrefix(s, "GRANT SELECT") && strings.Contains(s, " ON TABLE "+table.Path+" TO ROLE "+role)
			}) {
				t.Errorf("%s may not read %s", role, table.Path)
			}
		}
	}
	for _, grant := range grants {
		if strings.HasPrefix(grant, "CREATE ROLE IF NOT EXISTS ") {
			continue
		}
		rights := regexp.MustCompile(`^GRANT ([A-Z, ]+) ON (TABLE|SCHEMA|DATABASE|WAREHOUSE) \S+ TO ROLE \{(orchestrator|worker|viewer)\}$`).FindStringSubmatch(grant)
		is.True(rights != nil) // no grant of another form
		for right := range strings.SplitSeq(rights[1], ", ") {
			is.True(slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "USAGE", "MONITOR", "OPERATE"}, right))
			if rights[3] == "viewer" {
				is.True(right == "SELECT" || right == "USAGE")
			}
		}
	}
}

func TestExamplesExecuteNothing(t *testing.T) {
	is := is.New(t)
	text, err := os.ReadFile("snowflake/services.sql")
	is.NoErr(err)
	for line := range strings.Lines(string(text)) {
		is.True(strings.HasPrefix(line, "--")) // every line is a comment
	}
}

func TestSnowflakeScript(t *testing.T) {
	is := is.New(t)
	script, err := schema.Script("snowflake")
	is.NoErr(err)
	filled, err := schema.Names{Database: "bench", Results: `"Test Results"`}.Fill(script)
	is.NoErr(err)
	for _, want := range []string{
		`CREATE DATABASE IF NOT EXISTS "BENCH";`, `CREATE HYBRID TABLE IF NOT EXISTS "BENCH"."Test Results".RUN_STATUS (`,
		`ALTER TABLE "BENCH"."Test Results".RUN_STATUS ADD COLUMN IF NOT EXISTS COMMIT_ID`, `TO ROLE "BENCHFLEET_WORKER";`, "CREATE SERVICE",
	} {
		is.True(strings.Contains(filled, want))
	}
	is.True(strings.Index(filled, "\nCREATE SCHEMA") < strings.Index(filled, "\nCREATE HYBRID TABLE"))
	names, err := filepath.Glob("snowflake/store/*.sql")
	is.NoErr(err)
	is.Equal(len(names), len(fixed)+2)
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"bench": `"BENCH"`, "_a$1": `"_A$1"`, `"my db"`: `"my db"`, `"a""b"`: `"a""b"`,
		"": "", "1a": "", "a b": "", "a.b": "", `"`: "", `""`: "", `"a"b"`: "", `a"`: "", "a;--": "", "\"a\nb\"": "", strings.Repeat("x", 256): "",
	} {
		quoted, err := schema.Quote(name)
		if (err == nil) != (want != "") || quoted != want {
			t.Errorf("Quote(%q) is %s (%v), want %s", name, quoted, err, want)
		}
	}
	is := is.New(t)
	is.Equal(schema.Bare(`"a""b"`), `a"b`)
	_, err := schema.Names{Config: "a b"}.Fill("x")
	is.True(err != nil && strings.HasPrefix(err.Error(), `config is "a b"`))
	_, err = schema.Names{}.Fill("{other}")
	is.True(err != nil)
}

func TestSnowflakeUpgrade(t *testing.T) {
	is := is.New(t)
	tables, err := schema.Tables("snowflake")
	is.NoErr(err)
	all, err := schema.Statements("snowflake", schema.Store)
	is.NoErr(err)
	same, err := schema.Upgrade("snowflake", tables)
	is.NoErr(err)
	is.Equal(same, all)
	old := slices.Clone(tables)
	old[0].Columns = slices.DeleteFunc(slices.Clone(tables[0].Columns), func(c schema.Column) bool {
		return c.Name == "COMMIT_ID" || c.Name == "RUNG"
	})
	got, err := schema.Upgrade("snowflake", old)
	is.NoErr(err)
	is.Equal(got[len(all):], []string{
		"ALTER TABLE {database}.{results}.RUN_STATUS ADD COLUMN RUNG VARCHAR(32) NOT NULL DEFAULT 'NOT_STOPPING'",
		"ALTER TABLE {database}.{results}.RUN_STATUS ADD COLUMN COMMIT_ID VARCHAR(64)",
	})
}
