//go:build unix

package acceptance

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestAcceptancePools: workers draw from the values that were sampled before the
// run, which they read from the store, wherever they are. The operations are the
// same however many workers share the connections, and both runs share one stored
// pool. A pool that is too small refuses the run.
func TestAcceptancePools(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	s.must("template", "import", s.templates("pooled.yaml"))
	first := s.must("run", "pooled", "--output", "json").result(t)
	second := s.must("run", "pooled", "--output", "json", "--workers", "1", "--connections", "6").result(t)
	for _, d := range []document{first, second} {
		is.Equal(d.Status, "COMPLETED")
		is.Equal(d.Total.OK, int64(600))
	}
	is.Equal(first.Operation, second.Operation)
	db := s.openStore()
	defer db.Close()
	if *storeFlag != "snowflake" { // there it is in another schema, and its conformance is tested
		is.Equal(s.number(db, "SELECT COUNT(DISTINCT POOL_ID) FROM TEMPLATE_VALUE_POOLS"), int64(1))
	}

	refused := s.do("run", "pooled", "--set", "mix[0].parameters[0].size=5")
	is.True(refused.code != 0)
	is.True(strings.Contains(refused.stderr, "column ID of table BENCHFLEET_SHORT has 5 values for 6 connections"))
	is.True(strings.Contains(refused.stderr, "lower load.connections to 1, raise size, or name a column with more values"))

	const nothing = `ALTER TABLE "BENCHFLEET_SHORT" ADD COLUMN UNUSED integer`
	switch s.kind {
	case "sqlite":
		target, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "target.db"))
		is.NoErr(err)
		defer target.Close()
		_, err = target.ExecContext(t.Context(), nothing)
		is.NoErr(err)
	case "postgres":
		s.sql(nothing)
	default:
		return
	}
	refused = s.do("run", "pooled", "--set", "mix[0].parameters[0].column=UNUSED")
	is.Equal(refused.code, 4)
	is.True(strings.Contains(refused.stderr, "the pool is empty: column UNUSED of table BENCHFLEET_SHORT has no value that is not NULL"))
	is.Equal(len(s.workers("")), 0) // nothing was launched
}
