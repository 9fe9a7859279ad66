package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// ran is what one command left.
type ran struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, environ []string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Main(args, environ, &stdout, &stderr)
	return ran{code, stdout.String(), stderr.String()}
}

// site is a data directory with a store, and with a small table behind the
// built-in template.
func site(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{{"schema", "apply"}, {"template", "import", "oltp"}, {"prepare", "oltp", "--rows", "100"}} {
		if got := run(t, nil, append([]string{"--dir", dir}, args...)...); got.code != 0 {
			t.Fatalf("%v: exit %d: %s", args, got.code, got.stderr)
		}
	}
	return dir
}

// TestUsage: each mistake gets one message that says what is wrong and what is
// allowed or what to do, on stderr alone, and the exit code 2.
func TestUsage(t *testing.T) {
	dir := site(t)
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		env  string
		says []string
	}{
		{args: "rnu", says: []string{`"rnu"`, `did you mean "run"`}},
		{args: "template shwo", says: []string{`did you mean "show"`}},
		{args: "schema foo", says: []string{`"foo"`, "allowed: apply, check, print"}},
		{args: "completion foo", says: []string{`"foo"`, "allowed: bash"}},
		{args: "help foo", says: []string{`"foo"`, "allowed: "}},
		{args: "help tempalte", says: []string{`did you mean "template"`}},
		{args: "help template shwo", says: []string{`did you mean "show"`}},
		{args: "run", says: []string{"TEMPLATE is missing", "run --help"}},
		{args: "run a b", says: []string{"TEMPLATE", `"b" is too much`}},
		{args: "run ''", says: []string{"TEMPLATE is empty"}},
		{args: "runs x", says: []string{"takes no argument", `"x"`}},
		{args: "run oltp --wrokers 3", says: []string{"unknown flag: --wrokers", "did you mean --workers?", "--help"}},
		{args: "run oltp --outptu json", says: []string{"unknown flag: --outptu", "did you mean --output?"}}, // of every command
		{args: "run oltp --zzzzzzzz", says: []string{"unknown flag: --zzzzzzzz\n", "--help"}},
		{args: "run oltp -x", says: []string{"unknown shorthand flag: 'x' in -x", "--help"}},
		// Before a store is looked for:
		{args: "run oltp --rate abc --dir nowhere", says: []string{"--rate", `"abc"`, "a number"}},
		{args: "preflight oltp --duration 10 --store snowflake:nobody@nowhere.invalid/d", says: []string{"--duration", "a duration with a unit"}},
		{args: "run oltp --operations 0 --dir nowhere", says: []string{"--operations", "above 0"}},
		{args: "run oltp --set load.conections=3 --dir nowhere", says: []string{"load.conections", "load.connections"}},
		{args: "run oltp --set x --dir nowhere", says: []string{"KEY=VALUE"}},
		{args: "run oltp --dir nowhere", env: "BENCHFLEET_RATE=abc", says: []string{"--rate", `"abc"`}},
		{args: "runs --limit 0", says: []string{"--limit is 0", "1 to 1000"}},
		{args: "runs --limit 1001", says: []string{"1 to 1000"}},
		{args: "runs --limit abc", says: []string{`--limit is "abc"`, "a whole number", "runs --help"}},
		{args: "runs --verbose=maybe", says: []string{`--verbose is "maybe"`, "true, false"}},
		{args: "runs", env: "BENCHFLEET_LIMIT=x", says: []string{`BENCHFLEET_LIMIT is "x"`, "a whole number"}},
		{args: "version", env: "BENCHFLEET_VERBOSE=maybe", says: []string{`BENCHFLEET_VERBOSE is "maybe"`, "true, false"}},
		{args: "version", env: "BENCHFLEET_OUTPUT=yaml", says: []string{`"yaml"`, "text, json"}},
		{args: "runs --output xml", says: []string{`--output is "xml"`, "text, json"}},
		{args: "runs --dir ''", says: []string{"--dir is empty"}},
		{args: "preflight oltp --launcher spcs --launcher-option disk=1", says: []string{"disk", "pool, image, schema"}},
		{args: "preflight oltp --launcher spcs --launcher-option pool=a --launcher-option pool=b", says: []string{"pool is given twice"}},
		{args: "runs --store oracle:x", says: []string{`"oracle:x"`, "sqlite:PATH"}},
		{args: "runs --store sqlite:", says: []string{"sqlite:PATH"}},
		{args: "runs --store sqlite::memory:", says: []string{"PATH is a file"}},
		{args: "schema apply --store x", says: []string{"sqlite:PATH"}},
		{args: "runs --store oracle:me:hush@host", says: []string{`"oracle:…"`, "snowflake:ADDRESS"}},
		{args: "runs --store snowflake:me:hush@acme/db", says: []string{"--store has a secret", "BENCHFLEET_STORE", "connection:NAME"}},
		{args: "runs", env: "BENCHFLEET_STORE=snowflake:me:hush@acme/db?colour=red", says: []string{`"colour"`, "warehouse"}},
		{args: "runs --store snowflake:connection:nobody", says: []string{"nobody"}},
		{args: "runs --endpoint local", says: []string{`--endpoint is "local"`, "NAME=FILE"}},
		{args: "runs --endpoint =x", says: []string{"NAME=FILE"}},
		{args: "runs --endpoint a=x --endpoint a=y", says: []string{`"a" twice`}},
		{args: "run oltp --endpoint lcal=" + empty, says: []string{`"lcal"`, `the endpoint "local"`}},
		{args: "prepare oltp --endpoint lcal=" + empty, says: []string{`"lcal"`, `"local"`}},
		{args: "run oltp --endpoint local=" + empty, says: []string{`endpoint "local" has no address`, empty}},
		{args: "run oltp", env: "BENCHFLEET_ENDPOINT=local=/nowhere", says: []string{"--endpoint local", "/nowhere"}},
		{args: "run oltp", env: "BENCHFLEET_ENDPOINT_LOCAL_FILE=/nowhere", says: []string{`"local"`, "/nowhere"}},
		{args: "run oltp --set target.endpoint=prod", says: []string{"BENCHFLEET_ENDPOINT_PROD", "--endpoint prod=FILE"}},
		{args: "run oltp --set target.kind=oracle", says: []string{`target.kind is "oracle"`, "allowed: sqlite"}},
		{args: "run oltp --launcher podman", says: []string{`--launcher is "podman"`, "allowed: local, docker, spcs, plugin:PATH"}},
		{args: "run oltp --workers 0", says: []string{"load.workers"}},
		{args: "run oltp --workers three", says: []string{"--workers", `"three"`, "a whole number"}},
		{args: "run oltp --workers 1000000", says: []string{"load.workers is 1000000", "1 to 1000"}},
		{args: "run oltp --duration 10", says: []string{"--duration", "a duration with a unit"}},
		{args: "run oltp --duration=", says: []string{"--duration", "a duration with a unit"}},
		{args: "run oltp --duration 0s", says: []string{"--duration", "above 0"}},
		{args: "run oltp --duration=-1s", says: []string{"load.duration", "cannot be negative"}},
		{args: "run oltp --operations 0", says: []string{"--operations", "above 0"}},
		{args: "run oltp", env: "BENCHFLEET_WORKERS=0", says: []string{"load.workers"}},
		{args: "run oltp --set load.conections=3", says: []string{"load.conections", "load.connections"}},
		{args: "run oltp --set x", says: []string{"KEY=VALUE"}},
		{args: "prepare oltp --rows 1e6", says: []string{`--rows is "1e6"`, "above 0"}},
		{args: "prepare oltp --rows=", says: []string{"--rows"}},
		{args: "prepare oltp --rows 5 --drop", says: []string{"rows", "drop"}},
		{args: "prepare nothing", says: []string{`"nothing"`, "template list", "built in: ", "oltp"}},
		{args: "template show nothing", says: []string{"template list"}},
		{args: "template delete nothing", says: []string{"template list"}},
		{args: "template import", says: []string{"at least one file", "oltp"}},
		{args: "template validate nothing.yaml", says: []string{"nothing.yaml", "built in: ", "oltp"}},
		{args: "result nothing", says: []string{`"nothing"`, "benchfleet runs"}},
		{args: "status nothing", says: []string{"benchfleet runs"}},
		{args: "events nothing", says: []string{"benchfleet runs"}},
		{args: "logs nothing", says: []string{"benchfleet runs"}},
		{args: "watch nothing", says: []string{"benchfleet runs"}},
		{args: "stop nothing", says: []string{"benchfleet runs"}},
		{args: "orchestrator x", says: []string{"takes no argument", `"x"`}},
		{args: "orchestrator --launcher podman", says: []string{`--launcher is "podman"`}},
		{args: "orchestrator --run nothing --launcher local --launcher docker", says: []string{"--launcher is given 2 times"}},
		{args: "controller --launcher podman", says: []string{`--launcher is "podman"`}},
		{args: "controller --listen 0.0.0.0:0", says: []string{"--listen", "--token-file", "benchfleet token"}},
		{args: "controller --listen :0", says: []string{"--token-file"}},
		{args: "controller --listen nowhere", says: []string{"--listen", "HOST:PORT"}},
		{args: "controller --listen 127.0.0.1:0 --token-file /nowhere", says: []string{"--token-file", "benchfleet token"}},
		{args: "controller --listen 127.0.0.1:0 --token-file " + empty, says: []string{"--token-file", "lets nobody in"}},
		{args: "controller --listen 127.0.0.1:0 --operator ada", says: []string{"--operator", "Snowpark"}},
		{args: "controller --listen 127.0.0.1:0 --prefix x", says: []string{"--prefix", "/benchfleet"}},
		{args: "token", says: []string{"NAME is missing"}},
		{args: "token ada", says: []string{"--token-file is missing"}},
		{args: "token ada --role king --token-file " + empty, says: []string{`"king"`, "viewer, operator"}},
		{args: "token a/b --token-file " + empty, says: []string{"the name"}},
		{args: "orchestrator --run nothing", says: []string{"benchfleet runs"}},
		{args: "stop a\x1b[31mb", says: []string{"benchfleet runs"}},
		{args: "runs --store sqlite:/nowhere/store.db", says: []string{"/nowhere/store.db", "schema apply"}},
	} {
		t.Run(tt.args+" "+tt.env, func(t *testing.T) {
			is := is.New(t)
			args := append([]string{"--dir", dir}, strings.Fields(tt.args)...)
			for i := range args {
				if args[i] == "''" {
					args[i] = ""
				}
			}
			got := run(t, []string{tt.env}, args...)
			t.Log(got.stderr)
			is.Equal(got.code, ExitUsage)
			is.Equal(got.stdout, "")
			is.True(strings.HasPrefix(got.stderr, "benchfleet: "))
			is.True(!strings.Contains(got.stderr, "\x1b"))
			is.True(!strings.Contains(got.stderr, "hush")) // no password
			for _, text := range tt.says {
				is.True(strings.Contains(got.stderr, text)) // it helps
			}
		})
	}
	t.Run("nothing has happened", func(t *testing.T) {
		is.New(t).Equal(run(t, nil, "--dir", dir, "runs", "-o", "json").stdout, "[]\n")
	})
}

// TestJSON: with --output json, stdout is one JSON document and nothing else.
func TestJSON(t *testing.T) {
	dir := site(t)
	template := filepath.Join(dir, "mine.yaml")
	if err := os.WriteFile(template, []byte(run(t, nil, "--dir", dir, "template", "show", "oltp").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		has  string // a key of the document, or of its first element
	}{
		{"version", 0, "id"},
		{"schema apply", 0, "store"},
		{"schema check", 0, "findings"},
		{"schema print", 0, "ddl"},
		{"template import " + template, 0, "template_id"},
		{"template list", 0, "template_id"},
		{"template show oltp", 0, "mix"},
		{"template schema", 0, "$schema"},
		{"template validate " + template, 0, "valid"},
		{"prepare oltp --rows 100", 0, "rows"},
		{"prepare oltp --drop --set table.name=OTHER", 0, "dropped"},
		{"preflight oltp --set table.rows=100", 0, "findings"},
		{"preflight oltp", 4, "findings"},
		{"preflight nothing", 4, "findings"},
		{"preflight oltp --store sqlite:/nowhere", 4, "findings"},
		{"run nothing", 4, "findings"},
		{"runs", 0, ""},
		{"gc", 0, ""},
		{"template delete oltp", 0, "deleted"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			is := is.New(t)
			got := run(t, []string{"BENCHFLEET_OUTPUT=json", "BENCHFLEET_DIR=" + dir}, strings.Fields(tt.args)...)
			t.Log(got.stderr)
			is.Equal(got.code, tt.code)
			var document any
			is.NoErr(json.Unmarshal([]byte(got.stdout), &document))
			if list, ok := document.([]any); ok && tt.has != "" {
				document = list[0]
			}
			if tt.has != "" {
				_, ok := document.(map[string]any)[tt.has]
				is.True(ok)
			}
		})
	}
}

// TestRefusals: a store that is not there or not complete refuses with exit code
// 4, says how to mend it once, and is left as it is.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store.db")
	t.Run("no store", func(t *testing.T) {
		is := is.New(t)
		got := run(t, nil, "--dir", dir, "run", "oltp")
		is.Equal(got.code, ExitRefused)
		is.True(strings.Contains(got.stderr, "schema apply --store sqlite:"+store))
		_, err := os.Stat(store)
		is.True(os.IsNotExist(err))
	})
	t.Run("no schema", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.WriteFile(store, nil, 0o600))
		got := run(t, nil, "--dir", dir, "run", "oltp")
		is.Equal(got.code, ExitRefused)
		is.True(strings.Contains(got.stderr, "no table RUN_STATUS"))
		is.Equal(strings.Count(got.stderr, "schema apply"), 1)
		info, err := os.Stat(store)
		is.NoErr(err)
		is.Equal(info.Size(), int64(0))
	})
	t.Run("no template", func(t *testing.T) {
		is := is.New(t)
		is.Equal(run(t, nil, "--dir", dir, "schema", "apply").code, 0)
		got := run(t, nil, "--dir", dir, "run", "oltp")
		is.Equal(got.code, ExitRefused)
		is.True(strings.Contains(got.stderr, "benchfleet template import oltp"))
	})
}

// TestSettings: flags, then the environment, then the defaults.
func TestSettings(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		want    string
	}{
		{"the environment", []string{"BENCHFLEET_DIR=" + one}, nil, filepath.Join(one, "store.db")},
		{"the last one counts", []string{"BENCHFLEET_DIR=" + two, "BENCHFLEET_DIR=" + one}, nil, filepath.Join(one, "store.db")},
		{"a flag wins", []string{"BENCHFLEET_DIR=" + one}, []string{"--dir", two}, filepath.Join(two, "store.db")},
		{"an empty variable is none", []string{"BENCHFLEET_STORE=", "BENCHFLEET_DIR=" + one}, nil, filepath.Join(one, "store.db")},
		{"one variable of two", []string{"BENCHFLEET_STORE=sqlite:" + two + "/x.db", "BENCHFLEET_DIR=" + one}, nil, filepath.Join(two, "x.db")},
		{"the worker contract changes nothing", []string{"BENCHFLEET_DIR=" + one, "BENCHFLEET_RUN_ID=r", "BENCHFLEET_WORKER_ID=worker-0",
			"BENCHFLEET_WORKER_GROUP_ID=0", "BENCHFLEET_WORKER_GROUP_COUNT=1", "BENCHFLEET_EPOCH=1", "BENCHFLEET_EXIT_RECORD=x"}, nil, filepath.Join(one, "store.db")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			got := run(t, append(tt.environ, "BENCHFLEET_OUTPUT=json"), append([]string{"schema", "apply"}, tt.args...)...)
			var document struct{ Store string }
			is.NoErr(json.Unmarshal([]byte(got.stdout), &document))
			is.Equal(document.Store, "sqlite:"+tt.want)
		})
	}
	t.Run("relative paths stay where they are meant", func(t *testing.T) {
		is := is.New(t)
		t.Chdir(one)
		is.Equal(run(t, nil, "schema", "apply", "--store", "sqlite:rel.db").stdout, "the schema is in place: sqlite:"+filepath.Join(one, "rel.db")+"\n")
	})
	t.Run("text by default", func(t *testing.T) {
		is := is.New(t)
		is.True(strings.HasPrefix(run(t, nil, "version").stdout, "benchfleet "))
		is.True(strings.HasPrefix(run(t, []string{"BENCHFLEET_OUTPUT=json"}, "version", "-o", "text").stdout, "benchfleet "))
	})
}

// TestHelp: every command teaches: a sentence, and an example where there is
// something to choose.
func TestHelp(t *testing.T) {
	root := (&app{}).root()
	for _, cmd := range root.Commands() {
		t.Run(cmd.Name(), func(t *testing.T) {
			is := is.New(t)
			got := run(t, nil, cmd.Name(), "--help")
			is.Equal(got.code, 0)
			is.True(strings.Contains(got.stdout, "Usage:"))
			is.True(cmd.Short != "")
			is.True(!strings.Contains(got.stdout, " string ")) // the value of a flag has a name
		})
	}
	is.New(t).Equal(run(t, nil, "help", "template", "show").stdout, run(t, nil, "template", "show", "--help").stdout)
	is.New(t).True(strings.Contains(run(t, nil, "run", "--help").stdout, "7  the run completed, but its verdict is INVALID"))
}

func TestPrepareTwiceAndDrop(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	do := func(args ...string) string {
		return run(t, nil, append([]string{"--dir", dir, "prepare", "oltp"}, args...)...).stdout
	}
	is.True(strings.HasPrefix(do("--rows", "1500"), "BENCHFLEET_OLTP has its 1,500 rows"))
	is.True(strings.HasPrefix(do("--rows", "10"), "BENCHFLEET_OLTP has its 10 rows")) // of more
	is.Equal(do("--drop"), "dropped BENCHFLEET_OLTP\n")
	is.Equal(do("--drop"), "there is no table BENCHFLEET_OLTP\n")
	is.True(strings.HasPrefix(do("--rows", "10", "--set", "table.name=OTHER"), "OTHER has its 10 rows"))
}

// A repeatable flag takes a value from each line of its variable.
func TestRepeatableInTheEnvironment(t *testing.T) {
	is := is.New(t)
	a := &app{environ: []string{"BENCHFLEET_LAUNCHER_OPTION=image=mine\nmemory=64m"}, out: io.Discard, err: io.Discard}
	root := a.root()
	root.SetArgs([]string{"version", "--dir", t.TempDir()})
	is.NoErr(root.Execute())
	is.Equal(a.options, []string{"image=mine", "memory=64m"})
}
