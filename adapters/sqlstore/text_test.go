package sqlstore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestStandardInsert(t *testing.T) {
	insert := StandardInsert(func(table, column string) string {
		if table == "TEXTS" && column == "B" {
			return "PARSE_JSON(?)"
		}
		return "?"
	}, "NOW()")
	for _, tc := range []struct {
		name string
		in   Insert
		want string
	}{
		{"plain", Insert{Table: "T", Columns: []string{"A", "B"}, Rows: 1}, "INSERT INTO T (A, B) VALUES (?, ?)"},
		{"rows", Insert{Table: "T", Columns: []string{"A", "B"}, Rows: 3}, "INSERT INTO T (A, B) VALUES (?, ?), (?, ?), (?, ?)"},
		{"a cast", Insert{Table: "T", Name: "TEXTS", Columns: []string{"A", "B"}, Rows: 2},
			"INSERT INTO T (A, B) VALUES (?, PARSE_JSON(?)), (?, PARSE_JSON(?))"},
		{"now", Insert{Table: "T", Columns: []string{"A", "B"}, Now: []string{"A"}, Rows: 1}, "INSERT INTO T (A, B) VALUES (NOW(), ?)"},
		{"first stays", Insert{Table: "T", Columns: []string{"A", "B"}, Rows: 1, Key: []string{"A"}},
			"INSERT INTO T (A, B) VALUES (?, ?) ON CONFLICT (A) DO NOTHING"},
		{"last stays", Insert{Table: "T", Columns: []string{"A", "B"}, Rows: 1, Key: []string{"A"}, Update: []string{"B"}},
			"INSERT INTO T (A, B) VALUES (?, ?) ON CONFLICT (A) DO UPDATE SET B = excluded.B"},
		{"newest stays, if", Insert{Table: "T", Columns: []string{"A", "B", "C"}, Rows: 1, OnlyIf: "EXISTS (SELECT 1)", Key: []string{"A"},
			Update: []string{"B", "C"}, Newer: []string{"B", "C"}},
			"INSERT INTO T (A, B, C) SELECT ?, ?, ? WHERE EXISTS (SELECT 1) ON CONFLICT (A) DO UPDATE SET B = excluded.B, C = excluded.C" +
				" WHERE (excluded.B, excluded.C) >= (T.B, T.C)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(insert(tc.in), tc.want)
		})
	}
}

func TestInstant(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	for _, src := range []any{want, want.In(time.FixedZone("", 7200)), "2026-01-02T03:04:05.678901Z", []byte("2026-01-02T05:04:05.678901+02:00")} {
		is := is.New(t)
		var i instant
		is.NoErr(i.Scan(src))
		is.Equal(i.Time, want)
	}
	for _, src := range []any{nil, ""} {
		is := is.New(t)
		i := instant{want}
		is.NoErr(i.Scan(src))
		is.True(i.IsZero())
	}
	for _, src := range []any{"yesterday", 42} {
		is := is.New(t)
		var i instant
		is.True(i.Scan(src) != nil)
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	is := is.New(t)
	is.Equal(cut("short"), "short")
	full := strings.Repeat("x", maxMessage)
	is.Equal(cut(full), full)
	for shift := range 4 {
		got := cut(strings.Repeat("x", shift) + strings.Repeat("🎈", maxMessage/4))
		is.True(len(got) <= maxMessage)
		is.True(utf8.ValidString(got))
		is.True(shift == 0 || strings.HasSuffix(got, "[cut]"))
	}
}

func TestWarmup(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC) }
	plan := core.Plan{Warmup: 10 * time.Second}
	for _, tc := range []struct {
		name       string
		run        core.Run
		start, end time.Time
	}{
		{"no warmup", core.Run{Origin: at(1), Phase: core.Measurement, PhaseAt: at(1)}, time.Time{}, time.Time{}},
		{"not begun", core.Run{Plan: plan, Phase: core.Preparing}, time.Time{}, time.Time{}},
		{"in warmup", core.Run{Plan: plan, Origin: at(1), Phase: core.Warmup, PhaseAt: at(1)}, at(1), time.Time{}},
		{"stopped in warmup", core.Run{Plan: plan, Origin: at(1), Phase: core.Warmup, PhaseAt: at(1), StopAt: at(5)}, at(1), at(5)},
		{"measuring", core.Run{Plan: plan, Origin: at(1), Phase: core.Measurement, PhaseAt: at(11)}, at(1), at(11)},
		{"stopped while measuring", core.Run{Plan: plan, Origin: at(1), Phase: core.Measurement, PhaseAt: at(11), StopAt: at(20)}, at(1), at(11)},
		{"stopped before the switch", core.Run{Plan: plan, Origin: at(1), Phase: core.Measurement, PhaseAt: at(11), StopAt: at(10)}, at(1), at(10)},
		{"later the end is stored already", core.Run{Plan: plan, Origin: at(1), Phase: core.Processing, PhaseAt: at(30), StopAt: at(20)}, at(1), time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			start, end := warmup(tc.run)
			is.Equal(start, tc.start)
			is.Equal(end, tc.end)
		})
	}
}

// Errors are found in the JSON of kinds wherever it has them, and not where a name or
// an error only reads like it.
func TestFailuresIn(t *testing.T) {
	is := is.New(t)
	kinds := []core.KindMetrics{
		{Kind: "failures", Failures: []core.ErrorCount{{Class: `"failures":[{`, Count: 2, Example: `a "failures": [] \`}, {Class: "busy", Count: 1}}},
		{Kind: `\"failures":[{"class":"no"}]`},
		{Kind: `x\`, Failures: []core.ErrorCount{{Class: "timeout", Count: 7}}},
	}
	kinds[0].Service.Record(time.Millisecond)
	var want []core.ErrorCount
	for _, k := range kinds {
		want = append(want, k.Failures...)
	}
	plain, err := json.Marshal(kinds)
	is.NoErr(err)
	wide, err := json.MarshalIndent(kinds, "", "\t")
	is.NoErr(err)
	for _, text := range []string{string(plain), string(wide)} {
		got, err := failuresIn(text)
		is.NoErr(err)
		is.Equal(got, want)
	}
	none, err := failuresIn(`[{"kind":"failures","failures":null}]`)
	is.NoErr(err)
	is.Equal(len(none), 0)
	_, err = failuresIn(`[{"failures":[{"class":`)
	is.True(err != nil) // cut short
}

func TestInOrderOfPhases(t *testing.T) {
	is := is.New(t)
	type at struct {
		offset float64
		phase  core.Phase
	}
	list := []at{{1, "OTHER"}, {1, core.Warmup}, {2, core.Cooldown}, {2, core.Measurement}, {2, core.Warmup}, {2, "ANOTHER"}, {3, core.Cooldown}}
	inOrderOfPhases(list, func(a *at) (float64, core.Phase) { return a.offset, a.phase })
	is.Equal(list, []at{{1, "OTHER"}, {1, core.Warmup}, {2, "ANOTHER"}, {2, core.Warmup}, {2, core.Measurement}, {2, core.Cooldown}, {3, core.Cooldown}})
}
