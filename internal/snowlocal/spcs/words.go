package spcs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// words reads a statement from left to right. After its first error it reads
// nothing more, and err says what was wrong.
type words struct {
	text   string
	tokens []sqltext.Token
	at     int
	binds  []engine.Bind
	err    error
}

func read(q engine.Query) *words {
	tokens, err := sqltext.Tokenize(q.SQL)
	if err != nil {
		tokens = []sqltext.Token{{Kind: sqltext.EOF}}
		err = engine.NewError(1003, "42000", "SQL compilation error:\n%s", err)
	}
	return &words{text: q.SQL, tokens: tokens, binds: q.Binds, err: err}
}

func (w *words) peek() sqltext.Token { return w.tokens[min(w.at, len(w.tokens)-1)] }

func (w *words) next() sqltext.Token {
	t := w.peek()
	if t.Kind != sqltext.EOF {
		w.at++
	}
	return t
}

// unexpected fails at the next token.
func (w *words) unexpected() {
	if w.err != nil {
		return
	}
	t := w.peek()
	near := w.text[min(t.Start, len(w.text)):min(t.End, len(w.text))]
	if near == "" {
		near = "<EOF>"
	}
	line := strings.Count(w.text[:min(t.Start, len(w.text))], "\n") + 1
	w.err = engine.NewError(1003, "42000", "SQL compilation error:\nsyntax error line %d at position %d unexpected '%.80s'.", line, t.Start, near)
}

// is reports whether those words come next.
func (w *words) is(list ...string) bool {
	for i, word := range list {
		if t := w.tokens[min(w.at+i, len(w.tokens)-1)]; t.Kind != sqltext.Word || t.Text != word {
			return false
		}
	}
	return w.err == nil
}

// word takes those words if they come next.
func (w *words) word(list ...string) bool {
	if !w.is(list...) {
		return false
	}
	w.at += len(list)
	return true
}

func (w *words) need(list ...string) {
	for _, word := range list {
		if !w.word(word) {
			w.unexpected()
		}
	}
}

func (w *words) op(op string) bool {
	if t := w.peek(); w.err != nil || t.Kind != sqltext.Operator || t.Text != op {
		return false
	}
	w.at++
	return true
}

func (w *words) needOp(op string) {
	if !w.op(op) {
		w.unexpected()
	}
}

// end wants the end of the statement.
func (w *words) end() error {
	if w.op(";"); w.err == nil && w.peek().Kind != sqltext.EOF {
		w.unexpected()
	}
	return w.err
}

// bind takes the value of a placeholder.
func (w *words) bind() string {
	w.needOp("?")
	if w.err != nil {
		return ""
	}
	if len(w.binds) == 0 || w.binds[0].IsArray || w.binds[0].Value == nil {
		w.err = engine.NewError(1008, "22023", "SQL compilation error:\na bind variable is not set, or is no single value")
		return ""
	}
	value := *w.binds[0].Value
	w.binds = w.binds[1:]
	return value
}

// name takes a name of up to three parts: as it stands, or IDENTIFIER('…' or ?). A
// bare placeholder is error 1003 there as here.
func (w *words) name() []sqltext.Name {
	if w.is("IDENTIFIER") && w.tokens[min(w.at+1, len(w.tokens)-1)].Text == "(" {
		w.at += 2
		text := ""
		if w.peek().Kind == sqltext.String {
			text = w.next().Text
		} else {
			text = w.bind()
		}
		w.needOp(")")
		if w.err != nil {
			return nil
		}
		path, err := sqltext.ParsePath(text)
		if err != nil {
			w.err = engine.NewError(1003, "42000", "SQL compilation error:\n%s", err)
		}
		return path.Parts
	}
	var parts []sqltext.Name
	for {
		t := w.peek()
		if t.Kind != sqltext.Word && t.Kind != sqltext.Quoted {
			w.unexpected()
		}
		if w.err != nil {
			return nil
		}
		w.at++
		parts = append(parts, sqltext.Name{Text: t.Text, Quoted: t.Kind == sqltext.Quoted})
		if !w.op(".") {
			return parts
		}
	}
}

// single takes a name of one part.
func (w *words) single() string {
	parts := w.name()
	if w.err == nil && len(parts) != 1 {
		w.at--
		w.unexpected()
	}
	if w.err != nil {
		return ""
	}
	return parts[0].Text
}

// value takes a string, a number, a word or a placeholder.
func (w *words) value() string {
	t := w.peek()
	switch {
	case t.Kind == sqltext.Operator && t.Text == "?":
		return w.bind()
	case t.Kind == sqltext.Operator && t.Text == "-":
		w.at++
		return "-" + w.value()
	case t.Kind == sqltext.Word, t.Kind == sqltext.String, t.Kind == sqltext.Number, t.Kind == sqltext.Quoted:
		return w.next().Text
	}
	w.unexpected()
	return ""
}

func (w *words) integer(least, most int) int {
	start := w.at
	n, err := strconv.Atoi(w.value())
	if w.err == nil && (err != nil || n < least || n > most) {
		w.at = start
		w.unexpected()
	}
	return n
}

func (w *words) boolean() bool {
	start := w.at
	switch strings.ToUpper(w.value()) {
	case "TRUE":
		return true
	case "FALSE":
		return false
	}
	w.at = start
	w.unexpected()
	return false
}

// list takes ('a', b, …): the texts as they stand.
func (w *words) list() []string {
	var items []string
	w.needOp("(")
	for w.err == nil && !w.op(")") {
		if len(items) > 0 {
			w.needOp(",")
		}
		items = append(items, w.value())
	}
	return items
}

// properties takes KEY = value as long as there are any; take reads the value of a
// key, or reports false for one that it does not know.
func (w *words) properties(kind string, take func(key string) bool) {
	var seen []string
	for w.err == nil && w.peek().Kind == sqltext.Word && w.tokens[min(w.at+1, len(w.tokens)-1)].Text == "=" {
		key := w.next().Text
		w.at++
		switch {
		case slices.Contains(seen, key):
			w.err = engine.NewError(1003, "42000", "SQL compilation error:\nduplicate property '%s'.", key)
		case !take(key) && w.err == nil:
			w.err = engine.NewError(1420, "22023", "SQL compilation error:\ninvalid property '%s' for '%s'", key, kind)
		}
		seen = append(seen, key)
		w.op(",")
	}
}
