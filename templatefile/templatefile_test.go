package templatefile_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// small is a valid template; tests change one thing of it.
const small = `name: small
target:
  kind: memory
table:
  name: T
  rows: 1000
load:
  workers: 2
  connections: 3
mix:
  - kind: POINT_LOOKUP
    weight: 90
  - kind: INSERT
    weight: 10
`

func parseOne(t *testing.T, name, source string) core.Template {
	t.Helper()
	list, err := templatefile.Parse(name, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d templates", len(list))
	}
	return list[0]
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestParse(t *testing.T) {
	is := is.New(t)
	got := parseOne(t, "small.yaml", small)
	is.Equal(asJSON(t, got), asJSON(t, core.Template{
		Name: "small", Target: core.TemplateTarget{Kind: "memory"},
		Table: core.TemplateTable{Name: "T", Rows: 1000},
		Load:  core.TemplateLoad{Workers: 2, Connections: 3},
		Mix:   []core.TemplateOp{{Kind: "POINT_LOOKUP", Weight: 90}, {Kind: "INSERT", Weight: 10}},
	}))

	is.Equal(asJSON(t, parseOne(t, "small.json", asJSON(t, got))), asJSON(t, got))                          // as JSON
	is.Equal(asJSON(t, parseOne(t, "stdin", asJSON(t, got))), asJSON(t, got))                               // JSON under any name
	is.Equal(asJSON(t, parseOne(t, "small.yaml", strings.ReplaceAll(small, "\n", "\r\n"))), asJSON(t, got)) // from Windows
	is.Equal(asJSON(t, parseOne(t, "small.yaml", "\ufeff---\n# note\n"+small+"...\n")), asJSON(t, got))
	is.Equal(asJSON(t, parseOne(t, "small.json", "\ufeff"+asJSON(t, got))), asJSON(t, got))
}

func TestParseSeveralDocuments(t *testing.T) {
	is := is.New(t)
	list, err := templatefile.Parse("two.yaml", []byte("---\n"+small+"---\n# nothing\n---\n"+strings.Replace(small, "small", "other", 1)))
	is.NoErr(err)
	is.Equal(len(list), 2)
	is.Equal(list[1].Name, "other")

	_, err = templatefile.Parse("two.yaml", []byte(small+"---\n"+small))
	is.True(err != nil)
	is.Equal(err.Error(), `two.yaml:16:7: name is "small", which the template on line 1 has already`)
}

func TestParseZeroDuration(t *testing.T) {
	is := is.New(t)
	for _, zero := range []string{"0", `"0"`, "0s"} {
		got := parseOne(t, "a.yaml", strings.Replace(small, "workers: 2", "workers: 2\n  duration: 5s\n  warmup: "+zero, 1))
		is.Equal(got.Load.Warmup, core.Duration(0))
	}
}

func TestParseAliases(t *testing.T) {
	is := is.New(t)
	got := parseOne(t, "a.yaml", strings.Replace(small, "mix:", `tags: {a: &word perf, b: *word}
mix:`, 1))
	is.Equal(got.Tags, map[string]string{"a": "perf", "b": "perf"})
}

// TestProblems holds every message against a golden file: one input after the
// other, each with what is said about it.
func TestProblems(t *testing.T) {
	is := is.New(t)
	inputs, err := filepath.Glob("testdata/bad/*")
	is.NoErr(err)
	is.True(len(inputs) > 10)
	for _, input := range inputs {
		if strings.HasSuffix(input, ".golden") {
			continue
		}
		t.Run(filepath.Base(input), func(t *testing.T) {
			is := is.New(t)
			data, err := os.ReadFile(input)
			is.NoErr(err)
			list, err := templatefile.Parse(filepath.Base(input), data)
			is.Equal(len(list), 0) // no half of a file
			is.Equal(core.CodeOf(err), core.Invalid)
			golden(t, input+".golden", err.Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (write it anew with -update)\n got:\n%s\nwant:\n%s", file, got, want)
	}
}

func TestProblemsAreData(t *testing.T) {
	is := is.New(t)
	_, err := templatefile.Parse("x.yaml", []byte(strings.Replace(small, "workers: 2", "workers: two", 1)))
	var invalid *templatefile.Error
	is.True(errors.As(err, &invalid))
	is.True(errors.Is(err, core.ErrInvalid))
	is.Equal(invalid.Problems, []templatefile.Problem{{
		File: "x.yaml", Line: 8, Column: 12, Path: "load.workers",
		Message: `load.workers is "two" (text); allowed: a whole number`,
	}})
}

func TestBounds(t *testing.T) {
	bomb := "tags: {a: &a x}\nmix:\n"
	bomb += "  - kind: A\n    weight: 1\n    parameters: &p\n      - &c {type: choice, values: &v [" + strings.Repeat("1, ", 1000) + "1]}\n"
	bomb += strings.Repeat("      - *c\n", 200)
	bomb += strings.Repeat("  - {kind: A, weight: 1, parameters: *p}\n", 200)
	tests := []struct{ name, source, want string }{
		{"bytes", strings.Repeat("#", templatefile.MaxBytes+1), "bytes; allowed: up to 1048576"},
		{"brackets", strings.Repeat("[", 10_000), "nested too deep"},
		{"dashes", strings.Repeat("- ", 10_000), "nested too deep"},
		{"colons", strings.Repeat("a: ", 10_000), "nested too deep"},
		{"anchors", strings.Repeat("&a ", 10_000), "too many anchors"},
		{"anchors on lines", strings.Repeat("&a\n", 10_000), "too many anchors"},
		{"keys", strings.Repeat("a: b\n", 100_000), "keys, values and marks"},
		{"alias bomb", bomb, "too many values, with its aliases expanded"},
		{"alias of itself", "tags: &a\n  b: *a\n", "no anchor before it"},
		{"deep JSON", `{"tags":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "nested too deep"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			_, err := templatefile.Parse("x.yaml", []byte(test.source))
			is.True(err != nil)
			if !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %.300s", err)
			}
			is.True(strings.Count(err.Error(), "\n") <= templatefile.MaxProblems)
			is.True(len(err.Error()) < 20_000)
		})
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	is := is.New(t)
	var source strings.Builder
	for i := range 50 {
		fmt.Fprintf(&source, "qq%d: 1\n", i)
	}
	_, err := templatefile.Parse("x.yaml", []byte(source.String()))
	var invalid *templatefile.Error
	is.True(errors.As(err, &invalid))
	is.Equal(len(invalid.Problems), templatefile.MaxProblems)
	is.True(invalid.More >= 30)
	is.True(strings.HasSuffix(err.Error(), fmt.Sprintf("\nand %d more", invalid.More)))
}

func FuzzParse(f *testing.F) {
	f.Add("x.yaml", small)
	f.Add("x.json", `{"name": "x", "load": {"workers": 1}}`)
	inputs, _ := filepath.Glob("testdata/*/*")
	for _, input := range inputs {
		if data, err := os.ReadFile(input); err == nil {
			f.Add(input, string(data))
		}
	}
	f.Fuzz(func(t *testing.T, name, source string) {
		list, err := templatefile.Parse(name, []byte(source))
		if err != nil {
			var invalid *templatefile.Error
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || len(list) > 0 {
				t.Fatalf("%d templates with %v", len(list), err)
			}
			return
		}
		for _, template := range list {
			sameAgain(t, template)
		}
	})
}

// sameAgain fails unless a template survives Format and Parse.
func sameAgain(t *testing.T, template core.Template) {
	t.Helper()
	written, err := templatefile.Format(template)
	if err != nil {
		t.Fatal(err)
	}
	again, err := templatefile.Parse("again.yaml", written)
	if err != nil || len(again) != 1 {
		t.Fatalf("%v\n%s", err, written)
	}
	if got, want := asJSON(t, again[0]), asJSON(t, template); got != want {
		t.Fatalf("got %s\nwant %s\nfrom\n%s", got, want, written)
	}
}
