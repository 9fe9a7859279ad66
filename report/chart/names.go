package chart

import (
	"cmp"
	"math"
	"slices"
)

// names writes the name of each line beside its end, moved up or down where they
// would stand on each other. A line that ends early has a name all the same.
func (d *drawing) names() {
	type label struct {
		series *Series
		end    float64 // of the line
		y      float64
	}
	var labels []label
	for i := range d.chart.Series {
		s := &d.chart.Series[i]
		for j := len(s.Points) - 1; j >= 0; j-- {
			if !math.IsNaN(s.Points[j].Y) {
				y := d.py(s.Points[j].Y)
				labels = append(labels, label{s, y, y})
				break
			}
		}
	}
	if len(d.chart.Series) < 2 || len(labels) == 0 {
		return
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.end, b.end) })
	for i := range labels[1:] {
		labels[i+1].y = max(labels[i+1].y, labels[i].y+lineHeight-2)
	}
	// What is pushed out below goes up again, and takes with it what is in its way.
	lowest := d.bottom
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].y = min(labels[i].y, lowest)
		lowest = labels[i].y - lineHeight + 2
	}
	for _, l := range labels {
		class := lineClass(l.series)
		d.printf(`<path class="%s" d="M%s %sh6"/>`, class, num(d.right+3), num(l.y))
		d.printf(`<text class="chart-text" x="%s" y="%s">%s</text>`, num(d.right+13), num(l.y+4), escape(shown(l.series.Name)))
	}
}
