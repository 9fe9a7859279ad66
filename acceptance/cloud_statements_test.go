//go:build unix

package acceptance

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/matryer/is"
)

// plain are the first words of statements that change no object: whatever else
// there is counts as DDL.
var plain = []string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "BEGIN", "COMMIT", "ROLLBACK", "SHOW", "DESCRIBE", "EXPLAIN"}

// plainText are whole statements that change nothing but their session.
var plainText = regexp.MustCompile(`(?is)^\s*ALTER\s+SESSION\b`)

// ddl are the statements that may have changed what there is.
func ddl(statements []snowflaketest.Statement) (found []snowflaketest.Statement) {
	for _, x := range statements {
		if !slices.Contains(plain, x.Kind) && !plainText.MatchString(x.SQL) {
			found = append(found, x)
		}
	}
	return found
}

// storeTag is the QUERY_TAG of a store's sessions.
const storeTag = "benchfleet store"

// launcherTag is the QUERY_TAG of the sessions of the launcher of job services.
const launcherTag = "benchfleet launcher"

// ofLauncher are the statements that start and end workers: they make and drop job
// services, and nothing else. They are DDL by their nature, and the launcher's
// alone.
var ofLauncher = regexp.MustCompile(`(?s)^(EXECUTE JOB SERVICE IN COMPUTE POOL|DROP SERVICE IF EXISTS|CALL \S+!SPCS_CANCEL_JOB\(\))`)

func mustSendNoDDL(t *testing.T, statements []snowflaketest.Statement) {
	t.Helper()
	for _, x := range ddl(statements) {
		if x.Tag == launcherTag && ofLauncher.MatchString(x.SQL) {
			continue
		}
		t.Errorf("DDL, or what may be: session %d, tag %q: %s", x.Session, x.Tag, x.SQL)
	}
}

// TestAcceptanceCloudNoDDL: from the start of run to its end nobody sends DDL, in
// no session; and the check sees what prepare and schema apply send.
func TestAcceptanceCloudNoDDL(t *testing.T) {
	needs(t, storeFlag, "snowflake", "it is about what is sent to Snowflake")
	needs(t, targetFlag, "snowflake", "it is about what is sent to Snowflake")
	is := is.New(t)
	server := cloud.Server(t)
	after := server.Received(t)
	s := newSite(t)
	made, _ := server.Statements(t, after)
	planted := map[string]int{}
	for _, x := range ddl(made) {
		planted[x.Tag]++
	}
	is.True(planted["benchfleet schema"] > 0)   // schema apply
	is.True(planted["benchfleet observer"] > 0) // prepare

	after = server.Received(t)
	is.Equal(s.do("run", "short").code, 0)
	whole, _ := server.Statements(t, after)
	mustSendNoDDL(t, whole)
	by, kinds := map[string]int{}, map[string]int{}
	for _, x := range whole {
		tag, _, _ := strings.Cut(x.Tag, ":") // of the load: benchfleet:run/worker/…
		by[tag]++
		kinds[x.Kind]++
		is.Equal(x.Application, "benchfleet")
	}
	t.Logf("%d statements, by session's tag %v, by kind %v", len(whole), by, kinds)
	for _, tag := range []string{storeTag, "benchfleet observer", "benchfleet"} {
		is.True(by[tag] > 0)
	}
}
