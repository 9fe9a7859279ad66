package benchfleet_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

var update = flag.Bool("update", false, "rewrite testdata/consumer_deps.golden")

const depsGolden = "testdata/consumer_deps.golden"

// consumers are the packages whose cost in dependencies is promised.
var consumers = []string{"core", "runner", "adapters/local"}

// heavy must not reach a consumer, whatever the golden file says.
var heavy = regexp.MustCompile(`docker|moby|snowflake|sqlite|sqlx`)

// TestConsumerDeps compares what a library user compiles in, besides the
// standard library, with the golden list. A new line there is a decision, to be
// seen in review; `task deps:update` writes it.
func TestConsumerDeps(t *testing.T) {
	is := is.New(t)
	var got strings.Builder
	for _, folder := range consumers {
		deps, err := consumerDeps(t, folder)
		is.NoErr(err) // go list
		is.Equal(heavyDeps(deps), nil)
		fmt.Fprintf(&got, "%s\n", folder)
		for _, dep := range deps {
			fmt.Fprintf(&got, "\t%s\n", dep)
		}
	}
	if *update {
		is.NoErr(os.MkdirAll(filepath.Dir(depsGolden), 0o755))
		is.NoErr(os.WriteFile(depsGolden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(depsGolden)
	is.NoErr(err)
	if got.String() != string(want) {
		t.Errorf("what library users pay has changed; if that is wanted, run: go test . -run TestConsumerDeps -update\ngot:\n%swant:\n%s", got.String(), want)
	}
}

// consumerDeps lists what one package compiles in on linux/amd64 without cgo,
// so that the list is the same on every machine.
func consumerDeps(t *testing.T, folder string) ([]string, error) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+folder)
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	return slices.Sorted(slices.Values(strings.Fields(string(out)))), nil
}

func heavyDeps(deps []string) []string {
	var found []string
	for _, dep := range deps {
		if heavy.MatchString(dep) {
			found = append(found, dep)
		}
	}
	return found
}

func TestHeavyDeps(t *testing.T) {
	is := is.New(t)
	is.Equal(heavyDeps([]string{module + "/core", "golang.org/x/sys/unix"}), nil)
	bad := []string{module + "/adapters/docker", "github.com/moby/moby/client", "github.com/snowflakedb/gosnowflake", "modernc.org/sqlite", "github.com/jmoiron/sqlx"}
	is.Equal(heavyDeps(bad), bad)
}
