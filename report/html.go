package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report/chart"
)

//go:embed report.html.tmpl
var htmlText string

//go:embed report.css
var htmlCSS string

// htmlPage is the template of all HTML documents. It is made when it is first
// needed: most commands need none.
var htmlPage = sync.OnceValues(func() (*template.Template, error) {
	return template.New("report").Funcs(template.FuncMap{
		"chart": func(c *chart.Chart) template.HTML { return template.HTML(chart.Figure(*c)) },
		"meter": func(share *float64) template.HTML { return template.HTML(chart.Meter(*share)) },
	}).Parse(htmlText)
})

var toneNames = [...]string{neutral: "", good: "good", doubtful: "doubtful", bad: "bad", faint: "faint"}

// HTML writes the result of a run as one file that needs nothing else: no script,
// no font, no picture, no host. It is for screens wide and narrow, light and dark,
// and for paper. Its content security policy allows its own style sheet alone, so
// that nothing that a store holds could act even if it became markup.
func HTML(w io.Writer, r Result) error { return writeHTML(w, r.sheet()) }

func writeHTML(w io.Writer, s sheet) error {
	page, err := htmlPage()
	if err != nil {
		return fmt.Errorf("%w: the template of reports: %w", core.ErrInternal, err)
	}
	css := htmlCSS + chart.CSS()
	sum := sha256.Sum256([]byte(css))
	if err := page.Execute(w, htmlDocument{
		Title: s.kind + " " + s.title, Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		CSS: template.CSS(css), Sheet: newHTMLSheet(s),
	}); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// What the template sees. Its texts are escaped by the template.
type (
	htmlDocument struct {
		Title, Policy string
		CSS           template.CSS
		Sheet         htmlSheet
	}
	htmlSheet struct {
		Title    string
		Badges   []htmlCell
		Lead     []htmlCell
		Figures  []htmlFigure
		Sections []htmlSection
		Foot     string
	}
	htmlFigure  struct{ Name, Value, Note, Tone string }
	htmlSection struct {
		ID, Title string
		Blocks    []htmlBlock
	}
	htmlBlock struct {
		Text  *htmlCell
		List  []htmlCell
		Grid  *htmlGrid
		Facts []core.Fact
		Chart *chart.Chart
		Code  string
	}
	htmlGrid struct {
		Label string // for those who hear the page
		Class string
		Head  []htmlCell
		Rows  [][]htmlCell
	}
	htmlCell struct {
		Text, Class string
		Label       string // of its column
		Share       *float64
	}
)

func newHTMLSheet(s sheet) htmlSheet {
	h := htmlSheet{Title: s.title, Badges: htmlCells(s.badges), Lead: htmlCells(s.lead), Foot: s.foot}
	for _, f := range s.figures {
		h.Figures = append(h.Figures, htmlFigure{f.name, f.value, f.note, toneNames[f.tone]})
	}
	for _, sec := range s.sections {
		out := htmlSection{ID: sec.id, Title: sec.title}
		for _, b := range sec.blocks {
			block := htmlBlock{List: htmlCells(b.list), Facts: b.facts, Chart: b.chart, Code: b.code}
			if b.text != nil {
				block.Text = &htmlCells([]cell{*b.text})[0]
			}
			if b.table != nil {
				block.Grid = newGrid(sec.title, b.table)
			}
			out.Blocks = append(out.Blocks, block)
		}
		h.Sections = append(h.Sections, out)
	}
	return h
}

func htmlCells(cells []cell) []htmlCell {
	var list []htmlCell
	for _, c := range cells {
		list = append(list, htmlCell{Text: c.text, Class: toneNames[c.tone], Share: c.share})
	}
	return list
}

// newGrid is a table as HTML has it: numbers to the right, the column that gives
// way wrapped, and rows that belong to the one above indented.
func newGrid(label string, t *table) *htmlGrid {
	g := &htmlGrid{Label: label}
	if len(t.head) <= 3 { // fits a phone as it is
		g.Class = "small"
	}
	for i, text := range t.head {
		g.Head = append(g.Head, htmlCell{Text: text, Class: t.class(i)})
	}
	for _, row := range t.rows {
		var cells []htmlCell
		for i, c := range row {
			text := strings.TrimLeft(c.text, " ")
			class := t.class(i)
			if depth := (len(c.text) - len(text)) / 2; i == 0 && depth > 0 {
				class += fmt.Sprintf(" in%d", min(depth, 2))
			}
			cells = append(cells, htmlCell{Text: text, Class: strings.TrimSpace(class + " " + toneNames[c.tone]), Label: t.head[i], Share: c.share})
		}
		g.Rows = append(g.Rows, cells)
	}
	return g
}

// class is the look of a column: numbers to the right, and prose wrapped.
func (t *table) class(column int) string {
	const longWord = 28 // columns of a text that is prose
	if t.right[column] == 'r' {
		return "n"
	}
	for _, row := range t.rows {
		if column > 0 && (column == t.shrink || columns(row[column].text) > longWord) {
			return "long"
		}
	}
	return ""
}
