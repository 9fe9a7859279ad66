package chart

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How a drawing is laid out, in pixels.
const (
	fontSize    = 12
	phaseSize   = 11 // of the names of bands
	lineHeight  = 16.0
	longestName = 24 // letters of a name that are shown
	columnWidth = 1.0
)

// drawing is a chart on its way to SVG.
type drawing struct {
	strings.Builder
	chart                    Chart
	width, height            float64
	left, right, top, bottom float64 // of the plot
	x, y                     axis
	aside                    bool // names stand at the ends of the lines
}

// leastPlot is how much height the lines have at least: a long legend makes the
// drawing higher.
const leastPlot = 120

func draw(c Chart, width, height int, variant string) string {
	id := c.id() + "-" + variant
	d := drawn(c, id, width, height)
	if plot := d.bottom - d.top; plot < leastPlot && d.bottom > 0 {
		d = drawn(c, id, width, height+int(math.Ceil(leastPlot-plot)))
	}
	return d.String()
}

func drawn(c Chart, id string, width, height int) *drawing {
	d := &drawing{chart: c, width: float64(width), height: float64(height)}
	d.aside = d.width >= 640
	d.printf(`<svg class="chart-svg" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-desc">`, width, height, id, id)
	d.printf(`<title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`, id, escape(c.Title), id, escape(c.Summary))
	d.plot()
	d.WriteString("</svg>")
	return d
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// plot draws all but the frame of the document.
func (d *drawing) plot() {
	c := &d.chart
	_, high, some := span(c.heights)
	xLow, xHigh, _ := span(c.places)
	if !some {
		d.printf(`<text class="chart-none" x="%s" y="%s" text-anchor="middle">%s</text>`, num(d.width/2), num(d.height/2), escape(cmp.Or(c.Empty, "nothing was measured")))
		return
	}
	low, _, _ := span(c.heights)
	positive, _, _ := span(func(yield func(float64) bool) {
		for v := range c.heights {
			if v > 0 && !yield(v) {
				return
			}
		}
	})
	d.y = newAxis(c.Y, low, high, positive, 5)
	d.x = newAxis(c.X, xLow, xHigh, xLow, int(max(4, d.width/110)))
	d.margins()
	d.bands()
	d.grid()
	d.levels()
	for _, faint := range []bool{true, false} {
		for i := range c.Series {
			if c.Series[i].Faint == faint {
				d.line(&c.Series[i])
			}
		}
	}
	if d.aside {
		d.names()
	}
}

// margins makes room around the plot for what is written there.
func (d *drawing) margins() {
	widest := 0.0
	for _, t := range d.y.ticks {
		widest = max(widest, textWidth(d.y.text(t)))
	}
	d.left, d.right = widest+12, d.width-14
	if d.aside && len(d.chart.Series) > 1 {
		for _, s := range d.chart.Series {
			d.right = min(d.right, d.width-textWidth(shown(s.Name))-18)
		}
	}
	d.top, d.bottom = 6, d.height-22
	if d.chart.X.Label != "" {
		d.bottom -= lineHeight
		d.printf(`<text class="chart-label" x="%s" y="%s" text-anchor="middle">%s</text>`, num((d.left+d.right)/2), num(d.height-5), escape(d.chart.X.Label))
	}
	if label := d.chart.Y.Label; label != "" {
		if d.y.Scale == Log {
			label += ", logarithmic scale"
		}
		d.top += lineHeight
		d.printf(`<text class="chart-label" x="4" y="%s">%s</text>`, num(d.top-5), escape(label))
	}
	d.legend()
}

// legend lists above the plot what is not named in it.
func (d *drawing) legend() {
	x := 4.0
	entry := func(name, mark string) {
		w := textWidth(name) + 34
		if x > 4 && x+w > d.width {
			x = 4
		}
		if x == 4 {
			d.top += lineHeight
		}
		d.printf(`<g transform="translate(%s %s)">%s<text class="chart-text" x="24" y="4">%s</text></g>`, num(x), num(d.top-9), mark, escape(name))
		x += w
	}
	if !d.aside && len(d.chart.Series) > 1 {
		for _, s := range d.chart.Series {
			entry(shown(s.Name), `<path class="`+lineClass(&s)+`" d="M0 0H19"/>`)
		}
	}
	d.top += lineHeight + 4 // the names of the bands
	for _, b := range d.chart.Bands {
		if b.Tone > 0 && !d.fits(b) {
			d.top -= lineHeight + 4
			entry(shown(b.Name), fmt.Sprintf(`<rect class="chart-band chart-b%d" x="0" y="-6" width="19" height="12"/>`, b.Tone))
			d.top += lineHeight + 4
		}
	}
}

// fits says whether a band is wide enough for its name.
func (d *drawing) fits(b Band) bool {
	from, to := d.stretch(b)
	return textWidth(shown(b.Name))*phaseSize/fontSize <= to-from
}

func (d *drawing) stretch(b Band) (from, to float64) {
	return d.px(b.From), d.px(b.To)
}

func (d *drawing) px(v float64) float64 { return d.left + d.x.at(v)*(d.right-d.left) }
func (d *drawing) py(v float64) float64 { return d.bottom - d.y.at(v)*(d.bottom-d.top) }

func (d *drawing) bands() {
	for i, b := range d.chart.Bands {
		from, to := d.stretch(b)
		if b.Tone > 0 && to > from {
			d.printf(`<rect class="chart-band chart-b%d" x="%s" y="%s" width="%s" height="%s"/>`, b.Tone, num(from), num(d.top), num(to-from), num(d.bottom-d.top))
		}
		if i > 0 {
			d.printf(`<path class="chart-edge" d="M%s %sV%s"/>`, num(from), num(d.top-lineHeight), num(d.bottom))
		}
		if d.fits(b) {
			d.printf(`<text class="chart-phase" x="%s" y="%s" text-anchor="middle">%s</text>`, num((from+to)/2), num(d.top-5), escape(shown(b.Name)))
		}
	}
}

// grid draws the axes, their ticks and what is written at them.
func (d *drawing) grid() {
	for _, t := range d.y.ticks {
		d.printf(`<path class="chart-grid" d="M%s %sH%s"/>`, num(d.left), num(d.py(t)), num(d.right))
		d.printf(`<text class="chart-tick" x="%s" y="%s" text-anchor="end">%s</text>`, num(d.left-6), num(d.py(t)+4), escape(d.y.text(t)))
	}
	free := math.Inf(-1) // up to where the line of ticks is taken
	for _, t := range d.x.ticks {
		x, text := d.px(t), d.x.text(t)
		half := textWidth(text) / 2
		d.printf(`<path class="chart-axis" d="M%s %sv5"/>`, num(x), num(d.bottom))
		at := min(x, d.width-half-1)
		if at-half < free {
			continue
		}
		d.printf(`<text class="chart-tick" x="%s" y="%s" text-anchor="middle">%s</text>`, num(at), num(d.bottom+17), escape(text))
		free = at + half + 8
	}
	d.printf(`<path class="chart-axis" d="M%s %sH%s"/>`, num(d.left), num(d.bottom), num(d.right))
}

// levels draws the values that others are held against.
func (d *drawing) levels() {
	for _, l := range d.chart.Levels {
		y := d.py(l.Y)
		d.printf(`<path class="chart-level" d="M%s %sH%s"/>`, num(d.left), num(y), num(d.right))
		below := y + 13
		if below > d.bottom-2 {
			below = y - 4
		}
		d.printf(`<text class="chart-leveltext" x="%s" y="%s">%s</text>`, num(d.left+6), num(below), escape(shown(l.Name)))
	}
}

func lineClass(s *Series) string {
	class := "chart-line chart-s" + strconv.Itoa(((s.Tone%Tones)+Tones)%Tones)
	if s.Faint {
		class += " chart-faint"
	}
	return class
}

// line draws one series: a path with a gap wherever there is one, and a dot for a
// point that stands alone.
func (d *drawing) line(s *Series) {
	points := reduce(s.Points, func(p Point) int { return int(d.px(p.X) / columnWidth) })
	var path []byte
	var dots strings.Builder
	for i := 0; i < len(points); i++ {
		if math.IsNaN(points[i].Y) {
			continue
		}
		from := i
		for i+1 < len(points) && !math.IsNaN(points[i+1].Y) {
			i++
		}
		if from == i {
			fmt.Fprintf(&dots, `<circle class="chart-dot chart-s%d" cx="%s" cy="%s" r="2.5"/>`, ((s.Tone%Tones)+Tones)%Tones, num(d.px(points[i].X)), num(d.py(points[i].Y)))
			continue
		}
		for j, p := range points[from : i+1] {
			letter := byte('L')
			if j == 0 {
				letter = 'M'
			}
			path = appendNum(append(path, letter), d.px(p.X))
			path = appendNum(append(path, ' '), d.py(p.Y))
		}
	}
	if len(path) > 0 {
		d.printf(`<path class="%s" d="%s"/>`, lineClass(s), path)
	}
	d.WriteString(dots.String())
}

// num is a place in the drawing, to a tenth of a pixel.
func num(v float64) string { return string(appendNum(nil, v)) }

// appendNum is num for the many places of a line.
func appendNum(to []byte, v float64) []byte {
	tenths := int64(math.Round(v * 10))
	if tenths < 0 {
		to, tenths = append(to, '-'), -tenths
	}
	to = strconv.AppendInt(to, tenths/10, 10)
	if rest := tenths % 10; rest != 0 {
		to = append(to, '.', byte('0'+rest))
	}
	return to
}

// textWidth is about how wide a text is drawn, rather more than less: fonts differ.
func textWidth(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) || r >= 0x1f000 || r >= 0xff00 && r <= 0xffe6:
			w += fontSize
		case unicode.IsUpper(r) || r == '_' || r == '%' || r == '@':
			w += 0.75 * fontSize
		case strings.ContainsRune("ijl.,:;|!' ()", r):
			w += 0.38 * fontSize
		default:
			w += 0.62 * fontSize
		}
	}
	return w
}

// shown is a name, cut where it is too long.
func shown(name string) string {
	name = clean(name)
	if utf8.RuneCountInString(name) <= longestName {
		return name
	}
	return string([]rune(name)[:longestName-1]) + "…"
}

// clean replaces what is not visible; a drawing is XML, which takes no control
// characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func escape(s string) string { return html.EscapeString(clean(s)) }
