package porttest

import (
	"fmt"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// templateIf: a condition that does not hold changes nothing, and says why.
func templateIf(t testing.TB, h StoreHarness) {
	store := h.open(t).Templates()
	put := func(n int, c core.TemplateCondition, want core.Code) {
		t.Helper()
		before, _ := store.Get(within(t), "oltp") // NotFound at first
		got, err := store.PutIf(within(t), sampleTemplate("oltp", n), c)
		what := fmt.Sprintf("PutIf(%d, %+v)", n, c)
		if want != "" {
			wantCode(t, err, want, what)
			after, _ := store.Get(within(t), "oltp")
			same(t, after, before, "the template after a refused "+what)
			return
		}
		must(t, err, what)
		same(t, got.Template, sampleTemplate("oltp", n), "the template of "+what)
		same(t, getTemplate(t, store, "oltp"), got, "the template after "+what)
	}
	put(1, core.TemplateCondition{Version: 1}, core.NotFound)
	put(1, core.TemplateCondition{New: true, Unused: true}, "")
	put(1, core.TemplateCondition{New: true}, core.Conflict)
	put(2, core.TemplateCondition{New: true}, core.Conflict)
	put(2, core.TemplateCondition{Version: 1}, "")
	put(3, core.TemplateCondition{Version: 1}, core.Conflict)
	put(3, core.TemplateCondition{Version: 2, Unused: true}, "")
	must(t, store.Used(within(t), getTemplate(t, store, "oltp").ID), "Used")
	put(4, core.TemplateCondition{Unused: true}, core.Refused)
	put(3, core.TemplateCondition{Unused: true}, "") // as it is
	put(4, core.TemplateCondition{Version: 3}, "")   // nobody minds that it was used
}

// templateLock: a template is changed, or used as it is. Of a use and a change at
// once one comes first; if that is the use, there is no change.
func templateLock(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	for n := range 10 {
		name := fmt.Sprintf("oltp-%d", n)
		first := putTemplate(t, one.Templates(), sampleTemplate(name, 0))
		var atUse ports.TemplateRecord
		errs := make([]error, 4)
		race(4, func(i int) {
			if i > 0 {
				_, errs[i] = one.Templates().PutIf(within(t), sampleTemplate(name, i), core.TemplateCondition{Unused: true})
				return
			}
			if errs[0] = two.Templates().Used(within(t), first.ID); errs[0] == nil {
				atUse, errs[0] = two.Templates().Get(within(t), name)
			}
		})
		must(t, errs[0], "Used")
		for _, err := range errs[1:] {
			if code := core.CodeOf(err); code != "" && code != core.Refused && code != core.Conflict {
				t.Errorf("PutIf beside a use: %v", err)
			}
		}
		if after := getTemplate(t, one.Templates(), name); after.Version != atUse.Version {
			t.Errorf("a used template went from version %d to %d", atUse.Version, after.Version)
		}
	}
}
