package chart

import (
	"math"
	"testing"
)

// Places are written as strconv writes them, to a tenth.
func TestNum(t *testing.T) {
	for v := -20.0; v < 1000; v += 0.0137 {
		want := trimmed(math.Round(v*10)/10, 1)
		if want == "-0" {
			want = "0"
		}
		if got := num(v); got != want {
			t.Fatalf("num(%v) is %s, not %s", v, got, want)
		}
	}
}
