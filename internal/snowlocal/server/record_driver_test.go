package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

func TestRecordedStatements(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	tag := "from the login"
	db := s.open(t, func(c *sf.Config) { c.Application, c.Params = "recorded", map[string]*string{"QUERY_TAG": &tag} })
	exec(t, db, "SELECT 1")
	exec(t, db, "CREATE TABLE t (n NUMBER(38,0), s VARCHAR)")
	exec(t, db, "-- a comment\n /* another */ insert INTO t VALUES (?, ?)", 1, "x")
	ns, err := sf.Array(&[]int64{1, 2, 3})
	is.NoErr(err)
	texts, err := sf.Array(&[]string{"a", "b", "c"})
	is.NoErr(err)
	exec(t, db, "INSERT INTO t VALUES (?, ?)", ns, texts)
	exec(t, db, "ALTER SESSION SET QUERY_TAG = 'from a statement'")
	exec(t, db, "SELECT 2")
	_, err = db.ExecContext(sf.WithQueryTag(within(t), "from the request"), "SELECT * FROM missing")
	is.Equal(number(err), 2003)
	_, err = db.ExecContext(sf.WithMultiStatement(within(t), 2), "SELECT 1; SELECT 2")
	is.NoErr(err)
	long := "SELECT '" + strings.Repeat("x", 100_000) + "'"
	exec(t, db, long)

	all := s.statements(t, 0)
	is.Equal(len(all.Statements), 9)
	is.Equal(all.Dropped, int64(0))
	for i, want := range []struct {
		kind, tag          string
		binds, rows, fails int
	}{
		{"SELECT", "from the login", 0, 0, 0}, {"CREATE", "from the login", 0, 0, 0}, {"INSERT", "from the login", 2, 0, 0},
		{"INSERT", "from the login", 2, 3, 0}, {"ALTER", "from the login", 0, 0, 0}, {"SELECT", "from a statement", 0, 0, 0},
		{"SELECT", "from the request", 0, 0, 2003}, {"MULTI", "from a statement", 0, 0, 0}, {"SELECT", "from a statement", 0, 0, 0},
	} {
		got := all.Statements[i]
		is.Equal(got.Seq, int64(i+1))
		is.Equal(got.Application, "recorded")
		is.Equal(got.Kind, want.kind)
		is.Equal(got.Tag, want.tag)
		is.Equal(got.Binds, want.binds)
		is.Equal(got.BoundRows, want.rows)
		is.Equal(got.Number, want.fails)
		is.True(got.Session > 0)
	}
	is.Equal(all.Statements[0].SQL, "SELECT 1")
	is.True(len(all.Statements[8].SQL) < len(long)) // cut
	total := int64(0)
	for _, c := range all.Counters {
		total += c.Count
		if c.Kind == "INSERT" {
			is.Equal(c.Count, int64(2))
			is.Equal(c.Tag, "from the login")
			is.Equal(c.Application, "recorded")
		}
	}
	is.Equal(total, int64(9))
	is.Equal(len(s.statements(t, 7).Statements), 2)
	if status := s.ask(t, http.MethodDelete, "/snowlocal/statements", "", nil, nil); status/100 != 2 {
		t.Fatal(status)
	}
	all = s.statements(t, 0)
	is.Equal(len(all.Statements), 0)
	is.Equal(len(all.Counters), 0)
	exec(t, db, "SELECT 3")
	is.Equal(s.statements(t, 0).Statements[0].Seq, int64(1))
	is.Equal(s.ask(t, http.MethodGet, "/snowlocal/statements?after=x", "", nil, nil), http.StatusBadRequest)
}
