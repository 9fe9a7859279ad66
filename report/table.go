package report

import "strings"

// cell is one field of a table. Its text must be clean.
type cell struct {
	text string
	tone tone
	// share is a fraction that documents also draw as a bar; nil: none.
	share *float64
}

// table is rows of aligned columns, two spaces apart.
type table struct {
	indent  string
	head    []string
	right   string // one letter for each column: r for numbers, l for words
	shrink  int    // the column that gives way when the width does not suffice
	rows    [][]cell
	minimum int // columns that the shrinking one keeps, at least
}

// add appends a row of plain cells.
func (t *table) add(texts ...string) {
	row := make([]cell, len(texts))
	for i, text := range texts {
		row[i].text = text
	}
	t.rows = append(t.rows, row)
}

// tint gives a tone to a cell of the last row.
func (t *table) tint(column int, tone tone) { t.rows[len(t.rows)-1][column].tone = tone }

const columnGap = 2

func (p *page) table(t table) {
	if len(t.rows) == 0 {
		return
	}
	widths := t.widths(p.width)
	if len(t.head) > 0 {
		head := make([]cell, len(t.head))
		for i, text := range t.head {
			head[i] = cell{text: text, tone: faint}
		}
		p.row(&t, head, widths)
	}
	for _, row := range t.rows {
		p.row(&t, row, widths)
	}
}

// widths measures the columns and takes from the shrinking one, and then from
// the widest words, what is too much.
func (t *table) widths(limit int) []int {
	widths := make([]int, len(t.right))
	for i, text := range t.head {
		widths[i] = columns(text)
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	if limit <= 0 {
		return widths
	}
	total := len(t.indent) + columnGap*(len(widths)-1)
	for _, w := range widths {
		total += w
	}
	if total > limit {
		widths[t.shrink] = max(widths[t.shrink]-(total-limit), max(t.minimum, 8))
	}
	return widths
}

func (p *page) row(t *table, row []cell, widths []int) {
	var b strings.Builder
	b.WriteString(t.indent)
	for i, c := range row {
		text := cut(c.text, widths[i])
		space := strings.Repeat(" ", max(0, widths[i]-columns(text)))
		painted := p.paint(c.tone, text)
		switch {
		case t.right[i] == 'r':
			b.WriteString(space + painted)
		case i == len(row)-1:
			b.WriteString(painted) // nothing behind the last word
		default:
			b.WriteString(painted + space)
		}
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", columnGap))
		}
	}
	p.line("%s", strings.TrimRight(b.String(), " "))
}

// prose writes clean text behind a mark, wrapped below its own beginning.
func (p *page) prose(mark, text string) {
	room := 0
	if p.width > 0 {
		room = max(20, p.width-columns(mark))
	}
	for i, line := range wrap(text, room) {
		if i > 0 {
			mark = strings.Repeat(" ", columns(mark))
		}
		p.print(mark + line + "\n")
	}
}
