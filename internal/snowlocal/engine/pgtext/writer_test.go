package pgtext_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

func against() *pgtext.Context {
	return &pgtext.Context{
		Database: "D", Schema: "S", Unbound: true,
		Bind:      func(int) *string { return nil },
		Variable:  func(string) (sqltext.Expr, bool) { return nil, false },
		Value:     func(string, []string) (*string, bool, bool) { return nil, false, false },
		Temporary: func(string) bool { return false },
		Source:    func(*sqltext.Call) (*pgtext.Source, error) { return nil, errors.New("none") },
	}
}

func write(n sqltext.Node) (*pgtext.Text, error) {
	switch n := n.(type) {
	case *sqltext.Query:
		return pgtext.Query(against(), n)
	case *sqltext.Insert:
		return pgtext.Insert(against(), n)
	case *sqltext.Update:
		return pgtext.Update(against(), n)
	case *sqltext.Delete:
		return pgtext.Delete(against(), n)
	case *sqltext.Merge:
		return pgtext.Merge(against(), n)
	}
	return nil, errors.New("not written")
}

func TestWrite(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"select a, t.b as x from t where id = ?", `SELECT "A" AS "A", "T"."B" AS "X" FROM "D.S"."T" WHERE ("ID" = $1)`},
		{"select v:a.b[0]::string from x.y.z", `SELECT sf.to_text(("V" -> 'a' -> 'b' -> (0)::int))::text AS "V:A.B[0]::STRING" FROM "X.Y"."Z"`},
		{"with c as (select 1) select * from c", `WITH "C" AS (SELECT 1 AS "1") SELECT * FROM "C"`},
		{"select * from c for update wait 3", `SELECT * FROM "D.S"."C" FOR UPDATE`},
		{"insert into t (a) values (?), (default)", `INSERT INTO "D.S"."T" ("A") VALUES ($1), (DEFAULT)`},
		{"update t set t.a = 1 from u where t.id = u.id", `UPDATE "D.S"."T" SET "A" = 1 FROM "D.S"."U" WHERE ("T"."ID" = "U"."ID")`},
		{"select '\\'; drop table x; --' || $$'$$", `SELECT (sf.to_text('''; drop table x; --'::text) || sf.to_text(''''::text)) AS "'\'; DROP TABLE X; --' || $$'$$"`},
		{`select "a""b" from "T;"`, `SELECT "a""b" AS "a""b" FROM "D.S"."T;"`},
	} {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			statements, err := sqltext.Parse(c.text)
			is.NoErr(err)
			got, err := write(statements[0].Node)
			is.NoErr(err)
			is.Equal(got.SQL, c.want)
		})
	}
}

// FuzzWrite never panics: what the parser takes is written, or refused by number.
func FuzzWrite(f *testing.F) {
	for _, text := range []string{
		"select a, count(*) from t x join u using (k) where v:a[?]::string like any ('a', ?) group by all qualify row_number() over (order by a) = 1 limit ?",
		"merge into t using (select column1 as a from values (?), (1)) s on t.a = s.a when matched then update set b = s.b when not matched then insert (a) values (s.a)",
		"insert into t select parse_json(?), dateadd('day', 1, ?), iff(a, b, c), listagg(x, ',') within group (order by y)", "delete from t using u where a in (select 1)",
		"update t set a = decode(?, 1, 2), b = greatest(1, ?), c = {'k': [1, :2]}", "select * from table(flatten(input => parse_json('[1]'))), table(generator(rowcount => 3))",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		is := is.New(t)
		statements, err := sqltext.Parse(text)
		if err != nil {
			return
		}
		for _, s := range statements {
			out, err := write(s.Node)
			is.True((out == nil) == (err != nil))
		}
	})
}
