package controller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// document is one form of a report.
type document struct {
	media  string
	series bool // it shows the course of the run
	write  func(io.Writer, report.Result) error
}

// documents are the forms of a result.
var documents = map[string]document{
	"json": {"application/json", false, func(w io.Writer, r report.Result) error { return escapedJSON.Marshal(w, report.Document(r)) }},
	"text": {"text/plain; charset=utf-8", false, func(w io.Writer, r report.Result) error { return report.Text(w, r) }},
	"html": {"text/html; charset=utf-8", true, report.HTML},
	"csv":  {"text/csv; charset=utf-8", true, report.CSV},
	"md":   {"text/markdown; charset=utf-8", true, report.Markdown},
}

// comparisons are the forms of a comparison.
var comparisons = map[string]struct {
	media string
	write func(io.Writer, report.Comparison) error
}{
	"json": {"application/json", func(w io.Writer, c report.Comparison) error { return escapedJSON.Marshal(w, report.ComparisonOf(c)) }},
	"text": {"text/plain; charset=utf-8", func(w io.Writer, c report.Comparison) error { return report.CompareText(w, c) }},
	"html": {"text/html; charset=utf-8", report.CompareHTML},
	"md":   {"text/markdown; charset=utf-8", report.CompareMarkdown},
}

// Document is a report as a file.
type Document struct {
	Media string // its media type
	Name  string // of the file
	Body  []byte
}

// Document makes the report of a run in one of the forms json, text, html, csv, md.
func (s *Service) Document(ctx context.Context, id, form string) (Document, error) {
	kind, ok := documents[form]
	if !ok {
		return Document{}, unknownForm(form, slices.Sorted(maps.Keys(documents)))
	}
	read := s.Result
	if kind.series {
		read = s.Whole
	}
	result, err := read(ctx, id)
	if err != nil {
		return Document{}, err
	}
	var body bytes.Buffer
	if err := kind.write(&body, result); err != nil {
		return Document{}, err
	}
	return Document{Media: kind.media, Name: "result-" + fileName(id) + "." + extension(form), Body: body.Bytes()}, nil
}

// CompareDocument makes a comparison in one of the forms json, text, html, md.
func (s *Service) CompareDocument(ctx context.Context, ids []string, form string) (Document, error) {
	kind, ok := comparisons[form]
	if !ok {
		return Document{}, unknownForm(form, slices.Sorted(maps.Keys(comparisons)))
	}
	c, err := s.Compare(ctx, ids)
	if err != nil {
		return Document{}, err
	}
	var body bytes.Buffer
	if err := kind.write(&body, c); err != nil {
		return Document{}, err
	}
	return Document{Media: kind.media, Name: "comparison." + extension(form), Body: body.Bytes()}, nil
}

func unknownForm(form string, allowed []string) error {
	return fmt.Errorf("%w: the format is %.40q; allowed: %s", core.ErrInvalid, form, strings.Join(allowed, ", "))
}

func extension(form string) string {
	if form == "text" {
		return "txt"
	}
	return form
}

// fileName is a text as a part of the name of a file.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, text[:min(len(text), 100)])
}
