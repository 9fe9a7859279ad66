package controller

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/benchfleet/benchfleet/core"
)

// answersOf are the problems that an operation answers with, beside those of every
// operation, and of every one that names something or takes a body.
var answersOf = map[string][]string{
	"create-template": {string(core.Conflict)}, "copy-template": {string(core.Conflict)},
	"put-template": {string(core.Conflict), string(core.Refused)},
	"create-run":   {string(core.NotFound), string(core.Refused)},
	"start-run":    {string(core.Refused)}, "check-run": {string(core.Refused)}, "delete-run": {string(core.Refused)},
	"compare-runs": {string(core.NotFound), string(core.Refused)},
	"watch-run":    {codeTooMany},
}

// complete adds to the document what operations do not say of themselves: each
// problem by its status, and an example of everything that is sent and answered.
func (a *api) complete() {
	document, examples := a.huma.OpenAPI(), makeExamples()
	problems := document.Components.Schemas.Schema(problemType, true, "Problem")
	for path, item := range document.Paths {
		for _, op := range operationsOf(item) {
			for _, code := range codesOf(op, path) {
				addProblem(op, code, problems)
			}
			addExamples(op, examples[op.OperationID])
		}
	}
}

func operationsOf(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put, item.Delete}, func(o *huma.Operation) bool { return o == nil })
}

func codesOf(op *huma.Operation, path string) []string {
	codes := []string{codeUnauthenticated, string(core.Denied), string(core.Internal), string(core.Unavailable)}
	if strings.Contains(path, "{") {
		codes = append(codes, string(core.NotFound))
	}
	if len(op.Parameters) > 0 || op.RequestBody != nil {
		codes = append(codes, string(core.Invalid))
	}
	if op.RequestBody != nil {
		codes = append(codes, codeTooLarge, codeMediaType)
	}
	return append(codes, answersOf[op.OperationID]...)
}

// addProblem adds one problem under its status. Of two with one status, as Conflict
// and Refused are, the second is told in the description.
func addProblem(op *huma.Operation, code string, schema *huma.Schema) {
	k := kindOf(func(k kind) bool { return k.code == code })
	status := strconv.Itoa(k.status)
	text := k.title + " (" + k.code + ")"
	if r := op.Responses[status]; r != nil && len(r.Content) > 0 {
		if !strings.Contains(r.Description, text) {
			r.Description += "; " + text
		}
		return
	}
	op.Responses[status] = &huma.Response{Description: text, Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schema, Example: k.problem("what was wrong, and what is allowed")},
	}}
}

// addExamples adds an example of what is sent and of what is answered on success.
func addExamples(op *huma.Operation, example example) {
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Content {
			media.Example = example.sent
		}
	}
	for status, response := range op.Responses {
		if code, err := strconv.Atoi(status); err != nil || code >= http.StatusMultipleChoices {
			continue
		}
		for name, media := range response.Content {
			if media.Example = example.answered; name != "application/json" && name != "application/yaml" && name != "text/event-stream" {
				media.Example = "what JSON says, as " + name
			}
		}
	}
}
