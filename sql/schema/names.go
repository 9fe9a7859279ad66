package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// Names replace the placeholders of a dialect with schemas. Those that are empty
// have a default.
type Names struct {
	Database string // {database}; UNISTORE_BENCHMARK
	Config   string // {config}, the schema of templates; CONFIG
	Results  string // {results}, the schema of everything else; TEST_RESULTS

	Orchestrator string // {orchestrator}, a role; BENCHFLEET_ORCHESTRATOR
	Worker       string // {worker}, a role; BENCHFLEET_WORKER
	Viewer       string // {viewer}, a role; BENCHFLEET_VIEWER

	ControlWarehouse string // {control_warehouse}, of the store; BENCHFLEET_CONTROL_WH
	Warehouse        string // {warehouse}, under test; BENCHFLEET_WH
}

// Fill writes the names into DDL, each as a quoted identifier. Errors: a name
// that is no identifier, which tells its placeholder; a placeholder that is left.
func (n Names) Fill(text string) (string, error) {
	var pairs []string
	for _, name := range []struct{ placeholder, given, fallback string }{
		{"database", n.Database, "UNISTORE_BENCHMARK"}, {"config", n.Config, "CONFIG"}, {"results", n.Results, "TEST_RESULTS"},
		{"orchestrator", n.Orchestrator, "BENCHFLEET_ORCHESTRATOR"}, {"worker", n.Worker, "BENCHFLEET_WORKER"},
		{"viewer", n.Viewer, "BENCHFLEET_VIEWER"}, {"control_warehouse", n.ControlWarehouse, "BENCHFLEET_CONTROL_WH"},
		{"warehouse", n.Warehouse, "BENCHFLEET_WH"},
	} {
		quoted, err := Quote(cmp.Or(name.given, name.fallback))
		if err != nil {
			return "", fmt.Errorf("%s %w", name.placeholder, err)
		}
		pairs = append(pairs, "{"+name.placeholder+"}", quoted)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	if left := placeholder.FindString(text); left != "" {
		return "", fmt.Errorf("the DDL has a placeholder %s that has no name", left)
	}
	return text, nil
}

var (
	placeholder = regexp.MustCompile(`\{[a-z_]+\}`)
	plain       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*$`)
)

// maxIdentifier is how long an identifier of Snowflake may be.
const maxIdentifier = 255

// Quote makes an identifier of Snowflake safe to stand in a statement. Like
// Snowflake it takes a plain name for its upper case; one in double quotes is
// taken as it is.
func Quote(name string) (string, error) {
	if inner, found := strings.CutPrefix(name, `"`); found && len(name) > 2 && strings.HasSuffix(inner, `"`) {
		inner = strings.TrimSuffix(inner, `"`)
		if strings.Contains(strings.ReplaceAll(inner, `""`, ""), `"`) || len(inner) > maxIdentifier || strings.ContainsFunc(inner, func(r rune) bool { return r < ' ' }) {
			return "", badName(name)
		}
		return name, nil
	}
	if !plain.MatchString(name) || len(name) > maxIdentifier {
		return "", badName(name)
	}
	return `"` + strings.ToUpper(name) + `"`, nil
}

// Bare is the identifier that Quote makes, as the catalogue of Snowflake holds it.
func Bare(quoted string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`), `""`, `"`)
}

func badName(name string) error {
	return fmt.Errorf("is %.80q; allowed: up to %d letters, digits, _ and $, the first no digit; other names in double quotes", name, maxIdentifier)
}
