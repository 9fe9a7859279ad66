package chart

import "math"

// reduce keeps, of the points of a line that fall into one column of the drawing,
// the first, the last, the lowest and the highest: the line looks as with all of
// them (Jugel and others, "M4: A Visualization-Oriented Time Series Data
// Aggregation", 2014). Gaps stay.
func reduce(points []Point, column func(Point) int) []Point {
	out := make([]Point, 0, len(points))
	for from := 0; from < len(points); {
		if math.IsNaN(points[from].Y) {
			out = append(out, points[from])
			from++
			continue
		}
		to, low, high := from, from, from
		for to+1 < len(points) && !math.IsNaN(points[to+1].Y) && column(points[to+1]) == column(points[from]) {
			to++
			if points[to].Y < points[low].Y {
				low = to
			}
			if points[to].Y > points[high].Y {
				high = to
			}
		}
		last := -1
		for _, i := range [...]int{from, min(low, high), max(low, high), to} {
			if i > last {
				out = append(out, points[i])
				last = i
			}
		}
		from = to + 1
	}
	return out
}
