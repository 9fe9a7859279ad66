package core

import (
	"slices"
	"strings"
)

// The layouts of a benchmark: which tables it has. Without one there is a single
// table with TableColumns.
const (
	// LayoutTPCB is the four tables of TPC-B as pgbench makes them: {table} holds
	// the accounts, and for each 100,000 of them there are one row in
	// {table.branches} and ten in {table.tellers}. {table.history} begins empty.
	LayoutTPCB = "tpcb"
	// LayoutYCSB is the one table of YCSB: a key and ten fields of 100 bytes.
	LayoutYCSB = "ycsb"
)

// Layouts are all layouts that have a name.
func Layouts() []string { return []string{LayoutTPCB, LayoutYCSB} }

const (
	tpcbAccounts = 100_000 // of one branch
	tpcbTellers  = 10      // of one branch
	tpcbFiller   = 84      // bytes, all blanks, as pgbench fills them
	tpcbMost     = 1<<31 - 1
	ycsbFields   = 10
	ycsbField    = 100        // bytes
	ycsbSeed     = 0x79637362 // "ycsb"
)

// Table is one table of a benchmark.
type Table struct {
	// Name, type and rows are this table's own.
	TemplateTable
	// Part is what stands behind the dot in {table.PART}; "" is {table} itself.
	Part string
	// Key is the column of the key, whose values are 0 to Rows-1; "" where there
	// is none.
	Key string
	// Columns are those that prepare fills, in the order of AppendRow.
	Columns []string
	row     func(row []any, id int64) []any
}

// AppendRow appends the values of the row with that id, which are int64 or
// string: a pure function of the id, the same on every platform and in every
// version.
func (t Table) AppendRow(row []any, id int64) []any { return t.row(row, id) }

// Tables are all tables of a benchmark: {table} first.
func (t TemplateTable) Tables() []Table {
	switch t.Layout {
	case LayoutTPCB:
		scale := (t.Rows + tpcbAccounts - 1) / tpcbAccounts
		return []Table{
			t.part("", "AID", t.Rows, []string{"AID", "BID", "ABALANCE", "FILLER"}, func(row []any, id int64) []any {
				return append(row, id, id/tpcbAccounts, int64(0), strings.Repeat(" ", tpcbFiller))
			}),
			t.part("branches", "BID", scale, []string{"BID", "BBALANCE"}, func(row []any, id int64) []any {
				return append(row, id, int64(0))
			}),
			t.part("tellers", "TID", scale*tpcbTellers, []string{"TID", "BID", "TBALANCE"}, func(row []any, id int64) []any {
				return append(row, id, id/tpcbTellers, int64(0))
			}),
			t.part("history", "", 0, nil, nil),
		}
	case LayoutYCSB:
		columns := []string{"YCSB_KEY"}
		for i := range ycsbFields {
			columns = append(columns, "FIELD"+string(rune('0'+i)))
		}
		return []Table{t.part("", columns[0], t.Rows, columns, ycsbRow)}
	default:
		return []Table{t.part("", "ID", t.Rows, strings.Split(TableColumns, ", "), func(row []any, id int64) []any {
			r := TableRow(id)
			return append(row, r.ID, r.CustomerID, r.Balance, r.Status, r.Payload)
		})}
	}
}

func ycsbRow(row []any, id int64) []any {
	r := NewRand(ycsbSeed, uint64(id), 0)
	var fields [ycsbFields * ycsbField]byte
	fillPrintable(fields[:], &r)
	text := string(fields[:])
	row = append(row, id)
	for i := range ycsbFields {
		row = append(row, text[i*ycsbField:(i+1)*ycsbField])
	}
	return row
}

func (t TemplateTable) part(part, key string, rows int64, columns []string, row func([]any, int64) []any) Table {
	return Table{
		TemplateTable: TemplateTable{Name: t.PartName(part), Type: t.Type, Rows: rows, Layout: t.Layout},
		Part:          part, Key: key, Columns: columns, row: row,
	}
}

// PartName is the name of the table that {table.PART} stands for: that of the
// benchmark table, an underscore and the part in capital letters.
func (t TemplateTable) PartName(part string) string {
	if part == "" {
		return t.Name
	}
	return t.Name + "_" + strings.ToUpper(part)
}

// Part is the table that {table.PART} stands for.
func (t TemplateTable) Part(part string) (Table, bool) {
	tables := t.Tables()
	at := slices.IndexFunc(tables, func(of Table) bool { return of.Part == part })
	if at < 0 {
		return Table{}, false
	}
	return tables[at], true
}

// parts are the names of all tables but {table} for which keep holds.
func (t TemplateTable) parts(keep func(Table) bool) []string {
	var parts []string
	for _, table := range t.Tables()[1:] {
		if keep(table) {
			parts = append(parts, table.Part)
		}
	}
	return parts
}
