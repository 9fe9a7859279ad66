// Package templatefile reads and writes benchmark templates as text: YAML or
// JSON files, --set assignments, and a JSON Schema for editors. The json tags of
// core.Template are the keys.
//
// Reading is strict. A key that no template has, a key given twice, a value of
// the wrong type and a value that can never work are refused, each with its
// line, its key, its value and what is allowed; all problems of a file are
// reported together, at most MaxProblems of them:
//
//	_, err := templatefile.Parse("oltp.yaml", data)
//	// oltp.yaml:12:3: load.conections is no key of a template; did you mean load.connections?
//	// oltp.yaml:13:13: load.duration is 15 (a whole number); allowed: a duration with a unit, like 500ms, 15s or 1m30s
//
// Of YAML it takes mappings, lists, scalars, anchors, aliases and several
// documents; tags, directives and merge keys are refused. Text that looks like
// a number must be in quotes. Input is bounded: MaxBytes, MaxDepth, MaxValues.
//
// It is not the place of defaults: a missing key stays zero, and
// core.Template.Resolve decides what that means.
package templatefile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/core"
)

// The bounds of what is read.
const (
	MaxBytes    = 1 << 20 // of a file
	MaxDepth    = 64      // of lists and mappings inside each other
	MaxValues   = 100_000 // of a file, with its aliases expanded
	MaxProblems = 20      // reported of a file; the rest is counted
)

// Problem is one thing that is wrong with a file or an assignment.
type Problem struct {
	File    string `json:"file"`             // or "--set KEY"
	Line    int    `json:"line,omitempty"`   // from 1; 0 when it has no place in the text
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Path    string `json:"path,omitempty"`   // like "mix[2].weight"
	Message string `json:"message"`
}

// String is the problem on one line, with its place in front.
func (p Problem) String() string {
	switch {
	case p.Line == 0 && p.File == "":
		return p.Message
	case p.Line == 0:
		return p.File + ": " + p.Message
	default:
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	}
}

// Error is everything that is wrong with a file. It wraps core.ErrInvalid.
type Error struct {
	Problems []Problem `json:"problems"`       // in the order of the file
	More     int       `json:"more,omitempty"` // found, but too many to list
}

// Error has one line for each problem.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

// Unwrap returns core.ErrInvalid: the input can never work.
func (e *Error) Unwrap() error { return core.ErrInvalid }

// Parse reads the templates of a file: one for each YAML document, one of a
// JSON file. name is what problems are reported under; a name that ends in
// .json makes it JSON, and so does text that is a JSON object. The error is an
// *Error, and then there are no templates.
func Parse(name string, data []byte) ([]core.Template, error) {
	found := &problems{file: name}
	var documents []*node
	if checkBytes(data, found) {
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
		if isJSON(name, data) {
			documents = readJSON(data, found)
		} else {
			documents = readYAML(data, found)
		}
	}
	if len(documents) == 0 && found.none() {
		found.add(position{}, "", "it holds no template")
	}
	d := decoder{found: found}
	var templates []core.Template
	names := map[string]position{}
	for _, document := range documents {
		t, places := d.template(document)
		at := places["name"]
		if first, twice := names[t.Name]; twice && t.Name != "" {
			found.add(at, "name", fmt.Sprintf("name is %s, which the template on line %d has already", quoted(t.Name), first.line))
		}
		names[t.Name] = at
		templates = append(templates, t)
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	return templates, nil
}

// template decodes and validates one document. Where its values are is
// returned by path.
func (d *decoder) template(document *node) (core.Template, map[string]position) {
	var t core.Template
	d.places, d.doubtful = map[string]position{}, nil
	d.decode(document, "", reflect.ValueOf(&t).Elem())
	d.judge(t)
	return t, d.places
}

// checkBytes refuses what is no text before any parser sees it.
func checkBytes(data []byte, found *problems) bool {
	if len(data) > MaxBytes {
		found.add(position{}, "", fmt.Sprintf("it has %d bytes; allowed: up to %d", len(data), MaxBytes))
		return false
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			found.add(positionAt(data, i), "", "it is not UTF-8 text")
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			found.add(positionAt(data, i), "", fmt.Sprintf("control character %U is not allowed", r))
			return false
		}
		i += size
	}
	return true
}

func isJSON(name string, data []byte) bool {
	if strings.HasSuffix(strings.ToLower(name), ".json") {
		return true
	}
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) && json.Valid(data)
}

// maxFound bounds what is gathered, before the first MaxProblems are taken.
const maxFound = 1000

// problems gathers what is found.
type problems struct {
	file string
	list []Problem
	more int
}

func (p *problems) add(at position, path, message string) {
	if len(p.list) >= maxFound {
		p.more++
		return
	}
	p.list = append(p.list, Problem{File: p.file, Line: at.line, Column: at.column, Path: path, Message: message})
}

func (p *problems) none() bool { return len(p.list) == 0 }

func (p *problems) err() error {
	if p.none() {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	listed := min(len(p.list), MaxProblems)
	return &Error{Problems: p.list[:listed], More: len(p.list) - listed + p.more}
}
