package report

import (
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report/chart"
)

// sheet is a report as documents have it, HTML and Markdown alike: a heading, key
// figures, and sections. All its text is clean.
type sheet struct {
	kind     string // "run" or "comparison", in the title of the document
	title    string
	badges   []cell
	lead     []cell // paragraphs below the heading
	figures  []figure
	sections []section
	foot     string
}

// figure is a number that is read before all others.
type figure struct {
	name, value, note string
	tone              tone
}

type section struct {
	id, title string
	blocks    []block
}

// block is one thing of a section: whichever of its parts is not empty.
type block struct {
	text  *cell
	list  []cell
	table *table
	facts []core.Fact
	chart *chart.Chart
	code  string
}

// add appends a section, unless there is nothing in it.
func (s *sheet) add(id, title string, blocks ...block) {
	var some []block
	for _, b := range blocks {
		if !b.empty() {
			some = append(some, b)
		}
	}
	if len(some) > 0 {
		s.sections = append(s.sections, section{id, title, some})
	}
}

func (b block) empty() bool {
	return b.text == nil && len(b.list) == 0 && b.chart == nil && b.code == "" && len(b.facts) == 0 &&
		(b.table == nil || len(b.table.rows) == 0)
}

func prose(t tone, text string) block {
	if text == "" {
		return block{}
	}
	return block{text: &cell{text: text, tone: t}}
}

func tableBlock(t table) block { return block{table: &t} }

func chartBlock(c chart.Chart) block { return block{chart: &c} }

func factsBlock(facts ...core.Fact) block {
	var known []core.Fact
	for _, f := range facts {
		if f.Value != "" {
			known = append(known, f)
		}
	}
	return block{facts: known}
}
