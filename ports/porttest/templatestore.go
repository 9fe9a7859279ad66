package porttest

import (
	"fmt"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestTemplateStore proves a ports.TemplateStore.
func TestTemplateStore(t *testing.T, h StoreHarness) {
	t.Helper()
	TemplateStoreSuite().Test(t, h)
}

// TemplateStoreSuite is the cases of TestTemplateStore.
func TemplateStoreSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"Put then Get by name and by id", templatePut},
		{"Put of an equal template changes nothing", templateEqual},
		{"Put of a changed template raises its version", templateChanged},
		{"racing Puts make one template", templateRace},
		{"templates are listed by name", templateList},
		{"Delete by name and by id", templateDelete},
		{"Used counts", templateUsed},
		{"PutIf puts what its condition allows", templateIf},
		{"a use and a change do not pass each other", templateLock},
		{"templates that are not there are NotFound", templateUnknown},
		{"templates alias nothing", templateAliasing},
		{"ended contexts change no template", templateContexts},
	}
}

// sampleTemplate fills every field of a template; n tells samples apart.
func sampleTemplate(name string, n int) core.Template {
	sampling := 0.5
	return core.Template{
		Name: name, Description: odd, Tags: map[string]string{"b": odd, "a": "1"},
		Target: core.TemplateTarget{Kind: "sqlite", Endpoint: "main"},
		Table:  core.TemplateTable{Name: "BENCH_ROWS", Type: "STANDARD", Rows: int64(n)},
		Load: core.TemplateLoad{
			Mode: core.ModeConcurrency, Scaling: core.ScalingFixed, Workers: 3, Connections: 4, Warmup: seconds(1), Duration: seconds(2),
			Cooldown: seconds(3), Operations: 5, ThinkTime: seconds(4), Seed: -1, Sampling: &sampling,
		},
		Mix: []core.TemplateOp{
			{Kind: core.PointLookup, Weight: 99.25, Keys: core.Zipfian, Theta: 0.75},
			{Kind: "OWN", Weight: 0.75, Access: core.AccessWrite,
				Parameters: []core.Parameter{{Name: "a", Type: core.ParamChoice, Values: []any{"x", odd, true, nil, 1.5}}, {Name: "b", Type: core.ParamLiteral, Value: odd}},
				Statements: []core.TemplateStatement{{SQL: "UPDATE {table} SET STATUS = ? WHERE ID = ?", Bind: []string{"a", "b"}}}},
		},
		SLOs:   []string{"p99 < 20ms"},
		Limits: core.TemplateLimits{StatementTimeout: seconds(9), OnLoss: core.DegradeOnLoss},
	}
}

func putTemplate(t testing.TB, store ports.TemplateStore, template core.Template) ports.TemplateRecord {
	t.Helper()
	record, err := store.Put(within(t), template)
	must(t, err, "Put")
	return record
}

func getTemplate(t testing.TB, store ports.TemplateStore, nameOrID string) ports.TemplateRecord {
	t.Helper()
	record, err := store.Get(within(t), nameOrID)
	must(t, err, "Get")
	return record
}

func templatePut(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	for i, name := range []string{"oltp", "oltp-2"} {
		record := putTemplate(t, one.Templates(), sampleTemplate(name, i))
		same(t, record.Template, sampleTemplate(name, i), "the template that Put returned")
		if record.ID == "" || record.Version != 1 || record.Used != 0 || !record.LastUsed.IsZero() {
			t.Errorf("a new template is %+v", record)
		}
		if record.CreatedAt.IsZero() || !record.UpdatedAt.Equal(record.CreatedAt) {
			t.Errorf("a new template was created at %s and updated at %s", record.CreatedAt, record.UpdatedAt)
		}
		if _, offset := record.CreatedAt.Zone(); offset != 0 {
			t.Errorf("time %s is not UTC", record.CreatedAt)
		}
		same(t, getTemplate(t, two.Templates(), name), record, "the template by name")
		same(t, getTemplate(t, two.Templates(), record.ID), record, "the template by id")
	}
}

func templateEqual(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	first := putTemplate(t, store, sampleTemplate("oltp", 1))
	same(t, putTemplate(t, store, sampleTemplate("oltp", 1)), first, "what a second Put returned")
	same(t, getTemplate(t, store, "oltp"), first, "the template after a second Put")
}

func templateChanged(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	first := putTemplate(t, store, sampleTemplate("oltp", 1))
	other := putTemplate(t, store, sampleTemplate("other", 1))
	must(t, store.Used(within(t), first.ID), "Used")
	for i, n := range []int{2, 3, 1} { // the last as it was at first: changed all the same
		got := putTemplate(t, store, sampleTemplate("oltp", n))
		same(t, got.Template, sampleTemplate("oltp", n), "the changed template")
		if got.ID != first.ID || got.Version != i+2 || got.Used != 1 || !got.CreatedAt.Equal(first.CreatedAt) || got.UpdatedAt.Before(first.UpdatedAt) {
			t.Errorf("change %d of %+v gave %+v", i+1, first, got)
		}
		same(t, getTemplate(t, store, "oltp"), got, "the changed template by name")
	}
	same(t, getTemplate(t, store, "other"), other, "the other template")
}

// templateRace: a loser may be told Conflict, but there is one template and it
// counts every change that won.
func templateRace(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	records, errs := make([]ports.TemplateRecord, 8), make([]error, 8)
	race(len(errs), func(i int) {
		store := []ports.Store{one, two}[i%2].Templates()
		records[i], errs[i] = store.Put(within(t), sampleTemplate("oltp", i))
	})
	all, err := one.Templates().List(within(t))
	must(t, err, "List")
	if len(all) != 1 {
		t.Fatalf("%d templates after racing Puts of one name, want 1", len(all))
	}
	won := 0
	for i, err := range errs {
		switch {
		case err != nil:
			wantCode(t, err, core.Conflict, "Put of a loser")
		case records[i].ID != all[0].ID:
			t.Errorf("Put returned the id %s of a template that is %s", records[i].ID, all[0].ID)
		default:
			won++
		}
	}
	if won == 0 || all[0].Version != won {
		t.Errorf("version %d after %d changes that won", all[0].Version, won)
	}
}

func templateList(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	all, err := store.List(within(t))
	must(t, err, "List")
	wantSame(t, all, nil, "the templates of an empty store")
	var want []ports.TemplateRecord
	for i, name := range []string{"b", "a", "d", "c"} {
		putTemplate(t, store, sampleTemplate(name, i))
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		want = append(want, getTemplate(t, store, name))
	}
	all, err = store.List(within(t))
	must(t, err, "List")
	wantSame(t, all, want, "the templates")
}

func templateDelete(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	var ids []string
	for i, name := range []string{"a", "b", "c"} {
		ids = append(ids, putTemplate(t, store, sampleTemplate(name, i)).ID)
	}
	must(t, store.Delete(within(t), "a"), "Delete by name")
	must(t, store.Delete(within(t), ids[1]), "Delete by id")
	for _, gone := range []string{"a", ids[0], "b", ids[1]} {
		_, err := store.Get(within(t), gone)
		wantCode(t, err, core.NotFound, "Get of a deleted template")
		wantCode(t, store.Delete(within(t), gone), core.NotFound, "Delete of a deleted template")
	}
	all, err := store.List(within(t))
	must(t, err, "List")
	if len(all) != 1 || all[0].ID != ids[2] {
		t.Errorf("%d templates are left, want the third alone", len(all))
	}
	again := putTemplate(t, store, sampleTemplate("a", 9))
	if again.Version != 1 || again.Used != 0 {
		t.Errorf("a template that was deleted and put again is %+v", again)
	}
}

func templateUsed(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	first := putTemplate(t, one.Templates(), sampleTemplate("oltp", 1))
	other := putTemplate(t, one.Templates(), sampleTemplate("other", 1))
	race(10, func(i int) {
		if err := []ports.Store{one, two}[i%2].Templates().Used(within(t), first.ID); err != nil {
			t.Errorf("Used: %v", err)
		}
	})
	got := getTemplate(t, one.Templates(), "oltp")
	if got.Used != 10 || got.LastUsed.Before(first.CreatedAt) {
		t.Errorf("after 10 uses the template was used %d times, last at %s", got.Used, got.LastUsed)
	}
	if got.Version != 1 || !got.UpdatedAt.Equal(first.UpdatedAt) {
		t.Errorf("a use changed version or time: %+v, was %+v", got, first)
	}
	same(t, getTemplate(t, one.Templates(), "other"), other, "the template that was not used")
}

func templateUnknown(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	putTemplate(t, store, sampleTemplate("oltp", 1))
	for _, name := range []string{"none", "", "olt", "oltp%"} {
		_, err := store.Get(within(t), name)
		wantCode(t, err, core.NotFound, fmt.Sprintf("Get of %q", name))
		wantCode(t, store.Delete(within(t), name), core.NotFound, fmt.Sprintf("Delete of %q", name))
		wantCode(t, store.Used(within(t), name), core.NotFound, fmt.Sprintf("Used of %q", name))
	}
}

func templateAliasing(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	spoil := func(template core.Template) {
		template.Tags["a"], template.SLOs[0], template.Mix[0].Weight = "spoilt", "spoilt", 1
		template.Mix[1].Parameters[0].Values[0] = "spoilt"
		*template.Load.Sampling = 99
	}
	template := sampleTemplate("oltp", 1)
	returned := putTemplate(t, store, template)
	spoil(template)
	spoil(returned.Template)
	got := getTemplate(t, store, "oltp")
	same(t, got.Template, sampleTemplate("oltp", 1), "the template after what was passed to Put, or came from it, was changed")
	spoil(got.Template)
	same(t, getTemplate(t, store, "oltp").Template, sampleTemplate("oltp", 1), "the template after what Get returned was changed")
}

func templateContexts(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	first := putTemplate(t, store, sampleTemplate("oltp", 1))
	for _, ctx := range endedContexts(t) {
		_, err := store.Put(ctx, sampleTemplate("oltp", 2))
		wantEnded(t, err, ctx, "Put")
		_, err = store.PutIf(ctx, sampleTemplate("oltp", 2), core.TemplateCondition{Unused: true})
		wantEnded(t, err, ctx, "PutIf")
		_, err = store.Get(ctx, "oltp")
		wantEnded(t, err, ctx, "Get")
		_, err = store.List(ctx)
		wantEnded(t, err, ctx, "List")
		wantEnded(t, store.Delete(ctx, "oltp"), ctx, "Delete")
		wantEnded(t, store.Used(ctx, first.ID), ctx, "Used")
	}
	same(t, getTemplate(t, store, "oltp"), first, "the template after calls whose contexts had ended before")
}
