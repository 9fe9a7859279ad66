package client

import (
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// Problem is an error of the API, as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type" doc:"What kind of problem it is: a URN that is stable" example:"urn:benchfleet:problem:not-found"`
	Title  string `json:"title" doc:"The kind in words" example:"Not found"`
	Status int    `json:"status" doc:"HTTP status"`
	Detail string `json:"detail,omitempty" doc:"What happened, for people"`
	// Code is the code of core, or one that only HTTP has: see the table of the
	// controller.
	Code   string         `json:"code" doc:"Stable code for programs" example:"NotFound"`
	Errors []ProblemField `json:"errors,omitempty" doc:"Everything that is wrong with the input, where there is more to say than Detail"`
}

// ProblemField is one thing that is wrong with the input.
type ProblemField struct {
	Location string `json:"location,omitempty" doc:"Field, parameter or path into the document"`
	Line     int    `json:"line,omitempty" doc:"In a template's text, from 1"`
	Column   int    `json:"column,omitempty" doc:"In a template's text, from 1"`
	Message  string `json:"message"`
}

// Error is the problem in words.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = strings.ToLower(p.Title)
	}
	for _, f := range p.Errors {
		if !strings.Contains(text, f.Message) {
			text += fmt.Sprintf("\n%s: %s", f.Location, f.Message)
		}
	}
	return text
}

// Unwrap returns the sentinel of the code.
func (p *Problem) Unwrap() error {
	switch p.Code {
	case "Unauthenticated":
		return core.ErrDenied
	case "TooLarge", "UnsupportedMediaType", "MethodNotAllowed":
		return core.ErrInvalid
	case "TooMany":
		return core.ErrUnavailable
	default:
		return core.SentinelOf(core.Code(p.Code))
	}
}

// GetStatus and ContentType are how the API's framework answers with a Problem.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }
