package postgres

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// COPY gets the rows of core.TableRow, however little it reads at a time.
func TestCopyRows(t *testing.T) {
	is := is.New(t)
	var want strings.Builder
	for _, id := range []int64{5, 7, 8} {
		r := core.TableRow(id)
		fmt.Fprintf(&want, "%d\t%d\t%d\t%s\t%s\n", r.ID, r.CustomerID, r.Balance, r.Status, r.Payload)
	}
	rows := func() io.Reader {
		return &copyRows{table: benchTable.Tables()[0], next: 5, to: 9, skip: func(id int64) bool { return id == 6 }}
	}
	for _, r := range []io.Reader{rows(), iotest.OneByteReader(rows()), iotest.HalfReader(rows())} {
		got, err := io.ReadAll(r)
		is.NoErr(err)
		is.Equal(string(got), want.String())
	}
	is.True(bytes.IndexByte([]byte(want.String()), '\\') < 0)
}

// A table of the user's own making is loaded too, whatever integers and texts it
// is made of; what is there is kept.
func TestLoadIntoAnotherTable(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	server.SQL(t, name, `CREATE TABLE "BENCH_ROWS" (payload text, status char(10), id int, balance numeric, customer_id int, more int DEFAULT 7)`,
		`INSERT INTO "BENCH_ROWS" (id, balance) VALUES (3, -1), (3, -1), (500, -1)`)
	target := open(t, dsn, Options{})
	is.NoErr(target.Load(t.Context(), benchTable, nil))
	is.NoErr(target.Load(t.Context(), benchTable, nil))
	row := core.TableRow(42)
	is.Equal(server.SQL(t, name, `SELECT count(*), count(*) FILTER (WHERE balance = -1), sum(more) FROM "BENCH_ROWS"`), "102|3|714")
	is.Equal(server.SQL(t, name, `SELECT customer_id, balance, trim(status), payload FROM "BENCH_ROWS" WHERE id = 42`),
		fmt.Sprintf("%d|%d|%s|%s", row.CustomerID, row.Balance, row.Status, row.Payload))
	is.Equal(server.SQL(t, name, `SELECT reltuples FROM pg_class WHERE relname = 'BENCH_ROWS'`), "102")
	wait(t, "both loads have vacuumed and analyzed", func() bool {
		return server.SQL(t, name, `SELECT vacuum_count, analyze_count FROM pg_stat_user_tables WHERE relname = 'BENCH_ROWS'`) == "2|2"
	})
}

// Somebody else's name is not dropped or taken.
func TestNameIsTaken(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	server.SQL(t, name, `CREATE VIEW "BENCH_ROWS" AS SELECT 1 AS id`)
	target := open(t, dsn, Options{})
	is.Equal(core.CodeOf(target.Create(t.Context(), benchTable)), core.Conflict)
	is.Equal(core.CodeOf(target.Drop(t.Context(), benchTable)), core.Invalid)
	is.True(described(t, target, benchTable).Table.Exists)
}

func TestLoadWithoutRights(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	is.NoErr(open(t, dsn, Options{}).Create(t.Context(), benchTable))
	server.User(t, "loader_"+name)
	server.SQL(t, name, `GRANT SELECT ON "BENCH_ROWS" TO loader_`+name)
	limited := open(t, server.DSN("loader_"+name, name), Options{})
	is.Equal(core.CodeOf(limited.Load(t.Context(), benchTable, nil)), core.Denied)
	is.Equal(core.CodeOf(limited.Drop(t.Context(), benchTable)), core.Denied)
	is.Equal(core.CodeOf(limited.Create(t.Context(), core.TemplateTable{Name: "other", Rows: 1})), core.Denied)
}
