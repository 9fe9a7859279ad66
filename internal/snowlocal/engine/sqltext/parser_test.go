package sqltext_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// FuzzParse never panics, and gives a known error or statements whose texts can
// be read again, to as many statements with as many placeholders.
func FuzzParse(f *testing.F) {
	for _, text := range accepted {
		f.Add(text)
	}
	for _, c := range refused {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		is := is.New(t)
		statements, err := sqltext.Parse(text)
		if err != nil {
			var syntax *sqltext.SyntaxError
			var unsupported *sqltext.UnsupportedError
			is.True(errors.As(err, &syntax) || errors.As(err, &unsupported))
			return
		}
		for _, s := range statements {
			again, err := sqltext.Parse(s.Text)
			is.NoErr(err)
			is.Equal(len(again), 1)
			is.True(again[0].Params-again[0].FirstParam <= s.Params) // :2 alone counts as two
		}
	})
}

// FuzzTokenize covers a text with its tokens, in order.
func FuzzTokenize(f *testing.F) {
	for _, text := range accepted {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		is := is.New(t)
		tokens, err := sqltext.Tokenize(text)
		if err != nil {
			return
		}
		at := 0
		for _, token := range tokens {
			is.True(token.Start >= at && token.End >= token.Start && token.End <= len(text))
			at = token.End
		}
		is.Equal(tokens[len(tokens)-1].Kind, sqltext.EOF)
	})
}

func TestParseAccepts(t *testing.T) {
	for _, text := range accepted {
		t.Run(text, func(t *testing.T) {
			is := is.New(t)
			_, err := sqltext.Parse(text)
			is.NoErr(err)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			_, err := sqltext.Parse(c.text)
			is.True(err != nil)
			is.Equal(err.Error(), c.want)
		})
	}
}

func TestParseCounts(t *testing.T) {
	for _, c := range []struct {
		text       string
		statements int
		params     int
	}{
		{"", 1, 0}, {"-- nothing", 1, 0}, {"select 1", 1, 0}, {"select 1;", 1, 0}, {";;select ?;select ?, ?;", 2, 3},
		{"insert into t values (?, ?), (?, ?)", 1, 4}, {"select :2, :1", 1, 2}, {"select '?', \"?\", $$?$$ -- ?\n", 1, 0},
	} {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			list, err := sqltext.Parse(c.text)
			is.NoErr(err)
			is.Equal(len(list), c.statements)
			is.Equal(list[len(list)-1].Params, c.params)
		})
	}
}

var accepted = []string{
	"select 1", "SELECT a.b, c.*, count(*) from t as a join db.s.u c on a.x = c.x left join v using (k) where not a.y is null and b in (1, 2) group by 1 having count(*) > 1 qualify row_number() over (partition by a order by b desc nulls last) = 1 order by 1 limit 5 offset 2",
	"select v:a.b[0].\"C d\"::string, v['x'], {'a': 1}, [1, 2] from t", "select 'it''s \\n \\x41 \\u0041', $$raw 'x'$$",
	"with recursive c (n) as (select 1 union all select n + 1 from c where n < 3) select * from c",
	"select * from t where id = ? for update", "select * from t where id = ? for update wait 5", "select * from values (1, 'a'), (?, ?) as v (x, y)",
	"select * from table(generator(rowcount => 10))", "select f.value from t, lateral flatten(input => t.v:items) f",
	"select * from table(db.information_schema.query_history_by_session(session_id => 1, result_limit => 10)) where query_tag = ? order by start_time",
	"select listagg(x, ',') within group (order by x), percentile_cont(0.5) within group (order by y) from t",
	"select case when a then 1 else 2 end, case a when 1 then 2 end, cast(a as number(10, 2)), try_cast(a as date), a::double precision from t",
	"select extract(year from d), dateadd('day', 1, d), timestampdiff(millisecond, a, b), interval '1 day', date '2024-01-01' from t",
	"insert into t (a, b) values (?, default), (1, 'x')", "insert overwrite into t select * from u", "insert into t(a) select ? where not exists (select 1 from t)",
	"insert into t select column1, parse_json(column2) from values (?, ?)", "update t set a = 1, t.b = u.b from u where t.id = u.id", "delete from t using u where t.id = u.id",
	"merge into t using (select ? as id, ? as v) s on t.id = s.id when matched and t.v < s.v then update set v = s.v when not matched then insert (id, v) values (s.id, s.v)",
	"create or replace hybrid table t (id varchar(36) not null, n number(38,0) default 0, v variant, at timestamp_ntz(9) default sysdate(), constraint pk primary key (id), unique (n), constraint fk foreign key (n) references u (n), index ix (n, at) include (v)) comment = 'x'",
	"create table if not exists db.s.t (a int autoincrement start 1 increment 1, b text comment 'c' unique) cluster by (a) data_retention_time_in_days = 1",
	"create table t as select 1 as a", "create table t (a, b) as select 1, 2", "create transient table t like u", "create index ix on t (a) include (b)", "drop index if exists t.ix",
	"alter table t add column if not exists a number, b text", "alter table if exists t add constraint u unique (a)", "alter table t drop column a", "alter table t rename to u", "alter table t alter column a set data type varchar(10)",
	"create database if not exists d comment = 'x'", "create schema s", "create user u password = 'p' default_role = r", "create warehouse w warehouse_size = xsmall auto_suspend = 60 initially_suspended = true", "create role if not exists r",
	"create view v (a) as select 1", "alter session set timezone = 'UTC', query_tag = 'x'", "alter session unset query_tag", "alter warehouse w suspend", "alter warehouse w set warehouse_size = 'SMALL' statement_timeout_in_seconds = 5",
	"use database d", "use schema d.s", "use role r", "use warehouse w", "use d", "use secondary roles none", "grant select, insert on table d.s.t to role r", "grant all privileges on all tables in schema d.s to role r",
	"grant usage on warehouse w to r", "grant role r to role s", "grant role r to user u", "grant create database on account to role r", "revoke select on t from role r", "grant select on future tables in schema s to role r",
	"grant create hybrid table on schema s to role r", "grant usage on compute pool p to role r",
	"show tables", "show hybrid tables like 'x%' in schema d.s", "show terse databases", "show columns in table t", "show warehouses like ?", "show grants to role r", "show parameters like 'TIMEZONE' in session", "show tables in d.s limit 5",
	"describe table t", "desc user u", "explain using text select 1", "begin", "begin transaction name x", "start transaction", "commit", "rollback", "set x = 1", "set (a, b) = (1, 2)", "select $x", "unset x",
	"call system$wait(1, 'SECONDS')", "execute job service in compute pool p name = x from specification $$a$$", "show services", "select a.b.c!spcs_cancel_job()", "call a!m(?, 1)", "show grants on compute pool p", "create compute pool p min_nodes = 1", "truncate table if exists t", "comment on table t is 'x'",
	"select * from identifier(?)", "drop table identifier('a.b')", "select a from t union all (select b from u order by 1 limit 1) except select 1 intersect select 2", "select -1, +a, not true, 1.5e3, .5",
	"select a like 'x%' escape '!', a ilike any ('a', 'b'), a not rlike 'x', a between 1 and 2, a is not distinct from b, (a, b) = (1, 2), exists (select 1), (select 1) from t",
	"select top 5 * exclude (a) from t", "select current_timestamp, current_date from dual", "/* c */ select /* d */ 1 -- e",
}

var refused = []struct{ text, want string }{
	{"selectt 1", "syntax error line 1 at position 0 unexpected 'selectt'."},
	{"select\n 1 +", "syntax error line 2 at position 4 unexpected '<EOF>'."},
	{"select 1 from", "syntax error line 1 at position 13 unexpected '<EOF>'."},
	{"select (1", "syntax error line 1 at position 9 unexpected '<EOF>'. (expected ))"},
	{"select 'x", "syntax error line 1 at position 7 unexpected '''. (a string without an end)"},
	{"select 1 2", "syntax error line 1 at position 9 unexpected '2'."},
	{"select x::geography", "unsupported: data type GEOGRAPHY"},
	{"create table t (a number(40))", "syntax error line 1 at position 18 unexpected 'NUMBER'. (the size of the type is out of bounds)"},
	{"create or alter table t (a int)", "unsupported: CREATE OR ALTER"},
	{"select * from t at(timestamp => 1)", "unsupported: Time Travel"},
	{"insert all into t values (1) select 1", "unsupported: INSERT ALL"},
	{"create table t clone u", "unsupported: CLONE"},
}
