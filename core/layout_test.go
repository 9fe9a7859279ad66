package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// The scale rules of pgbench: 100,000 accounts and 10 tellers for each branch.
func TestLayoutTPCB(t *testing.T) {
	for _, c := range []struct{ rows, branches int64 }{{1, 1}, {99_999, 1}, {100_000, 1}, {100_001, 2}, {1_000_000, 10}, {1<<31 - 1, 21475}} {
		is := is.New(t)
		tables := core.TemplateTable{Name: "db.B", Type: "HYBRID", Rows: c.rows, Layout: core.LayoutTPCB}.Tables()
		var names []string
		for _, table := range tables {
			names = append(names, table.Name)
			is.Equal(table.Type, "HYBRID")
		}
		is.Equal(names, []string{"db.B", "db.B_BRANCHES", "db.B_TELLERS", "db.B_HISTORY"})
		accounts, branches, tellers, history := tables[0], tables[1], tables[2], tables[3]
		is.Equal(accounts.Rows, c.rows)
		is.Equal(branches.Rows, c.branches)
		is.Equal(tellers.Rows, 10*c.branches)
		is.Equal(history.Rows, int64(0))
		last := accounts.AppendRow(nil, c.rows-1)
		is.Equal(last, []any{c.rows - 1, c.branches - 1, int64(0), strings.Repeat(" ", 84)})
		is.Equal(tellers.AppendRow(nil, tellers.Rows-1), []any{tellers.Rows - 1, c.branches - 1, int64(0)}) // of the last branch
		is.Equal(branches.AppendRow(nil, 0), []any{int64(0), int64(0)})
	}
}

// Each row has a value for each column, and is the same at each call.
func TestLayoutRows(t *testing.T) {
	for _, layout := range append(core.Layouts(), "") {
		for _, table := range (core.TemplateTable{Name: "T", Rows: 1000, Layout: layout}).Tables() {
			if table.Rows == 0 {
				continue
			}
			is := is.New(t)
			row := table.AppendRow(nil, 7)
			is.Equal(len(row), len(table.Columns))
			is.Equal(row[0], int64(7)) // the key comes first
			is.Equal(table.Columns[0], table.Key)
			is.Equal(table.AppendRow(nil, 7), row)
		}
	}
	is := is.New(t)
	ycsb, found := core.TemplateTable{Name: "T", Rows: 10, Layout: core.LayoutYCSB}.Part("")
	is.True(found)
	seen := map[any]bool{}
	for id := range int64(10) {
		for _, field := range ycsb.AppendRow(nil, id)[1:] {
			is.Equal(len(field.(string)), 100)
			is.True(!seen[field])
			seen[field] = true
		}
	}
}

func TestLayoutRefusals(t *testing.T) {
	tpcb := func(change func(*core.Template)) core.Template {
		template := core.Template{
			Name: "t", Target: core.TemplateTarget{Kind: "sqlite"}, Load: core.TemplateLoad{Workers: 1, Connections: 1},
			Table: core.TemplateTable{Name: "T", Rows: 10, Layout: core.LayoutTPCB},
			Mix:   []core.TemplateOp{{Kind: "X", Weight: 100, SQL: "SELECT ? FROM {table.tellers}", Parameters: []core.Parameter{{Type: core.ParamKey, Table: "tellers"}}}},
		}
		change(&template)
		return template
	}
	is.New(t).NoErr(tpcb(func(*core.Template) {}).Validate())
	for want, change := range map[string]func(*core.Template){
		`table.layout is "tpcc"; allowed: tpcb, ycsb; did you mean tpcb?`: func(t *core.Template) {
			t.Table.Layout, t.Mix[0].SQL, t.Mix[0].Parameters[0].Table = "tpcc", "SELECT ?", ""
		},
		`table.type is INTERACTIVE, which the layout tpcb has not`: func(t *core.Template) { t.Table.Type = "INTERACTIVE" },
		`table.rows is 2147483648; allowed: 1 to 2147483647`:       func(t *core.Template) { t.Table.Rows = 1 << 31 },
		`mix[0].sql names {table.teller}; the parts of the layout are: branches, tellers, history; did you mean tellers?`: func(t *core.Template) {
			t.Mix[0].SQL = "SELECT ? FROM {table.teller}"
		},
		`parameters[0].table is "history"; allowed are the parts of the layout that have keys: branches, tellers`: func(t *core.Template) {
			t.Mix[0].Parameters[0].Table = "history"
		},
		`mix[0].sql names {table.tellers}; the parts of the layout are: none`: func(t *core.Template) { t.Table.Layout, t.Mix[0].Parameters[0].Table = "", "" },
		`mix[0] has neither sql nor statements, and POINT_LOOKUP has no SQL of its own with the layout tpcb`: func(t *core.Template) {
			t.Mix[0] = core.TemplateOp{Kind: core.PointLookup, Weight: 100}
		},
		`is wrong: SQL, line 1, column 15: {table. is not closed`: func(t *core.Template) { t.Mix[0].SQL = "SELECT ? FROM {table.}" },
		`is wrong: SQL, line 1, column 15: {table} inside quotes`: func(t *core.Template) { t.Mix[0].SQL = "SELECT ? FROM '{table.tellers}'" },
		`parameters[0].table has no effect on the type bool`:      func(t *core.Template) { t.Mix[0].Parameters[0].Type = core.ParamBool },
	} {
		t.Run(want, func(t *testing.T) {
			is := is.New(t)
			err := tpcb(change).Validate()
			is.True(err != nil)
			if !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
		})
	}
}

func TestReplaceTables(t *testing.T) {
	is := is.New(t)
	got := core.ReplaceTables("INSERT INTO {table.history} SELECT * FROM {table} -- {table.tellers}\n WHERE A = '{table}'", func(part string) string { return "<" + part + ">" })
	is.Equal(got, "INSERT INTO <history> SELECT * FROM <> -- {table.tellers}\n WHERE A = '{table}'")
}

func TestFillTables(t *testing.T) {
	is := is.New(t)
	table := core.TemplateTable{Name: "T", Layout: core.LayoutTPCB, Rows: 1}
	quoted := func(t core.TemplateTable) (string, error) { return "<" + t.Name + ">", nil }
	got, err := core.FillTables("SELECT * FROM {table} JOIN {table.tellers}", table, quoted)
	is.NoErr(err)
	is.Equal(got, "SELECT * FROM <"+table.PartName("")+"> JOIN <"+table.PartName("tellers")+">")
	n := 0
	_, err = core.FillTables("{table}{table.tellers}", table, func(core.TemplateTable) (string, error) {
		n++
		return "", fmt.Errorf("%w: name %d", core.ErrInvalid, n)
	})
	is.Equal(err.Error(), "invalid: name 1") // the first
}
