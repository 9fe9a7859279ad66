package porttest

import (
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestSchema proves a ports.Schema.
func TestSchema(t *testing.T, h StoreHarness) {
	t.Helper()
	SchemaSuite().Test(t, h)
}

// SchemaSuite is the cases of TestSchema.
func SchemaSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"Check finds a whole schema", schemaWhole},
		{"Check names what is missing", schemaBare},
		{"Probe returns the store's clock and leaves nothing", schemaProbe},
		{"ended contexts check nothing", schemaContexts},
	}
}

func schemaWhole(t testing.TB, h StoreHarness) {
	store := h.open(t)
	for range 2 {
		findings, err := store.Check(within(t))
		must(t, err, "Check")
		if len(findings) != 1 || findings[0].Severity != core.SeverityOK || findings[0].ID == "" || findings[0].Message == "" {
			t.Errorf("a whole schema gives %v, want one OK finding with an id and a message", findings)
		}
	}
}

func schemaBare(t testing.TB, h StoreHarness) {
	if h.Bare == nil {
		t.Skip("the harness cannot open a store without its schema")
	}
	store := h.Bare(t)
	t.Cleanup(func() { closeStore(t, store) })
	findings, err := store.Check(within(t))
	must(t, err, "Check")
	if len(findings) < 2 {
		t.Errorf("a store without any table gives %d findings, want one for each", len(findings))
	}
	for _, f := range findings {
		if f.Severity != core.SeverityError || f.ID == "" || f.Message == "" || f.Mend == "" {
			t.Errorf("the finding %+v of a missing table lacks something: want an ERROR with id, message and how to mend it", f)
		}
	}
	if again, err := store.Check(within(t)); err != nil || len(again) != len(findings) {
		t.Errorf("the second Check gives %d findings (%v), the first gave %d: Check must change nothing", len(again), err, len(findings))
	}
	if _, err := store.Probe(within(t)); err == nil {
		t.Error("Probe of a store without any table succeeds")
	}
}

func schemaProbe(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	last := create(t, one, "run-1").Now
	race(8, func(i int) {
		if _, err := []ports.Store{one, two}[i%2].Probe(within(t)); err != nil {
			t.Errorf("Probe: %v", err)
		}
	})
	for range 3 {
		now, err := one.Probe(within(t))
		must(t, err, "Probe")
		after := loadNow(t, one, "run-1")
		if now.Before(last) || now.After(after) {
			t.Errorf("Probe says that now is %s, between %s and %s of Load", now, last, after)
		}
		if _, offset := now.Zone(); offset != 0 {
			t.Errorf("time %s is not UTC", now)
		}
		last = after
	}
	same(t, list(t, one, ports.RunFilter{}), []string{"run-1"}, "the runs after Probe")
	for name, n := range contents(t, one, "run-1") {
		if n != 0 {
			t.Errorf("Probe left %d %s", n, name)
		}
	}
	all, err := one.Templates().List(within(t))
	must(t, err, "List")
	wantSame(t, all, nil, "the templates after Probe")
}

func schemaContexts(t testing.TB, h StoreHarness) {
	store := h.open(t)
	for _, ctx := range endedContexts(t) {
		_, err := store.Check(ctx)
		wantEnded(t, err, ctx, "Check")
		_, err = store.Probe(ctx)
		wantEnded(t, err, ctx, "Probe")
	}
}
