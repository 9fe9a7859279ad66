package benchfleet_test

import (
	"regexp"
	"testing"

	"github.com/matryer/is"
)

// This file is the architecture of the module as a test. It reads sources and
// never builds them, so it needs no dependency and takes less than a second.
// Types are checked without the standard library's: a type that is spelled in
// this module is known exactly, anything that comes out of a foreign package is
// unknown and passes. TestArchitectureRules plants one violation of each rule,
// so that no rule can go blind unseen.

const module = "github.com/benchfleet/benchfleet"

// everything, as the only entry of row.may, allows every import.
const everything = "*"

// A row is one line of the table of layers. It covers its folder and those
// below it, unless a row with a longer folder does.
type row struct {
	folder string
	may    []string // rows it may import, besides its own
	kit    bool     // a main, a test kit or generated code: may read the environment, hold state, use init
	ddl    bool     // may hold DDL text
}

// layers is the table of layers. A folder in no row fails: give it a row, here
// and in CONTRIBUTING.md, before its first file.
var layers = []row{
	{folder: "."},
	{folder: "core"},
	{folder: "ports", may: []string{"core"}},
	{folder: "ports/porttest", may: []string{"core", "ports"}, kit: true},
	{folder: "runner", may: []string{"core", "ports"}},
	{folder: "worker", may: []string{"core", "ports"}},
	{folder: "controller", may: []string{"core", "ports", "report", "client", "templatefile", "library"}},
	{folder: "client", may: []string{"core"}},
	{folder: "templatefile", may: []string{"core"}},
	{folder: "library", may: []string{"core", "templatefile"}},
	{folder: "health", may: []string{"core"}},
	{folder: "report", may: []string{"core", "ports"}},
	{folder: "adapters/local", may: []string{"core", "ports"}},
	{folder: "adapters/docker", may: []string{"core", "ports"}},
	{folder: "adapters/docker/dockertest", kit: true},
	{folder: "adapters/spcs", may: []string{"core", "ports"}},
	{folder: "adapters/plugin", may: []string{"core", "ports", "adapters/plugin/internal/launcherpb"}},
	{folder: "adapters/plugin/internal/launcherpb", kit: true}, // generated
	{folder: "adapters/sqlite", may: []string{"core", "ports", "adapters/sqlstore", "sql/schema"}},
	{folder: "adapters/snowflake", may: []string{"core", "ports", "adapters/sqlstore", "sql/schema"}},
	{folder: "adapters/snowflake/snowflaketest", may: []string{"internal/pgcluster"}, kit: true},
	{folder: "adapters/postgres", may: []string{"core", "ports", "sql/schema"}},
	{folder: "adapters/postgres/postgrestest", may: []string{"internal/pgcluster"}, kit: true},
	{folder: "adapters/gateway", may: []string{"core", "ports"}},
	{folder: "adapters/memory", may: []string{"core", "ports"}},
	{folder: "adapters/fault", may: []string{"core", "ports"}},
	{folder: "adapters/sqlstore", may: []string{"core", "ports", "sql/schema"}},
	{folder: "sql/schema", ddl: true},
	{folder: "internal/pgcluster"},
	{folder: "internal/snowlocal", may: []string{"core"}, ddl: true}, // it parses DDL
	{folder: "cmd/snowlocal", may: []string{"core", "internal/pgcluster", "internal/snowlocal"}, kit: true},
	{folder: "cmd/benchfleet", may: []string{everything}, kit: true},
	{folder: "examples/local", may: []string{everything}, kit: true},
	{folder: "examples/docker", may: []string{everything}, kit: true},
	{folder: "examples/spcs", may: []string{everything}, kit: true},
	{folder: "examples/snowflake", may: []string{everything}, kit: true},
	{folder: "examples/plugin", may: []string{everything}, kit: true},
	{folder: "internal/sim", may: []string{everything}, kit: true},
	{folder: "bench", may: []string{everything}, kit: true},
	{folder: "parity", may: []string{everything}, kit: true},
	{folder: "acceptance", may: []string{everything}, kit: true},
}

// testsMayImport is what the tests of any row may import besides the row's own
// share. The tests of the root folder may import everything.
var testsMayImport = []string{
	"adapters/memory", "adapters/fault", "ports/porttest", "adapters/docker/dockertest", "adapters/postgres/postgrestest",
	"adapters/snowflake/snowflaketest",
}

// homes says where a heavy dependency may live. Rows that may import everything
// are free; so are tests.
var homes = map[string][]string{
	"github.com/jmoiron/sqlx":        {"adapters/sqlstore", "adapters/sqlite", "adapters/snowflake", "adapters/spcs"},
	"modernc.org/":                   {"adapters/sqlite"},
	"github.com/snowflakedb/":        {"adapters/snowflake", "adapters/snowflake/snowflaketest"},
	"github.com/BurntSushi/toml":     {"adapters/snowflake"},
	"github.com/youmark/pkcs8":       {"adapters/snowflake"},
	"github.com/jackc/":              {"adapters/postgres", "internal/snowlocal"},
	"github.com/moby/":               {"adapters/docker", "internal/snowlocal"},
	"github.com/docker/":             {"adapters/docker", "adapters/docker/dockertest", "internal/snowlocal"},
	"github.com/hashicorp/go-plugin": {"adapters/plugin"},
	"google.golang.org/":             {"adapters/plugin", "adapters/plugin/internal/launcherpb"},
	"github.com/prometheus/":         {"health"},
	"github.com/danielgtaylor/":      {"controller"},
	"github.com/charmbracelet/":      {},
	"github.com/spf13/":              {},
}

// standardOnly are the rows that import nothing from outside the standard
// library: what a caller of the library meets in signatures.
var standardOnly = []string{"core", "ports", "client"}

// coreMayImport is the standard library as core sees it: values in, values out.
var coreMayImport = []string{
	"bytes", "cmp", "crypto/sha256", "encoding", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json",
	"errors", "fmt", "hash", "hash/crc32", "hash/fnv", "iter", "maps", "math", "math/bits", "math/rand/v2", "regexp",
	"slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
}

// coreMayNotUse are the names, by import path, that break the purity of core
// although their package does not. A list that starts with "only" turns round.
var coreMayNotUse = map[string][]string{
	"time": {
		"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc", // the clock
		"Local", "LoadLocation", // the machine's time zones
	},
	"fmt":          {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"math/rand/v2": {"only", "New", "NewPCG", "NewZipf", "NewChaCha8", "Rand", "PCG", "Zipf", "ChaCha8", "Source"}, // the rest is seeded by the machine
}

// pureCalls may initialise a package variable in core, as may functions of core.
var pureCalls = []string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer"}

// environment are the functions of os and syscall by which a package would read
// or change its process's environment behind its caller's back.
var environment = []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv"}

// mayReadEnvironment are the only functions outside mains and tests that may,
// by folder and name, and why. An entry that is no longer needed fails.
var mayReadEnvironment = map[string]string{
	"worker.RunIfChild": "first line of a library user's main: the worker contract arrives in environment variables",
}

// ddl catches statements in prose too; a message can say it in other words.
var ddl = regexp.MustCompile(`(?i)\b(create|alter|drop)\s+(or\s+replace\s+)?((temp|temporary|transient|hybrid|unlogged|virtual)\s+)*table\b`)

// maxExampleLines keeps an example one screenful or two: under 100 lines.
const maxExampleLines = 99

func TestArchitecture(t *testing.T) {
	is := is.New(t)
	tree, err := readTree(".")
	is.NoErr(err)
	for _, v := range tree.violations() {
		t.Error(v)
	}
	for door := range mayReadEnvironment {
		if !tree.used[door] {
			t.Errorf("mayReadEnvironment names %s, which does not read the environment: remove the entry", door)
		}
	}
}
