package report

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the result of a run as GitHub Flavored Markdown, without its
// charts: for tickets and wikis. Stored text stays text: what would be markup in
// it is escaped.
func Markdown(w io.Writer, r Result) error { return writeMarkdown(w, r.sheet()) }

func writeMarkdown(w io.Writer, s sheet) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n", s.kind, mdText(s.title))
	for i, badge := range s.badges {
		if i > 0 {
			b.WriteString(" · ")
		}
		b.WriteString("**" + mdText(badge.text) + "**")
	}
	if len(s.badges) > 0 {
		b.WriteString("\n\n")
	}
	for _, c := range s.lead {
		b.WriteString(mdText(c.text) + "  \n")
	}
	b.WriteString("\n")
	if len(s.figures) > 0 {
		t := table{head: []string{"", "", ""}, right: "lrl"}
		for _, f := range s.figures {
			t.add(f.name, f.value, f.note)
		}
		mdTable(&b, &t)
	}
	for _, sec := range s.sections {
		b.WriteString("## " + mdText(sec.title) + "\n\n")
		for _, block := range sec.blocks {
			mdBlock(&b, block)
		}
	}
	if s.foot != "" {
		b.WriteString("---\n\n" + mdText(s.foot) + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

func mdBlock(b *strings.Builder, block block) {
	if block.text != nil {
		b.WriteString(mdText(block.text.text) + "\n\n")
	}
	for _, c := range block.list {
		b.WriteString("- " + mdText(c.text) + "\n")
	}
	if len(block.list) > 0 {
		b.WriteString("\n")
	}
	if block.chart != nil {
		b.WriteString("**" + mdText(block.chart.Title) + ".** " + mdText(block.chart.Summary) + "\n\n")
	}
	if block.table != nil {
		mdTable(b, block.table)
	}
	for _, f := range block.facts {
		b.WriteString("- " + mdText(f.Name) + ": " + mdText(f.Value) + "\n")
	}
	if len(block.facts) > 0 {
		b.WriteString("\n")
	}
}

func mdTable(b *strings.Builder, t *table) {
	rule := "|"
	b.WriteString("|")
	for i, h := range t.head {
		b.WriteString(" " + mdText(h) + " |")
		if t.right[i] == 'r' {
			rule += " ---: |"
		} else {
			rule += " --- |"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, row := range t.rows {
		b.WriteString("|")
		for _, c := range row {
			text := strings.TrimLeft(c.text, " ")
			indent := strings.Repeat("&nbsp;", len(c.text)-len(text))
			b.WriteString(" " + indent + mdText(text) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// mdText escapes what Markdown or HTML would take for markup. Letters, digits and
// the punctuation of numbers stay as they are.
func mdText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
			continue
		case r == '>':
			b.WriteString("&gt;")
			continue
		case r == '&':
			b.WriteString("&amp;")
			continue
		case r == '@': // a mention would notify somebody
			b.WriteString("&#64;")
			continue
		case strings.ContainsRune("\\`*_{}[]|~#!$", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	text := strings.ReplaceAll(b.String(), "://", ":&#47;&#47;") // nor does an address become a link
	if text != "" && strings.ContainsRune("-+=", rune(text[0])) {
		text = "\\" + text
	}
	return text
}
