package report_test

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/report"
)

var token = regexp.MustCompile(`--([a-z0-9-]+):\s*#([0-9a-f]{6})`)

// luminance of a colour, as WCAG 2.2 defines it.
func luminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast holds the colours of reports and charts, light and dark, to WCAG AA:
// 4.5 to 1 for text on everything that it may stand on, 3 to 1 for lines.
func TestContrast(t *testing.T) {
	is := is.New(t)
	is.True(contrast("000000", "ffffff") > 20.9) // the most there is
	is.True(contrast("777777", "ffffff") < 4.5)  // and what is known to be too little
	var out bytes.Buffer
	is.NoErr(report.HTML(&out, documents()["completed"]))
	_, css, _ := strings.Cut(out.String(), "<style>")
	css, _, _ = strings.Cut(css, "</style>")
	light, dark := map[string]string{}, map[string]string{}
	for _, part := range strings.Split(css, ":root") {
		of := light
		if at := strings.Index(css, ":root"+part); at >= 0 && strings.Contains(css[max(0, at-60):at], "prefers-color-scheme: dark") {
			of = dark
		}
		part, _, _ = strings.Cut(part, "}")
		for _, m := range token.FindAllStringSubmatch(part, -1) {
			if strings.Contains(part, `data-theme="dark"`) {
				continue // the same again
			}
			of[m[1]] = m[2]
		}
	}
	for name, theme := range map[string]map[string]string{"light": light, "dark": dark} {
		is.True(len(theme) > 20) // all of them were found
		for _, text := range []string{"ink", "soft", "good", "doubtful", "bad", "chart-ink", "chart-soft", "chart-level"} {
			for _, ground := range []string{"page", "panel", "chart-b1", "chart-b2"} {
				if strings.HasPrefix(ground, "chart") && !strings.HasPrefix(text, "chart") {
					continue
				}
				if c := contrast(theme[text], theme[ground]); c < 4.5 {
					t.Errorf("%s: %s on %s is %.2f to 1", name, text, ground, c)
				}
			}
		}
		for _, line := range []string{"0", "1", "2", "3", "4", "5", "6", "7"} {
			for _, ground := range []string{"page", "chart-b1", "chart-b2"} {
				if c := contrast(theme["chart-s"+line], theme[ground]); c < 3 {
					t.Errorf("%s: line %s on %s is %.2f to 1", name, line, ground, c)
				}
			}
		}
	}
}
