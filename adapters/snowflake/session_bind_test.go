package snowflake

import (
	"math"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestBind(t *testing.T) {
	at := time.Date(2025, 12, 31, 23, 59, 59, 123456000, time.FixedZone("", 3600))
	for _, tc := range []struct {
		name, text string
		args       []any
		sent       string
		values     []any
	}{
		{"none", "SELECT 1", nil, "SELECT 1", []any{}},
		{"plain", "SELECT ?, ?, ?, ?", []any{int64(-1), "x", true, nil}, "SELECT ?, ?, ?, ?", []any{int64(-1), "x", true, nil}},
		{"float64 is exact", "SELECT ? + ?", []any{0.123456789012345, int64(1)}, "SELECT ?::FLOAT + ?", []any{"0.123456789012345", int64(1)}},
		{"floats that are no numbers", "SELECT ?, ?, ?", []any{math.NaN(), math.Inf(1), math.Inf(-1)}, "SELECT ?::FLOAT, ?::FLOAT, ?::FLOAT", []any{"NaN", "inf", "-inf"}},
		{"times in UTC", "SELECT '?', ?", []any{at}, "SELECT '?', ?", []any{at.UTC()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			st := newStatement(tc.text, true, len(tc.args))
			for range 2 {
				text, err := st.bind(tc.args)
				is.NoErr(err)
				is.Equal(text, tc.sent)
				for i, want := range tc.values {
					is.Equal(st.values[i].Value, want)
					is.Equal(st.values[i].Ordinal, i+1)
				}
			}
			_, err := st.bind(append([]any{int64(1)}, tc.args...))
			is.Equal(core.CodeOf(err), core.Invalid)
		})
	}
	is := is.New(t)
	_, err := newStatement("SELECT ?", true, 1).bind([]any{[]byte("x")})
	is.Equal(core.CodeOf(err), core.Invalid)
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"bench_rows": `"BENCH_ROWS"`, "Db.sch.T$1": `"DB"."SCH"."T$1"`, `"bench"`: `"bench"`, `d."s.x"."a""b"`: `"D"."s.x"."a""b"`,
		`odd "name"; --`: `"odd ""name""; --"`, "Ünicode": `"Ünicode"`, "1st": `"1st"`,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			quoted, err := quoteTable(core.TemplateTable{Name: name})
			is.NoErr(err)
			is.Equal(quoted, want)
		})
	}
	for _, name := range []string{"", ".", "a.", "a..b", "a.b.c.d", `""`, "a\x00"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := quoteTable(core.TemplateTable{Name: name})
			is.Equal(core.CodeOf(err), core.Invalid)
		})
	}
	is := is.New(t)
	is.Equal(literal(likePattern(`A_B%\`)), `'A\\_B\\%\\\\'`)
	is.Equal(isSessionID("123"), true)
	for _, id := range []string{"", "0", "-1", "01", "1;", "9223372036854775808"} {
		is.Equal(isSessionID(id), false)
	}
}
