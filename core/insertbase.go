package core

import "time"

// InsertRange is how many keys are reserved for the inserts of one run.
const InsertRange int64 = 1 << 33

// insertEpoch is the zero of the seconds that insert bases count in:
// 2024-01-01 UTC as Unix time.
const insertEpoch = 1704067200

// NextInsertBase is the first key of the range that a store reserves for a new
// run: InsertRange times the larger of one more than the previous range's number
// and the seconds from 2024-01-01 UTC to now. previous is the base that the store
// reserved last, or 0.
//
// So the ranges of one store are disjoint whatever its clock does, and those of
// several stores are too, unless runs are created in the same second or faster
// than one per second. The first base above 0 is InsertRange, so keys below it
// are free for the rows that prepare loads. The numbers last until 2058.
func NextInsertBase(previous int64, now time.Time) int64 {
	return max(previous/InsertRange+1, now.Unix()-insertEpoch) * InsertRange
}
