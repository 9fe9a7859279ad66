package core

import (
	"fmt"
	"math"
	"testing"
)

// TestStudentQuantile compares with the tables, and with the integral of the density where they have none.
func TestStudentQuantile(t *testing.T) {
	for _, test := range []struct{ p, freedom, want float64 }{
		{0.975, 1, 12.706204736}, {0.975, 2, 4.302652730}, {0.975, 4, 2.776445105}, {0.975, 9, 2.262157163}, {0.975, 30, 2.042272456},
		{0.975, 1e7, 1.959963985}, {0.8, 9, 0.883403860}, {0.8, 1, 1.376381920}, {0.995, 5, 4.032142984}, {0.5, 3, 0}, {0.025, 9, -2.262157163},
		{0.975, 2.5, 3.574654842}, {0.9, 1000, 1.282398709},
	} {
		t.Run(fmt.Sprint(test.p, test.freedom), func(t *testing.T) {
			if got := studentQuantile(test.p, test.freedom); math.Abs(got-test.want) > 2e-6*math.Max(1, math.Abs(test.want)) {
				t.Errorf("%.9f, want %.9f", got, test.want)
			}
		})
	}
}
