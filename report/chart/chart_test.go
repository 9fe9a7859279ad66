package chart_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/report/chart"
)

// line is n points of a wave around a height.
func line(n int, height float64) []chart.Point {
	var points []chart.Point
	for i := range n {
		points = append(points, chart.Point{X: float64(i) + 0.5, Y: height * (1 + 0.1*math.Sin(float64(i)))})
	}
	return points
}

func throughput(n int) chart.Chart {
	return chart.Chart{
		ID: "rate", Title: "Throughput", Summary: "It waves around 1,000.", X: chart.Axis{Label: "time", Unit: chart.Elapsed},
		Y:      chart.Axis{Label: "operations per second", Unit: chart.Rate},
		Series: []chart.Series{{Name: "op/s", Points: line(n, 1000)}},
		Bands:  []chart.Band{{Name: "WARMUP", From: 0, To: 5, Tone: 1}, {Name: "MEASUREMENT", From: 5, To: float64(n)}},
		Levels: []chart.Level{{Name: "throughput > 900", Y: 900}},
	}
}

// charts are drawings of all that may be asked of one.
func charts() map[string]chart.Chart {
	many := chart.Chart{ID: "many", Title: "Many", Y: chart.Axis{Unit: chart.Latency, Scale: chart.Automatic}}
	for i := range 12 {
		many.Series = append(many.Series, chart.Series{Name: fmt.Sprintf("A_RATHER_LONG_NAME_OF_A_KIND_%d", i), Tone: i, Points: line(10, math.Pow(2, float64(i))/1e5)})
	}
	gaps := throughput(20)
	gaps.Series[0].Points[7].Y = math.NaN()
	gaps.Series[0].Points[9].Y = math.NaN()
	gaps.Series[0].Points[15].Y = math.Inf(1)
	tail := chart.Chart{ID: "tail", X: chart.Axis{Unit: chart.Percentile, Scale: chart.Tail}, Y: chart.Axis{Unit: chart.Latency, Scale: chart.Automatic}, Series: []chart.Series{{Name: "all"}}}
	for i := range 80 {
		tail.Series[0].Points = append(tail.Series[0].Points, chart.Point{X: 1 - math.Pow(10, -float64(i)/20), Y: math.Pow(1.1, float64(i)) / 1e5})
	}
	flat := throughput(10)
	for i := range flat.Series[0].Points {
		flat.Series[0].Points[i].Y = 0
	}
	one := throughput(1)
	one.Bands = nil
	hostile := throughput(10)
	hostile.ID, hostile.Title, hostile.Summary = `x" onload="alert(1)`, `</title><script>alert(1)</script>`, "\x00\x1b[31m]]>&<b>"
	hostile.Series[0].Name = `"><img src=x onerror=alert(1)>`
	hostile.Series = append(hostile.Series, chart.Series{Name: "日本語 \u202e evil", Tone: -3, Points: line(10, 5), Faint: true})
	hostile.Bands[0].Name, hostile.Levels[0].Name = "<i>", "'&'"
	hostile.X.Label, hostile.Y.Label = "<u>", "<s>"
	return map[string]chart.Chart{
		"throughput": throughput(50), "hour": throughput(3600), "many": many, "gaps": gaps, "tail": tail, "flat": flat, "one": one,
		"hostile": hostile, "empty": {ID: "e", Title: "Nothing"}, "zero": {},
	}
}

// TestSVG holds every drawing to it: well-formed, named for those who do not see
// it, and nothing in it that could act or that a strict policy would refuse.
func TestSVG(t *testing.T) {
	for name, c := range charts() {
		for _, size := range [][2]int{{960, 300}, {380, 290}, {0, 0}} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				is := is.New(t)
				text := chart.SVG(c, size[0], size[1])
				decoder := xml.NewDecoder(strings.NewReader(text))
				ids := map[string]bool{}
				var named []string
				for {
					token, err := decoder.Token()
					if errors.Is(err, io.EOF) {
						break
					}
					is.NoErr(err) // well-formed
					e, ok := token.(xml.StartElement)
					if !ok {
						continue
					}
					switch e.Name.Local {
					case "svg", "title", "desc", "g", "path", "rect", "circle", "text":
					default:
						t.Errorf("element %s", e.Name.Local)
					}
					for _, a := range e.Attr {
						switch {
						case a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href":
							t.Errorf("attribute %s of %s", a.Name.Local, e.Name.Local)
						case a.Name.Local == "id":
							is.True(!ids[a.Value]) // unique
							ids[a.Value] = true
						case a.Name.Local == "aria-labelledby":
							named = strings.Fields(a.Value)
						}
					}
				}
				is.Equal(len(named), 2) // title and desc
				is.True(ids[named[0]] && ids[named[1]])
				is.True(strings.Contains(text, `role="img"`))
				is.True(!strings.Contains(text, "NaN") && !strings.Contains(text, "Inf"))
			})
		}
	}
}

var numbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)

// TestNothingOutside holds every place of a drawing to its frame, texts too, by
// the width that their letters may have.
func TestNothingOutside(t *testing.T) {
	for name, c := range charts() {
		for _, width := range []int{960, 380} {
			t.Run(fmt.Sprint(name, width), func(t *testing.T) {
				decoder := xml.NewDecoder(strings.NewReader(chart.SVG(c, width, 300)))
				var text xml.StartElement
				var height float64
				for {
					token, err := decoder.Token()
					if errors.Is(err, io.EOF) {
						return
					}
					switch e := token.(type) {
					case xml.StartElement:
						text = e
						if box := strings.Fields(attribute(e, "viewBox")); len(box) == 4 {
							height, _ = strconv.ParseFloat(box[3], 64)
						}
						if d := attribute(e, "d"); e.Name.Local == "path" && !strings.ContainsAny(d, "hvHV") {
							for i, n := range numbers.FindAllString(d, -1) {
								v, _ := strconv.ParseFloat(n, 64)
								if limit := []float64{float64(width), height}[i%2]; v < 0 || v > limit {
									t.Errorf("path %s beyond %v", n, limit)
								}
							}
						}
					case xml.CharData:
						if x, err := strconv.ParseFloat(attribute(text, "x"), 64); err == nil && text.Name.Local == "text" && attribute(text, "y") != "4" {
							w := 6.2 * float64(len([]rune(string(e)))) // of an average letter
							from := map[string]float64{"": x, "middle": x - w/2, "end": x - w}[attribute(text, "text-anchor")]
							if from < -2 || from+w > float64(width)+2 {
								t.Errorf("text %q from %v to %v", e, from, from+w)
							}
						}
					}
				}
			})
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// TestLongLinesAreReduced: a chart of a long run is not larger than one of a
// shorter one by much, and still shows the one interval that stands out.
func TestLongLinesAreReduced(t *testing.T) {
	is := is.New(t)
	day := throughput(86_400)
	day.Series[0].Points[43_210].Y = 9000
	text := chart.SVG(day, 960, 300)
	is.True(len(text) < 80_000) // bytes
	ticks := regexp.MustCompile(`text-anchor="end">([^<]+)<`).FindAllStringSubmatch(text, -1)
	is.Equal(ticks[len(ticks)-1][1], "10k") // the axis reaches it
	highest := 300.0
	for _, d := range regexp.MustCompile(`chart-s0" d="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		for i, n := range numbers.FindAllString(d[1], -1) {
			if v, _ := strconv.ParseFloat(n, 64); i%2 == 1 {
				highest = min(highest, v)
			}
		}
	}
	is.True(highest < 80) // pixels from the top: the peak is drawn
}

func TestGapsStayGaps(t *testing.T) {
	is := is.New(t)
	c := charts()["gaps"]
	text := chart.SVG(c, 960, 300)
	d := regexp.MustCompile(`chart-s0" d="([^"]+)"`).FindStringSubmatch(text)[1]
	is.Equal(strings.Count(d, "M"), 2)                           // before and behind the gaps
	is.Equal(strings.Count(text, `<circle class="chart-dot`), 1) // what stands alone between them
}

func TestAxes(t *testing.T) {
	ticks := regexp.MustCompile(`<text class="chart-tick"[^>]*>([^<]+)<`)
	for _, test := range []struct {
		name string
		c    chart.Chart
		want []string
	}{
		{"rate", throughput(50), []string{"0", "500", "1k", "1.5k"}},
		{"latency", chart.Chart{Y: chart.Axis{Unit: chart.Latency}, Series: []chart.Series{{Points: line(9, 0.0042)}}}, []string{"0", "1 ms", "5 ms"}},
		{"microseconds", chart.Chart{Y: chart.Axis{Unit: chart.Latency}, Series: []chart.Series{{Points: line(9, 0.0000042)}}}, []string{"1 µs"}},
		{"logarithmic", chart.Chart{Y: chart.Axis{Unit: chart.Latency, Scale: chart.Automatic}, Series: []chart.Series{{Points: line(9, 1)}, {Points: line(9, 0.0001)}}}, []string{"100 µs", "10 ms", "1 s"}},
		{"percent", chart.Chart{Y: chart.Axis{Unit: chart.Percent}, Series: []chart.Series{{Points: line(9, 0.04)}}}, []string{"0%", "4%"}},
		{"hours", throughput(3 * 3600), []string{"0:00", "1:00:00", "2:00:00"}},
		{"tail", charts()["tail"], []string{"0%", "50%", "90%", "99%", "99.9%"}},
		{"nothing at all", charts()["flat"], []string{"0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			var got []string
			for _, m := range ticks.FindAllStringSubmatch(chart.SVG(test.c, 960, 300), -1) {
				got = append(got, m[1])
			}
			for _, want := range test.want {
				if !strings.Contains("|"+strings.Join(got, "|")+"|", "|"+want+"|") {
					t.Errorf("no tick %s among %v", want, got)
				}
			}
			is.True(len(got) >= 3 && len(got) < 24)
		})
	}
}

func TestTable(t *testing.T) {
	is := is.New(t)
	c := charts()["gaps"]
	c.Y.Unit = chart.Latency
	head, rows, every := chart.Table(c, 60)
	is.Equal(head, []string{"time", "op/s"})
	is.Equal(every, 1)
	is.Equal(len(rows), 20)
	is.Equal(rows[0], []string{"0:00.5", "1000 s"})
	is.Equal(rows[7][1], "") // a gap
	_, rows, every = chart.Table(throughput(3600), 60)
	is.Equal(every, 60)
	is.Equal(len(rows), 60)
	is.Equal(rows[1][0], "1:00.5")
}

// TestFigure: both drawings, the table, and no id twice.
func TestFigure(t *testing.T) {
	for name, c := range charts() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			text := chart.Figure(c)
			is.Equal(strings.Count(text, "<svg "), 2)
			ids := map[string]bool{}
			for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(text, -1) {
				is.True(!ids[m[1]])
				ids[m[1]] = true
			}
			for _, evil := range []string{"<script", "<img", "onload=\"", "<b>", "<i>", "\x1b", "\x00"} {
				is.True(!strings.Contains(text, evil))
			}
		})
	}
}

// TestClassesHaveAStyle: every class that a drawing uses is in the style sheet.
func TestClassesHaveAStyle(t *testing.T) {
	classes := map[string]bool{}
	for _, c := range charts() {
		for _, m := range regexp.MustCompile(`class="([^"]+)"`).FindAllStringSubmatch(chart.Figure(c)+chart.Meter(0.5), -1) {
			for _, class := range strings.Fields(m[1]) {
				classes[class] = true
			}
		}
	}
	for class := range classes {
		if class != "chart-band" && !strings.Contains(chart.CSS(), "."+class) {
			t.Errorf("class %s has no style", class)
		}
	}
}

func TestMeter(t *testing.T) {
	is := is.New(t)
	for share, want := range map[float64]string{0: `width="0"`, 0.5: `width="28"`, 1: `width="56"`, 7: `width="56"`, math.NaN(): `width="0"`, -1: `width="0"`} {
		is.True(strings.Contains(chart.Meter(share), `chart-fill" `+want))
	}
}

func ExampleTable() {
	head, rows, _ := chart.Table(chart.Chart{
		X:      chart.Axis{Label: "time", Unit: chart.Elapsed},
		Y:      chart.Axis{Unit: chart.Latency},
		Series: []chart.Series{{Name: "p99", Points: []chart.Point{{X: 1, Y: 0.00123}, {X: 2, Y: 0.0456}}}},
	}, chart.TableRows)
	fmt.Println(head)
	for _, row := range rows {
		fmt.Println(row)
	}
	// Output:
	// [time p99]
	// [0:01 1.23 ms]
	// [0:02 45.6 ms]
}
