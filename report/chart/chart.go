// Package chart draws charts of lines as SVG: pure functions from data to text,
// for reports and pages that need no script.
//
// A chart is a Chart: axes with units, series of points, bands that shade a
// stretch of the horizontal axis, and levels that a value is held against. SVG
// draws it at one size; Figure gives everything that a page needs of it: a wide
// and a narrow drawing, of which the style sheet shows the one that fits, and the
// data as a table, for those who do not see it.
//
//	c := chart.Chart{ID: "rate", Title: "Throughput", X: chart.Axis{Unit: chart.Elapsed},
//		Y: chart.Axis{Label: "operations per second", Unit: chart.Rate}, Series: series}
//	page.WriteString(chart.Figure(c))
//
// Colours, fonts and what is shown where are in CSS, which a page includes once:
// there is no style attribute and no script in a drawing, so that a strict
// content security policy allows it. Every text is escaped. Lines of more points
// than the drawing has columns are reduced to the points that show: the first,
// last, lowest and highest in each column.
package chart

import (
	"math"
	"strings"
)

// Chart is what is drawn. Its zero values are sensible: an axis is linear and
// begins at zero, unless it says otherwise.
type Chart struct {
	ID      string // of the element; unique on its page: letters, digits and dashes
	Title   string
	Summary string // what the chart says, in a sentence or two
	Empty   string // what it says without any point; default "nothing was measured"
	X, Y    Axis
	Series  []Series
	Bands   []Band
	Levels  []Level
}

// Axis is one direction of a chart.
type Axis struct {
	Label string
	Unit  Unit
	Scale Scale
}

// Unit is what the numbers of an axis are.
type Unit int

// The units.
const (
	Number     Unit = iota
	Rate            // per second
	Latency         // seconds
	Elapsed         // seconds, as min:s
	Percentile      // a quantile from 0 to 1
	Percent         // a fraction from 0 to 1
)

// Scale is how numbers become places on an axis.
type Scale int

// The scales.
const (
	Linear Scale = iota // from zero
	// Automatic is Linear, or Log where the largest number is more than 20 times
	// the smallest: so that what is small can be seen.
	Automatic
	Log
	// Tail is for quantiles: 0, 90 %, 99 %, 99.9 % are the same distance apart.
	Tail
)

// Series is one line.
type Series struct {
	Name   string
	Points []Point // by rising X
	// Tone picks the line's look, from 0; series of one tone look alike.
	Tone int
	// Faint lines stand behind the others.
	Faint bool
}

// Point is one measurement. A Y that is NaN is a gap in the line.
type Point struct{ X, Y float64 }

// Band shades what lies between two places of the horizontal axis.
type Band struct {
	Name     string
	From, To float64
	Tone     int // from 0; tone 0 is named, but not shaded
}

// Level is a value that the others are held against.
type Level struct {
	Name string
	Y    float64
}

// Tones is how many looks of lines there are.
const Tones = 8

// The sizes of the drawings of a Figure.
const (
	wideWidth, wideHeight     = 960, 300
	narrowWidth, narrowHeight = 380, 290
)

// Figure is a chart for a page: drawings for wide and for narrow windows, and
// the data as a table of at most TableRows rows.
func Figure(c Chart) string {
	var b strings.Builder
	b.WriteString(`<figure class="chart" id="` + c.id() + `"><figcaption>` + escape(c.Title) + "</figcaption>\n")
	b.WriteString(`<div class="chart-wide">` + draw(c, wideWidth, wideHeight, "wide") + "</div>\n")
	b.WriteString(`<div class="chart-narrow">` + draw(c, narrowWidth, narrowHeight, "narrow") + "</div>\n")
	b.WriteString(tableHTML(c))
	b.WriteString("</figure>\n")
	return b.String()
}

// SVG draws a chart at one size, in pixels; at least 240 by 160, and higher where
// its legend is long.
func SVG(c Chart, width, height int) string {
	return draw(c, max(width, 240), max(height, 160), "only")
}

// id is the ID without what does not belong into one.
func (c Chart) id() string {
	id := strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, c.ID)
	if id == "" {
		return "chart"
	}
	return id
}

// span is the least and greatest of all numbers in one direction; not ok when
// there is none.
func span(values func(yield func(float64) bool)) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high, ok = min(low, v), max(high, v), true
		}
	}
	return low, high, ok
}

// places are all places on the horizontal axis that something is at.
func (c Chart) places(yield func(float64) bool) {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if !yield(p.X) {
				return
			}
		}
	}
	for _, b := range c.Bands {
		if !yield(b.From) || !yield(b.To) {
			return
		}
	}
}

// heights are all values that are drawn.
func (c Chart) heights(yield func(float64) bool) {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if !yield(p.Y) {
				return
			}
		}
	}
	for _, l := range c.Levels {
		if !yield(l.Y) {
			return
		}
	}
}
