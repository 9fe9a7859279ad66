package core

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestWarehouseFindings(t *testing.T) {
	started := Warehouse{Account: "A", Name: "BENCH", State: "STARTED", Type: WarehouseStandard, Size: "X-Small", MinClusters: 1, MaxClusters: 2}
	with := func(change func(*Warehouse)) Warehouse {
		w := started
		change(&w)
		return w
	}
	reads := Scenario{Operations: []Operation{{Access: AccessRead}}, Limits: Limits{StatementTimeout: Duration(5 * time.Second)}}
	writes := Scenario{Operations: []Operation{{Access: AccessRead}, {Access: AccessWrite}}, Limits: Limits{StatementTimeout: Duration(30 * time.Second)}}
	for _, tc := range []struct {
		name     string
		w        Warehouse
		store    *Warehouse
		scenario Scenario
		want     []string // severity and a part of the message
	}{
		{"well", started, nil, writes, []string{"OK", "BENCH is STARTED: STANDARD, X-Small, 1 to 2 clusters"}},
		{"another of the store", started, &Warehouse{Account: "A", Name: "CONTROL"}, writes, []string{"OK", "BENCH"}},
		{"the same name elsewhere", started, &Warehouse{Account: "B", Name: "BENCH"}, writes, []string{"OK", "BENCH"}},
		{"the store's own", started, &started, writes, []string{"ERROR", "serves the store too"}},
		{"suspended", with(func(w *Warehouse) { w.State = "SUSPENDED" }), nil, writes, []string{"ERROR", "does not resume"}},
		{"suspended and willing", with(func(w *Warehouse) { w.State, w.AutoResume = "SUSPENDED", true }), nil, writes, []string{"WARNING", "wait until it has resumed"}},
		{"interactive", with(func(w *Warehouse) { w.Type = WarehouseInteractive }), nil, reads, []string{"OK", "INTERACTIVE"}},
		{"interactive and writing", with(func(w *Warehouse) { w.Type = WarehouseInteractive }), nil, writes, []string{"ERROR", "only reads", "WARNING", "after 5s"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			found := WarehouseFindings(tc.w, tc.store, tc.scenario)
			is.Equal(len(found), len(tc.want)/2)
			for i, f := range found {
				is.Equal(strings.ToUpper(string(f.Severity)), tc.want[2*i])
				is.True(strings.Contains(f.Message, tc.want[2*i+1])) // the message
				is.Equal(f.Mend != "", f.Severity != SeverityOK)     // says what to do
			}
		})
	}
}

func TestTableTypeFinding(t *testing.T) {
	is := is.New(t)
	s := Scenario{Table: TemplateTable{Name: "T", Type: "HYBRID"}}
	for found, wrong := range map[string]bool{"": false, "HYBRID": false, "VIEW": false, "STANDARD": true, "INTERACTIVE": true} {
		f, is2 := TableTypeFinding(found, s, "mend")
		is.Equal(is2, wrong)
		is.Equal(f.Severity == SeverityError, wrong)
	}
}
