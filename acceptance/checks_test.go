//go:build unix

package acceptance

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// checkEnded checks what every ended run must have left, from the tables and
// from the operating system.
func (s *site) checkEnded(t *testing.T, db *sql.DB, run, status, reason string) core.Certificate {
	t.Helper()
	is := is.New(t)
	is.Equal(s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run), status)
	is.Equal(s.text(db, "SELECT REASON FROM RUN_STATUS WHERE RUN_ID = ?", run), reason)
	is.Equal(len(s.workers(run)), 0)                                                                                                  // every worker process is gone
	is.Equal(len(fleet.witness.left(s, run)), 0)                                                                                      // and nothing of it is left
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'STOP'", run), int64(1))         // STOP is there, once
	is.Equal(s.number(db, "SELECT COUNT(*) - MAX(SEQUENCE_ID) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ?", run), int64(0))              // without gaps
	is.Equal(s.text(db, "SELECT STATUS FROM TEST_RESULTS WHERE TEST_ID = ? AND WORKER_ID IS NULL", run), status)                      // the parent row
	is.Equal(s.number(db, "SELECT COUNT(*) FROM TEST_RESULTS WHERE RUN_ID = ? AND WORKER_ID IS NOT NULL", run), int64(3))             // a child for each worker
	for _, column := range []string{"TOTAL_OPERATIONS", "OK_OPERATIONS", "ERROR_OPERATIONS", "READ_OPERATIONS", "WRITE_OPERATIONS"} { // their sum
		is.Equal(s.number(db, "SELECT "+column+" FROM TEST_RESULTS WHERE TEST_ID = ?", run),
			s.number(db, "SELECT SUM("+column+") FROM TEST_RESULTS WHERE RUN_ID = ? AND WORKER_ID IS NOT NULL", run))
	}
	return s.certificate(t, db, run)
}

// balanced is what the stored ledger of a run says.
func (s *site) balanced(db *sql.DB, run string) bool {
	s.t.Helper()
	var ledger struct{ Balanced bool }
	text := s.text(db, "SELECT LEDGER FROM TEST_RESULTS WHERE TEST_ID = ?", run)
	if err := json.Unmarshal([]byte(text), &ledger); err != nil {
		s.t.Fatalf("ledger: %v: %s", err, text)
	}
	return ledger.Balanced
}

func (s *site) certificate(t *testing.T, db *sql.DB, run string) core.Certificate {
	t.Helper()
	var c core.Certificate
	if err := json.Unmarshal([]byte(s.text(db, "SELECT STOP_CERTIFICATE FROM TEST_RESULTS WHERE TEST_ID = ?", run)), &c); err != nil {
		t.Fatal("stop certificate:", err)
	}
	return c
}

// checkConserved checks that no snapshot is missing and no operation lost: the
// intervals of every worker are numbered without a gap, and the operations in
// them are those of the result.
func (s *site) checkConserved(t *testing.T, db *sql.DB, run string) {
	t.Helper()
	is := is.New(t)
	is.Equal(s.number(db, "SELECT COUNT(*) FROM (SELECT WORKER_ID FROM WORKER_METRICS_SNAPSHOTS WHERE RUN_ID = ? GROUP BY WORKER_ID HAVING COUNT(*) <> MAX(SEQUENCE))", run), int64(0))
	snapshots := s.number(db, "SELECT SUM(TOTAL_QUERIES) FROM WORKER_METRICS_SNAPSHOTS WHERE RUN_ID = ? AND PHASE = 'MEASUREMENT'", run)
	aggregates := s.number(db, "SELECT SUM(TOTAL_QUERIES) FROM METRICS_SNAPSHOTS WHERE RUN_ID = ? AND PHASE = 'MEASUREMENT'", run)
	result := s.number(db, "SELECT TOTAL_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run)
	is.True(result > 0)
	is.Equal(s.number(db, "SELECT TOTAL_OPS FROM RUN_STATUS WHERE RUN_ID = ?", run), result) // what lists show
	is.Equal(snapshots, result)
	is.Equal(aggregates, result)
	is.True(s.balanced(db, run))
}
