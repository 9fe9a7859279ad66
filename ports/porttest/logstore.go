package porttest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/ports"
)

// TestLogStore proves a ports.LogStore.
func TestLogStore(t *testing.T, h StoreHarness) {
	t.Helper()
	LogStoreSuite().Test(t, h)
}

// LogStoreSuite is the cases of TestLogStore.
func LogStoreSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"lines are read in order of time", logOrder},
		{"lines are kept once", logOnce},
		{"lines come in pages", logPages},
		{"ended contexts change no line", logContexts},
	}
}

func readLines(t testing.TB, store ports.LogStore, run, worker string, after time.Time, limit int) []ports.LogLine {
	t.Helper()
	lines, err := store.Read(within(t), run, worker, after, limit)
	must(t, err, "Read")
	for i := range lines {
		if i > 0 && lines[i].Time.Before(lines[i-1].Time) {
			t.Errorf("a line of %s comes after one of %s", lines[i].Time, lines[i-1].Time)
		}
	}
	return lines
}

// sampleLines makes n lines for each of three writers: the orchestrator and two
// workers, all at different times.
func sampleLines(run string, n int) []ports.LogLine {
	var lines []ports.LogLine
	for i := range n {
		for w, worker := range []string{"", "worker-0", "worker-1"} {
			lines = append(lines, ports.LogLine{
				RunID: run, WorkerID: worker, Sequence: int64(i + 1), Time: at(3*i + w), Level: "WARN", Message: fmt.Sprint(i, " ", odd),
			})
		}
	}
	return lines
}

func linesOf(lines []ports.LogLine, worker string) []ports.LogLine {
	return slices.DeleteFunc(slices.Clone(lines), func(l ports.LogLine) bool { return l.WorkerID != worker })
}

func logOrder(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	create(t, one, "run-2")
	wantSame(t, readLines(t, one.Logs(), "run-1", "", time.Time{}, 0), nil, "the lines of a new run")
	all := sampleLines("run-1", 20)
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	must(t, one.Logs().Append(within(t), backwards), "Append")
	must(t, one.Logs().Append(within(t), sampleLines("run-2", 2)), "Append")
	wantSame(t, readLines(t, two.Logs(), "run-1", "", time.Time{}, 0), all, "all lines")
	wantSame(t, readLines(t, two.Logs(), "run-1", "worker-1", time.Time{}, 0), linesOf(all, "worker-1"), "the lines of one worker")
	wantSame(t, readLines(t, two.Logs(), "run-1", "worker-9", time.Time{}, 0), nil, "the lines of an unknown worker")
	wantSame(t, readLines(t, two.Logs(), "run-1", "", all[10].Time, 0), all[11:], "the lines after one of them")
	wantSame(t, readLines(t, two.Logs(), "run-1", "", all[10].Time.Add(-time.Microsecond), 0), all[10:], "the lines after a moment before one of them")
	wantSame(t, readLines(t, two.Logs(), "run-1", "", all[len(all)-1].Time, 0), nil, "the lines after the last")
	wantSame(t, readLines(t, two.Logs(), "run-2", "", time.Time{}, 0), sampleLines("run-2", 2), "the lines of the other run")
}

func logOnce(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	all := sampleLines("run-1", 10)
	must(t, store.Logs().Append(within(t), all[:20]), "Append")
	must(t, store.Logs().Append(within(t), all[10:]), "Append of lines that overlap")
	must(t, store.Logs().Append(within(t), append(slices.Clone(all[:3]), all[:3]...)), "Append of lines that come twice")
	wantSame(t, readLines(t, store.Logs(), "run-1", "", time.Time{}, 0), all, "the lines")
}

func logPages(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	all := sampleLines("run-1", 350) // 1050 lines
	must(t, store.Logs().Append(within(t), all), "Append")
	if n := len(readLines(t, store.Logs(), "run-1", "", time.Time{}, 0)); n != 1000 {
		t.Errorf("%d lines of 1050 unless told, want 1000", n)
	}
	var pages []ports.LogLine
	for after := (time.Time{}); len(pages) <= len(all); after = pages[len(pages)-1].Time {
		page := readLines(t, store.Logs(), "run-1", "", after, 100)
		if len(page) == 0 {
			break
		}
		if len(page) > 100 {
			t.Fatalf("a page of at most 100 has %d", len(page))
		}
		pages = append(pages, page...)
	}
	slices.SortStableFunc(pages, func(a, b ports.LogLine) int { return cmp.Compare(a.Sequence, b.Sequence) })
	wantSame(t, pages, all, "the pages one after another")
}

func logContexts(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	for _, ctx := range endedContexts(t) {
		wantEnded(t, store.Logs().Append(ctx, sampleLines("run-1", 1)), ctx, "Append")
		_, err := store.Logs().Read(ctx, "run-1", "", time.Time{}, 0)
		wantEnded(t, err, ctx, "Read")
	}
	wantSame(t, readLines(t, store.Logs(), "run-1", "", time.Time{}, 0), nil, "the lines after calls whose contexts had ended before")
}
