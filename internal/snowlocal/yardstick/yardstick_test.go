package yardstick

import (
	"context"
	"flag"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
)

var update = flag.Bool("update", false, "list in tests.txt what passes as pass")

// minPasses is how many tests must be listed as pass at least: all that ever were.
// It never falls, also not by an entry that is given a reason.
const minPasses = 134

const (
	buildLimit = 8 * time.Minute   // a machine with an empty cache compiles all that the driver needs
	testLimit  = 60 * time.Second  // for a test
	slowLimit  = 120 * time.Second // for one that passes slowly
	runLimit   = 5 * time.Minute   // for all
)

// kit removes what it has built at the end.
var kit snowflaketest.Shared

func TestMain(m *testing.M) { os.Exit(kit.Run(m)) }

// TestDriver runs the driver's tests of the list against a stand-in.
func TestDriver(t *testing.T) {
	if testing.Short() {
		t.Skip("the driver's tests take minutes")
	}
	l := readList(t)
	server := snowflaketest.Start(t, snowflaketest.Options{})
	d := build(t, l)
	passing := l.tests(entry.passes)
	if len(passing) < minPasses {
		t.Errorf("%s lists %d tests as pass; there must be %d", listFile, len(passing), minPasses)
	}
	t.Run("they pass", func(t *testing.T) {
		n := compare(t, l, d.runAll(t, environment(server, server.Password, t.TempDir()), batches(l)))
		t.Logf("%d of %d tests of %s pass", n, len(l.entries), d.version)
		if *update {
			if err := os.WriteFile(listFile, []byte(l.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("they talk to the server", func(t *testing.T) {
		env := append(environment(server, "wrong", t.TempDir()), "SKIP_SETUP=true") // which would end all at once
		for test, o := range d.runAll(t, env, []batch{{passing, testLimit}}) {
			if o.is == passed {
				t.Errorf("%s passes with a wrong password, so it does not talk to the server: it does not belong into %s", test, listFile)
			}
		}
	})
}

// build builds the driver's tests, and holds the list to them.
func build(t *testing.T, l list) driver {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildLimit)
	defer cancel()
	d, err := buildDriver(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d.version != l.driver {
		t.Fatalf("%s is for %s, and this module uses %s: look which tests are new, and which are gone", listFile, l.driver, d.version)
	}
	there, err := d.tests(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.entries {
		if !slices.Contains(there, e.test) {
			t.Errorf("%s lists %s, which %s does not have", listFile, e.test, d.version)
		}
	}
	return d
}

// compare holds the list to how its tests ended, and returns how many passed. The
// entries of those that passed are pass after it.
func compare(t *testing.T, l list, outcomes map[string]outcome) (n int) {
	t.Helper()
	for i, e := range l.entries {
		o, ran := outcomes[e.test]
		switch {
		case o.is == passed:
			n++
			if !e.passes() {
				t.Logf("%s passes, and is listed with %q: list it as pass (-update does)", e.test, e.says)
				l.entries[i].says = passes
			}
		case e.passes():
			t.Errorf("%s is listed as %s; how it ends: %s\n%s", e.test, e.says, o.is, o.output)
		case ran:
			t.Logf("%s (%s), how it ends: %s\n%s", e.test, e.says, o.is, o.output)
		}
	}
	return n
}

// A batch of tests is run one after the other.
type batch struct {
	tests []string
	limit time.Duration // for each
}

// batches are the tests that run: two batches of quick ones, and the slow ones,
// which do little but wait, each in a batch of its own.
func batches(l list) []batch {
	slow := l.tests(func(e entry) bool { return e.says == passesSlowly })
	quick := l.tests(func(e entry) bool { return e.says != passesSlowly && !strings.HasPrefix(e.says, notRun) })
	list := []batch{{limit: testLimit}, {limit: testLimit}}
	for i, test := range quick {
		list[i%2].tests = append(list[i%2].tests, test)
	}
	for _, test := range slow {
		list = append(list, batch{[]string{test}, slowLimit})
	}
	return list
}

// runAll runs batches at the same time.
func (d driver) runAll(t *testing.T, env []string, batches []batch) map[string]outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	all := map[string]outcome{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, b := range batches {
		group.Go(func() {
			outcomes, err := d.run(ctx, env, b.tests, b.limit)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(all, outcomes)
		})
	}
	group.Wait()
	return all
}

// nowhere is a proxy that does not exist: the discard port of loopback.
const nowhere = "http://127.0.0.1:9"

// environment points the driver's tests at the stand-in, and at nothing else that
// this process knows of.
func environment(s *snowflaketest.Server, password, home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "TZ=UTC",
		"SNOWFLAKE_TEST_PROTOCOL=http", "SNOWFLAKE_TEST_HOST=" + s.Host, "SNOWFLAKE_TEST_PORT=" + strconv.Itoa(s.Port),
		"SNOWFLAKE_TEST_ACCOUNT=" + s.Account, "SNOWFLAKE_TEST_USER=" + s.User, "SNOWFLAKE_TEST_PASSWORD=" + password,
		"SNOWFLAKE_TEST_ROLE=" + s.Role, "SNOWFLAKE_TEST_WAREHOUSE=" + s.Warehouse,
		"SNOWFLAKE_TEST_DATABASE=" + s.Database, "SNOWFLAKE_TEST_SCHEMA=PUBLIC",
		"HTTP_PROXY=" + nowhere, "HTTPS_PROXY=" + nowhere, // what is not for loopback goes nowhere
		"SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true", "SF_DISABLE_MINICORE=true",
	}
}
