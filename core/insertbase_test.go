package core_test

import (
	"math"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestNextInsertBase(t *testing.T) {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name     string
		previous int64
		now      time.Time
		want     int64
	}{
		{"first run of a store", 0, start.Add(100 * time.Second), 100 * core.InsertRange},
		{"fractions of a second are cut", 0, start.Add(100*time.Second + 999*time.Millisecond), 100 * core.InsertRange},
		{"second run in the same second", 100 * core.InsertRange, start.Add(100 * time.Second), 101 * core.InsertRange},
		{"a later second", 100 * core.InsertRange, start.Add(200 * time.Second), 200 * core.InsertRange},
		{"the clock went back", 200 * core.InsertRange, start, 201 * core.InsertRange},
		{"a clock before the zero", 0, start.Add(-time.Hour), core.InsertRange},
		{"another time zone", 0, start.Add(100 * time.Second).In(time.FixedZone("", 7200)), 100 * core.InsertRange},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(core.NextInsertBase(tc.previous, tc.now), tc.want)
		})
	}
	t.Run("ranges are disjoint", func(t *testing.T) {
		is := is.New(t)
		base, now := int64(0), start.Add(1000*time.Second)
		for i := range 1000 {
			next := core.NextInsertBase(base, now.Add(time.Duration(i%7)*time.Second))
			is.True(next >= base+core.InsertRange || base == 0) // the range before has ended
			base = next
		}
	})
	t.Run("the last day has room for a range", func(t *testing.T) {
		is := is.New(t)
		base := core.NextInsertBase(0, time.Date(2057, 12, 31, 0, 0, 0, 0, time.UTC))
		is.True(base > 0 && base <= math.MaxInt64-core.InsertRange)
	})
}
