package worker

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// stepLog holds, for each entry in the log of a recorder that is a transaction,
// when its statements and its COMMIT began: the entry's own stamps are the
// beginning of BEGIN and the end of COMMIT. It is written and absorbed as the
// entry is, so that others may read what is published and nothing else.
type stepLog struct {
	statements []int // of each kind; 0 for what is no transaction
	width      int   // stamps of an entry at most
	stamps     []time.Duration
}

// newStepLog makes the log for the operations of a mix; nil when no transaction
// is among them.
func newStepLog(operations []operation) *stepLog {
	s := &stepLog{statements: make([]int, len(operations))}
	for i, op := range operations {
		if op.transaction {
			s.statements[i] = op.statements
			s.width = max(s.width, op.statements+1)
		}
	}
	if s.width == 0 {
		return nil
	}
	s.stamps = make([]time.Duration, logSize*s.width)
	return s
}

// at are the stamps of the entry at that position of the log.
func (s *stepLog) at(position int) []time.Duration {
	return s.stamps[(position&logMask)*s.width:][:s.width]
}

// step says that the transaction in flight has begun its statement with that
// number, or its COMMIT, which comes after the last one.
func (r *recorder) step(number int, now time.Duration) {
	r.steps.at(r.tail)[number] = now
	r.restamp(now)
}

// absorbSteps counts the parts of the transactions up to tail, all of which have
// succeeded. The lock must be held.
func (r *recorder) absorbSteps(tail int) {
	for i := r.head; i < tail; i++ {
		e := &r.log[i&logMask]
		statements := r.steps.statements[e.kind]
		if statements == 0 {
			continue
		}
		k := &r.buffer.phase(int(e.phase), r.kinds).kinds[e.kind]
		if k.statements == nil {
			k.statements = core.NewStatementMetrics(statements)
		}
		from := e.start
		for part, to := range r.steps.at(i)[:statements+1] {
			k.statements[part].Service.Record(to - from)
			from = to
		}
		k.statements[statements+1].Service.Record(e.end - from)
	}
}
