package controller

import (
	"errors"
	"net/http"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

// Codes that only HTTP has, beside those of core.
const (
	codeUnauthenticated = "Unauthenticated"
	codeTooLarge        = "TooLarge"
	codeMediaType       = "UnsupportedMediaType"
	codeMethod          = "MethodNotAllowed"
	codeTooMany         = "TooMany"
)

// kind is one row of the table of problems.
type kind struct {
	code   string
	status int
	urn    string
	title  string
}

// kinds is the table of every problem that the API answers with.
var kinds = []kind{
	{string(core.Internal), http.StatusInternalServerError, "internal", "Internal error"}, // also of what is not here
	{string(core.NotFound), http.StatusNotFound, "not-found", "Not found"},
	{string(core.Conflict), http.StatusConflict, "conflict", "Somebody else was first"},
	{string(core.Refused), http.StatusConflict, "refused", "Not in the present state"},
	{string(core.Invalid), http.StatusUnprocessableEntity, "invalid", "Invalid input"},
	{string(core.Unsupported), http.StatusNotImplemented, "unsupported", "Not supported"},
	{string(core.Unavailable), http.StatusServiceUnavailable, "unavailable", "Unavailable for now"},
	{string(core.Denied), http.StatusForbidden, "denied", "Not allowed"},
	{codeUnauthenticated, http.StatusUnauthorized, "unauthenticated", "Who are you?"},
	{codeTooLarge, http.StatusRequestEntityTooLarge, "too-large", "Too large"},
	{codeMediaType, http.StatusUnsupportedMediaType, "media-type", "Unsupported media type"},
	{codeMethod, http.StatusMethodNotAllowed, "method", "Method not allowed"},
	{codeTooMany, http.StatusTooManyRequests, "too-many", "Too many at once"},
}

const urnPrefix = "urn:benchfleet:problem:"

func kindOf(holds func(kind) bool) kind {
	for _, k := range kinds {
		if holds(k) {
			return k
		}
	}
	return kinds[0]
}

func (k kind) problem(detail string) *client.Problem {
	return &client.Problem{Type: urnPrefix + k.urn, Title: k.title, Status: k.status, Code: k.code, Detail: detail}
}

// problem makes a problem of a code and words for people.
func problem(code, detail string) *client.Problem {
	return kindOf(func(k kind) bool { return k.code == code }).problem(detail)
}

// problemWith makes a problem of an HTTP status that the framework has chosen.
func problemWith(status int, detail string) *client.Problem {
	if status == http.StatusBadRequest {
		status = http.StatusUnprocessableEntity
	}
	return kindOf(func(k kind) bool { return k.status == status }).problem(detail)
}

// problemOf makes a problem of an error. What an internal error says is for the
// log, and for nobody outside.
func problemOf(err error) *client.Problem {
	var done *client.Problem
	if errors.As(err, &done) {
		return done
	}
	code := core.CodeOf(err)
	if code == core.Internal {
		return problem(string(code), "an internal error happened; the log of the controller says which")
	}
	p := problem(string(code), err.Error())
	var text *templatefile.Error
	if errors.As(err, &text) {
		for _, t := range text.Problems {
			p.Errors = append(p.Errors, client.ProblemField{Location: t.Path, Line: t.Line, Column: t.Column, Message: t.Message})
		}
	}
	var invalid *core.ValidationError
	if errors.As(err, &invalid) {
		for _, f := range invalid.Problems {
			p.Errors = append(p.Errors, client.ProblemField{Location: f.Field, Message: f.String()})
		}
	}
	return p
}
