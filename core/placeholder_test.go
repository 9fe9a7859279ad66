package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func dollarStyle(n int) string { return fmt.Sprintf("$%d", n) }

func ExampleRebind() {
	sql, _ := core.Rebind("SELECT '?' FROM {table} WHERE ID = ? -- why?", func(n int) string { return fmt.Sprintf("$%d", n) })
	fmt.Println(core.ReplaceTables(sql, func(string) string { return `"BENCH"` }))
	// Output: SELECT '?' FROM "BENCH" WHERE ID = $1 -- why?
}

func TestPlaceholders(t *testing.T) {
	for _, c := range []struct {
		sql   string
		count int
		bound string // by $1; "" for unchanged
		table string // by T; "" for unchanged
	}{
		{sql: ""},
		{sql: "SELECT 1"},
		{sql: "?", count: 1, bound: "$1"},
		{sql: "SELECT ?,?,?", count: 3, bound: "SELECT $1,$2,$3"},
		{sql: "a=?AND b=?", count: 2, bound: "a=$1 AND b=$2"},
		{sql: "LIMIT?OFFSET?", count: 2, bound: "LIMIT $1 OFFSET $2"},
		{sql: "?[1]", count: 1, bound: "$1[1]"},
		{sql: "SELECT '?'"},
		{sql: "SELECT 'it''s ?', ?", count: 1, bound: "SELECT 'it''s ?', $1"},
		{sql: "SELECT '''?'"},
		{sql: "SELECT '' , ?, ''", count: 1, bound: "SELECT '' , $1, ''"},
		{sql: `SELECT "a""?" FROM t WHERE x = ?`, count: 1, bound: `SELECT "a""?" FROM t WHERE x = $1`},
		{sql: "SELECT `a``?` , ?", count: 1, bound: "SELECT `a``?` , $1"},
		{sql: "SELECT [a b], ? FROM [x y]", count: 1, bound: "SELECT [a b], $1 FROM [x y]"},
		{sql: "SELECT [it--s], ?", count: 1, bound: "SELECT [it--s], $1"},
		{sql: "SELECT a[?], ARRAY[?, ?], f(x)[?], b[1][?]", count: 5, bound: "SELECT a[$1], ARRAY[$2, $3], f(x)[$4], b[1][$5]"},
		{sql: "-- ? \nSELECT ?", count: 1, bound: "-- ? \nSELECT $1"},
		{sql: "SELECT ? -- ?", count: 1, bound: "SELECT $1 -- ?"},
		{sql: "SELECT /* ? ' */ ? /**/", count: 1, bound: "SELECT /* ? ' */ $1 /**/"},
		{sql: "SELECT 1 - - ?", count: 1, bound: "SELECT 1 - - $1"},
		{sql: "SELECT 4/?*2", count: 1, bound: "SELECT 4/$1*2"},
		{sql: "SELECT $$ ? $ ' $$, ?", count: 1, bound: "SELECT $$ ? $ ' $$, $1"},
		{sql: "SELECT $a$ ? $$ ? $b$ $a$, ?", count: 1, bound: "SELECT $a$ ? $$ ? $b$ $a$, $1"},
		{sql: "SELECT a$b$c, ?", count: 1, bound: "SELECT a$b$c, $1"},
		{sql: "SELECT $ , ?", count: 1, bound: "SELECT $ , $1"},
		{sql: `SELECT 'a\', ?`, count: -1},
		{sql: `SELECT 'a\\', ?`, count: 1, bound: `SELECT 'a\\', $1`},
		{sql: `SELECT 'a\n', ?`, count: 1, bound: `SELECT 'a\n', $1`},
		{sql: `SELECT "a\", ?`, count: 1, bound: `SELECT "a\", $1`},
		{sql: "SELECT 'ä?', ? -- ü", count: 1, bound: "SELECT 'ä?', $1 -- ü"},
		{sql: "SELECT * FROM {table} WHERE a = ?", count: 1, bound: "SELECT * FROM {table} WHERE a = $1", table: "SELECT * FROM T WHERE a = ?"},
		{sql: "{table}{table}", table: "TT"},
		{sql: "SELECT '{table}', [{ x }] -- {table}", count: -1},
		{sql: "SELECT '{table}' FROM {table} -- {table}", table: "SELECT '{table}' FROM T -- {table}"},
		{sql: "SELECT {'a': ?}, {*}, { }", count: 1, bound: "SELECT {'a': $1}, {*}, { }"},
		{sql: "SELECT 1; ", count: 0},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			count, err := core.CountPlaceholders(c.sql)
			bound, bindErr := core.Rebind(c.sql, dollarStyle)
			if c.count < 0 {
				is.True(errors.Is(err, core.ErrInvalid))
				is.True(errors.Is(bindErr, core.ErrInvalid))
				return
			}
			is.NoErr(err)
			is.NoErr(bindErr)
			is.Equal(count, c.count)
			if c.bound == "" {
				c.bound = c.sql
			}
			is.Equal(bound, c.bound)
			if c.table == "" {
				c.table = c.sql
			}
			is.Equal(core.ReplaceTables(c.sql, func(string) string { return "T" }), c.table)
		})
	}
}

func TestPlaceholderRefusals(t *testing.T) {
	for _, c := range []struct{ sql, message string }{
		{"SELECT 'a", "invalid: SQL, line 1, column 8: the quote ' is not closed"},
		{"SELECT\n  \"a", `invalid: SQL, line 2, column 3: the quote " is not closed`},
		{"SELECT 'ü', `a", "invalid: SQL, line 1, column 13: the quote ` is not closed"},
		{"SELECT [a", "invalid: SQL, line 1, column 8: the quote [ is not closed"},
		{"SELECT [a?]", "invalid: SQL, line 1, column 10: ? between [ and ]: it is not clear whether that is a quoted identifier or an array; write an array without a space before its ["},
		{"SELECT /* a", "invalid: SQL, line 1, column 8: the comment /* is not closed"},
		{"/*/", "invalid: SQL, line 1, column 1: the comment /* is not closed"},
		{"/* a /* b */ c */", "invalid: SQL, line 1, column 6: /* inside a comment: databases disagree on where it ends"},
		{"SELECT $$ a $", "invalid: SQL, line 1, column 8: the quote $$ is not closed"},
		{"SELECT $x$ a $$", "invalid: SQL, line 1, column 8: the quote $x$ is not closed"},
		{"SELECT ?1", "invalid: SQL, line 1, column 8: ?1: placeholders have no numbers, write ? for each"},
		{"SELECT {tabel}", "invalid: SQL, line 1, column 8: {tabel} is not known; only {table} is"},
		{"SELECT {TABLE}", "invalid: SQL, line 1, column 8: {TABLE} is not known; only {table} is"},
		{`SELECT 'it\'s'`, `invalid: SQL, line 1, column 11: \' inside a string: databases disagree on whether it ends there; write '' or bind a parameter`},
		{"SELECT \x00", "invalid: SQL, line 1, column 8: a zero byte"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			_, err := core.CountPlaceholders(c.sql)
			is.True(errors.Is(err, core.ErrInvalid))
			is.Equal(err.Error(), c.message)
			is.Equal(core.CheckStatement(c.sql).Error(), c.message)
			is.Equal(core.ReplaceTables(c.sql+"{table}", func(string) string { return "T" })[:6], (c.sql + "{table}")[:6]) // no panic, beginning kept
		})
	}
	t.Run("a foreign placeholder collides", func(t *testing.T) {
		is := is.New(t)
		n, err := core.CountPlaceholders("SELECT $1, ?")
		is.NoErr(err)
		is.Equal(n, 1)
		_, err = core.Rebind("SELECT $1, ?", dollarStyle)
		is.Equal(err.Error(), "invalid: SQL, line 1, column 8: $1 is not a placeholder here; write ?")
	})
}

// TestPlaceholdersAgainstPieces puts statements together from pieces whose
// placeholders are known, in every order of three.
func TestPlaceholdersAgainstPieces(t *testing.T) {
	is := is.New(t)
	pieces := []struct {
		sql   string
		count int
	}{
		{"?", 1}, {"'?'", 0}, {"''", 0}, {"'a''?'", 0}, {`"?"`, 0}, {"`?`", 0}, {"[x]", 0}, {"/*?*/", 0}, {"--?\n", 0},
		{"$$?$$", 0}, {"$t$?$t$", 0}, {"{table}", 0}, {"f(?,?)", 2}, {"a.b", 0}, {"12.5e3", 0}, {"-", 0}, {"ü", 0}, {"a[?]", 1},
	}
	for _, a := range pieces {
		for _, b := range pieces {
			for _, c := range pieces {
				sql := a.sql + " " + b.sql + " " + c.sql
				n, err := core.CountPlaceholders(sql)
				if err != nil || n != a.count+b.count+c.count {
					t.Fatalf("%q: %d placeholders, %v; want %d", sql, n, err, a.count+b.count+c.count)
				}
				tables := strings.Count(sql, "{table}")
				is.Equal(strings.Count(core.ReplaceTables(sql, func(string) string { return "«T»" }), "«T»"), tables)
			}
		}
	}
}

func FuzzPlaceholders(f *testing.F) {
	for _, seed := range []string{
		"SELECT * FROM {table} WHERE ID = ?", "SELECT 'it''s' -- ?\n, ?", "/* ? */ WITH x AS (DELETE FROM a RETURNING b) SELECT ?",
		"$$ ? $$ $a$ ? $a$", "[a] a[?] ARRAY[?]", "`x` \"y\" ; ", "{table} {'a': 1} {*}", `'\\' '\n' ?`, "(((SELECT 1)))", "INSERT INTO t VALUES (?) RETURNING x;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		n, err := core.CountPlaceholders(sql)
		_, bindErr := core.Rebind(sql, dollarStyle)
		if err != nil {
			if !errors.Is(err, core.ErrInvalid) || bindErr == nil || core.CheckStatement(sql) == nil {
				t.Fatalf("%q: %v, %v", sql, err, bindErr)
			}
			_ = core.ReplaceTables(sql, func(string) string { return "T" })
			return
		}
		if core.ReplaceTables(sql, func(string) string { return "{table}" }) != sql {
			t.Fatalf("%q: {table} by itself is %q", sql, core.ReplaceTables(sql, func(string) string { return "{table}" }))
		}
		_, _, _ = core.IsQuery(sql), core.StatementAccess(sql), core.FirstKeyword(sql)
		if bindErr != nil {
			return // it holds a $1
		}
		same, _ := core.Rebind(sql, func(int) string { return "?" })
		if strings.ReplaceAll(same, " ", "") != strings.ReplaceAll(sql, " ", "") {
			t.Fatalf("%q: ? by itself is %q", sql, same)
		}
		calls := 0
		bound, _ := core.Rebind(sql, func(n int) string { calls++; return dollarStyle(n) })
		if calls != n {
			t.Fatalf("%q: %d placeholders counted, %d bound", sql, n, calls)
		}
		// What was bound holds no placeholder any more: it is cut into the same pieces.
		if left, err := core.CountPlaceholders(bound); err != nil || left != 0 {
			t.Fatalf("%q: bound as %q it has %d placeholders, %v", sql, bound, left, err)
		}
	})
}
