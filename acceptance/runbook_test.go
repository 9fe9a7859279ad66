//go:build unix

package acceptance

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"
)

var runbooksFlag = flag.Bool("runbooks", false, "walk the runbooks of docs/runbooks")

const (
	walkLimit = 15 * time.Minute
	// envSQL makes this test binary a client that executes what it reads: it holds
	// the DSN of its session.
	envSQL = "ACCEPTANCE_TEST_SQL"
	// envSteps makes it a browser that does what it reads.
	envSteps = "ACCEPTANCE_TEST_STEPS"
)

// walk makes one shell script of a runbook: its commands as they stand, its SQL by a
// client, and what is done in a browser by one. What is for the reader alone is left
// out. An ingress_url that SQL shows is where the page is from then on.
func walk(text string) (script string, commands int, err error) {
	var out strings.Builder
	out.WriteString("set -euxo pipefail\ntrap 'test -z \"${run:-}\" || benchfleet stop \"$run\" --kill >&2 || true; kill $(jobs -p) 2>/dev/null || true' EXIT\n")
	language := ""
	for line := range strings.Lines(text) {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && language == "":
			if language = fence; language == "" {
				return "", 0, fmt.Errorf("a block has no language: %q", line)
			}
			switch language {
			case "sql":
				out.WriteString("\"$WALK_SELF\" > walked <<'END_OF_SQL'\n")
			case "browser":
				fmt.Fprintf(&out, "%s=1 \"$WALK_SELF\" -test.run '^TestRunbookSteps$' -test.v <<END_OF_STEPS\n", envSteps)
			}
		case isFence:
			switch language {
			case "sql":
				out.WriteString("END_OF_SQL\nif grep ^ingress_url= walked; then PAGE=http://$(sed -n 's/^ingress_url=//p' walked); fi\n")
			case "browser":
				out.WriteString("END_OF_STEPS\n")
			}
			language = ""
		case language == "sh" || language == "sql" || language == "browser":
			out.WriteString(line)
			commands++
		}
	}
	if language != "" {
		return "", 0, fmt.Errorf("a block of %s has no end", language)
	}
	return out.String(), commands, nil
}

// TestRunbooks walks every runbook from its first line to its last, as its reader
// does, in a clone of the last commit.
func TestRunbooks(t *testing.T) {
	if !*runbooksFlag {
		t.Skip("it takes minutes for each runbook: task runbooks")
	}
	for _, tt := range []struct {
		name  string
		ready func(t *testing.T) []string // variables that the reader has
	}{
		{"local", func(*testing.T) []string { return nil }},
		{"single-node", readyNode},
		{"spcs", readySPCS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			text, err := os.ReadFile(filepath.Join("../docs/runbooks", tt.name+".md"))
			is.NoErr(err)
			script, commands, err := walk(string(text))
			is.NoErr(err)
			is.True(commands > 10)
			self, err := os.Executable()
			is.NoErr(err)
			variables := append(tt.ready(t), "WALK_SELF="+self)
			dir := filepath.Join(t.TempDir(), "clone")
			out, err := exec.Command("git", "clone", "--quiet", "--no-hardlinks", "..", dir).CombinedOutput()
			is.NoErr(err)
			t.Logf("%s%d lines", out, commands)
			ctx, cancel := context.WithTimeout(t.Context(), walkLimit)
			defer cancel()
			bash := exec.CommandContext(ctx, "bash", "-c", script)
			bash.Dir, bash.Env = dir, append(os.Environ(), variables...)
			bash.Cancel = func() error { return bash.Process.Signal(syscall.SIGTERM) }
			bash.WaitDelay = time.Minute
			said, err := bash.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			if testing.Verbose() {
				t.Logf("%s", said)
			}
		})
	}
}

// readyNode is a server that containers reach, too.
func readyNode(t *testing.T) []string {
	dockertest.Require(t)
	const bridge = "172.17.0.1"
	database := postgrestest.Start(t, postgrestest.Options{Listen: "127.0.0.1," + bridge})
	return []string{"TARGET=" + database.DSNAt(bridge, postgrestest.Superuser, database.Database(t))}
}

// readySPCS is an account, in which nothing is of benchfleet.
func readySPCS(t *testing.T) []string {
	dockertest.Require(t)
	server := snowflaketest.Start(t, snowflaketest.Options{Containers: true})
	return []string{
		`INSIDE=\&protocol=http`, envSQL + "=" + server.DSN(snowflaketest.In{Role: "ACCOUNTADMIN"}),
		fmt.Sprintf("AT=%s:%s@%s:%d", server.User, server.Password, server.Host, server.Port), "HOW=account=" + server.Account + "&protocol=http",
	}
}

// executeSQL executes every statement of a text in one session, for the shell of a
// runbook.
func executeSQL(dsn string, from io.Reader) error {
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	config, err := sf.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("%s is no DSN", envSQL)
	}
	ctx, cancel := context.WithTimeout(context.Background(), walkLimit)
	defer cancel()
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, *config))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	statements, err := statementsOf(string(text))
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := executeOne(ctx, conn, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// executeOne executes a statement, and writes each column of each row that it
// returns as a line NAME=VALUE.
func executeOne(ctx context.Context, conn *sql.Conn, statement string) error {
	rows, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, name := range names {
			if values[i].Valid {
				fmt.Printf("%s=%s\n", name, values[i].String)
			}
		}
	}
	return rows.Err()
}

// statementsOf are the statements of a text, each up to a semicolon at the end of
// its line, and those of the files that it names by !source. Lines that are comments
// are left out.
func statementsOf(text string) (all []string, err error) {
	var one strings.Builder
	for line := range strings.Lines(text) {
		plain := strings.TrimSpace(line)
		file, isFile := strings.CutPrefix(plain, "!source ")
		switch {
		case strings.HasPrefix(plain, "--"), plain == "":
		case isFile:
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			more, err := statementsOf(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			all = append(all, more...)
		default:
			one.WriteString(line)
			if strings.HasSuffix(plain, ";") {
				all = append(all, strings.TrimSuffix(strings.TrimSpace(one.String()), ";"))
				one.Reset()
			}
		}
	}
	if one.Len() > 0 {
		return nil, fmt.Errorf("a statement has no end: %s", one.String())
	}
	return all, nil
}
