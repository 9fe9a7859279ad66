package report

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report/chart"
)

// CSS is the style sheet of everything that this package writes as HTML, its charts
// included.
func CSS() string { return htmlCSS + chart.CSS() }

// Inside is a document for a page that has a frame of its own: its key figures and
// its sections, without a heading and a foot.
type Inside struct {
	Lead     []string // what is said before the numbers
	Sections []Anchor
	HTML     template.HTML
}

// Anchor is one section of a document: the element's id, and its title.
type Anchor struct{ ID, Title string }

// InsideResult is the result of a run for a page.
func InsideResult(r Result) (Inside, error) { return inside(r.sheet()) }

// InsideComparison is a comparison for a page.
func InsideComparison(c Comparison) (Inside, error) { return inside(c.sheet()) }

func inside(s sheet) (Inside, error) {
	page, err := htmlPage()
	if err != nil {
		return Inside{}, fmt.Errorf("%w: the template of reports: %w", core.ErrInternal, err)
	}
	var in Inside
	for _, l := range s.lead {
		in.Lead = append(in.Lead, l.text)
	}
	for _, sec := range s.sections {
		in.Sections = append(in.Sections, Anchor{sec.id, sec.title})
	}
	var b strings.Builder
	if err := page.ExecuteTemplate(&b, "body", newHTMLSheet(s)); err != nil {
		return Inside{}, fmt.Errorf("write HTML: %w", err)
	}
	in.HTML = template.HTML(b.String())
	return in, nil
}
