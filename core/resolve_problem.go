package core

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a template.
type Problem struct {
	Field   string // its path, like "mix[2].weight"
	Message string // what the value is and what is allowed
}

// String is the problem on one line.
func (p Problem) String() string { return p.Field + " " + p.Message }

// ValidationError is every problem of a template, in the order of its fields.
// It carries ErrInvalid.
type ValidationError struct {
	Name     string // of the template
	Problems []Problem
}

// Error lists the problems, one on each line.
func (e *ValidationError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: template %q: ", ErrInvalid, e.Name)
	if len(e.Problems) == 1 {
		text.WriteString(e.Problems[0].String())
		return text.String()
	}
	fmt.Fprintf(&text, "%d problems", len(e.Problems))
	for _, p := range e.Problems {
		text.WriteString("\n  " + p.String())
	}
	return text.String()
}

// Unwrap returns ErrInvalid.
func (e *ValidationError) Unwrap() error { return ErrInvalid }

// problems gathers what is wrong with a template.
type problems []Problem

// add reports a problem of a field. The message begins with a verb.
func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// word returns the value of a field that must be one of some words, or the
// default when it is empty.
func (p *problems) word(field, value, otherwise string, allowed []string) string {
	if value == "" {
		return otherwise
	}
	for _, w := range allowed {
		if w == value {
			return value
		}
	}
	p.add(field, "is %q; allowed: %s%s", value, strings.Join(allowed, ", "), didYouMean(value, allowed))
	return value
}

// didYouMean is a question that names the nearest word, or nothing.
func didYouMean(word string, words []string) string {
	if near, ok := Nearest(word, words); ok {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// Nearest is the word that a misspelt one most likely stands for: the one with
// the fewest edits, upper and lower case being the same, of two equally near
// ones the first. It is not ok when none is near: more than a third of the
// longer word's letters would have to change.
func Nearest(word string, words []string) (near string, ok bool) {
	if len(word) > 100 {
		return "", false
	}
	best := -1
	for _, w := range words {
		distance := editDistance([]rune(strings.ToLower(word)), []rune(strings.ToLower(w)))
		if limit := max(1, max(len(word), len(w))/3); distance <= limit && (best < 0 || distance < best) {
			near, best = w, distance
		}
	}
	return near, best >= 0
}

// editDistance is Levenshtein's, with a swap of two neighbours as one edit.
func editDistance(a, b []rune) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
