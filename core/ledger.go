package core

import "fmt"

// BalanceLedger checks the two equations that hold when nothing is left to do:
// scheduled = started + skipped + unserved, and started = ok + error + aborted
// + lost. Problem says which one does not, with figures.
func BalanceLedger(counts Counts) Ledger {
	ledger := Ledger{Counts: counts}
	if became := counts.Started + counts.Skipped + counts.Unserved; became != counts.Scheduled {
		ledger.Problem = fmt.Sprintf("%d operations were scheduled, but %d accounted for (%d started, %d skipped, %d unserved)",
			counts.Scheduled, became, counts.Started, counts.Skipped, counts.Unserved)
	}
	if ended := counts.Done() + counts.Lost; ended != counts.Started {
		if ledger.Problem != "" {
			ledger.Problem += "; "
		}
		ledger.Problem += fmt.Sprintf("%d operations were started, but %d accounted for (%d ok, %d errors, %d aborted, %d lost)",
			counts.Started, ended, counts.OK, counts.Errors, counts.Aborted, counts.Lost)
	}
	ledger.Balanced = ledger.Problem == ""
	return ledger
}
