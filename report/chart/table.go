package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// TableRows is how many rows the table of a Figure has at most.
const TableRows = 60

// Table is the data of a chart as a table: one row for each place on the
// horizontal axis that a line has a point at, its number first. Of more than
// limit rows every second, third … is taken: every says which. The numbers have
// their units.
func Table(c Chart, limit int) (head []string, rows [][]string, every int) {
	head = []string{orWord(c.X.Label, "at")}
	var places []float64
	for _, s := range c.Series {
		head = append(head, clean(s.Name))
		for _, p := range s.Points {
			places = append(places, p.X)
		}
	}
	slices.Sort(places)
	places = slices.Compact(places)
	every = max(1, (len(places)+limit-1)/max(limit, 1))
	x := axis{Axis: c.X}
	row := map[float64][]string{}
	for i := 0; i < len(places); i += every {
		rows = append(rows, append([]string{x.text(places[i])}, make([]string, len(c.Series))...))
		row[places[i]] = rows[len(rows)-1]
	}
	for i, s := range c.Series {
		for _, p := range s.Points {
			if to := row[p.X]; to != nil && !math.IsNaN(p.Y) {
				to[i+1] = exact(c.Y.Unit, p.Y)
			}
		}
	}
	return head, rows, every
}

// exact is a value with its unit and three or four significant digits.
func exact(u Unit, v float64) string {
	switch u {
	case Latency:
		size, name := 1.0, "s"
		switch {
		case v == 0:
		case math.Abs(v) < 1e-3:
			size, name = 1e-6, "µs"
		case math.Abs(v) < 1:
			size, name = 1e-3, "ms"
		}
		return trimmed(v/size, decimals(v/size)) + " " + name
	case Rate:
		return trimmed(v, decimals(v)) + "/s"
	case Percent, Percentile:
		return trimmed(100*v, 3) + "%"
	case Elapsed:
		return elapsed(v)
	default:
		return trimmed(v, decimals(v))
	}
}

// decimals is how many of them a number of about three digits has.
func decimals(v float64) int {
	switch v = math.Abs(v); {
	case v >= 100:
		return 0
	case v >= 10:
		return 1
	default:
		return 2
	}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return clean(s)
}

// tableHTML is the table, folded up.
func tableHTML(c Chart) string {
	head, rows, every := Table(c, TableRows)
	if len(rows) == 0 {
		return ""
	}
	title := "Data"
	if every > 1 {
		title += fmt.Sprintf(", one point of %d", every)
	}
	var b strings.Builder
	b.WriteString(`<details class="chart-data"><summary>` + title + `</summary><div class="chart-scroll"><table><caption>` + escape(c.Title) + `</caption><thead><tr>`)
	for _, h := range head {
		b.WriteString(`<th scope="col">` + escape(h) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, row := range rows {
		for i, cell := range row {
			switch {
			case i == 0:
				b.WriteString(`<tr><th scope="row">` + escape(cell) + "</th>")
			case cell == "":
				b.WriteString("<td>–</td>")
			default:
				b.WriteString("<td>" + escape(cell) + "</td>")
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></div></details>\n")
	return b.String()
}

// Meter is a small bar that is filled to a fraction from 0 to 1, as SVG. What it
// says must stand beside it: it is hidden from those who hear the page.
func Meter(fraction float64) string {
	const width = 56
	if !(fraction > 0) {
		fraction = 0
	}
	return fmt.Sprintf(`<svg class="chart-meter" width="%d" height="8" viewBox="0 0 %d 8" aria-hidden="true"><rect class="chart-trough" width="%d" height="8" rx="2"/><rect class="chart-fill" width="%s" height="8" rx="2"/></svg>`,
		width, width, width, num(width*min(1, fraction)))
}
