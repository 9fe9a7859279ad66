package controller

import (
	"bytes"
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

var problemType = reflect.TypeFor[client.Problem]()

// named is the input of operations on one template.
type named struct {
	Template string `path:"template" maxLength:"200" doc:"Name or id"`
}

// written is the input of operations that take a template as text.
type written struct {
	RawBody []byte `contentType:"application/yaml"`
}

func (w *written) parse() (core.Template, error) { return ParseTemplate(bytes.Clone(w.RawBody)) }

// templateBody says that a template comes as YAML or JSON.
func templateBody() *huma.RequestBody {
	text := &huma.Schema{Type: huma.TypeString, Description: "A template, as benchfleet template show prints it"}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/yaml": {Schema: text}}}
}

func (a *api) templates() {
	tags := []string{"templates"}
	operation(a, huma.Operation{OperationID: "list-templates", Method: http.MethodGet, Path: "/templates", Tags: tags, Summary: "List templates by name"},
		func(ctx context.Context, _ *struct{}) (*answer[client.List[client.Template]], error) {
			list, err := a.Templates(ctx)
			return answered(client.List[client.Template]{Items: list}, err)
		})
	operation(a, huma.Operation{OperationID: "create-template", Method: http.MethodPost, Path: "/templates", Tags: tags, Summary: "Store a new template",
		DefaultStatus: http.StatusCreated, RequestBody: templateBody(), SkipValidateBody: true},
		func(ctx context.Context, in *written) (*answer[client.Template], error) {
			t, err := in.parse()
			if err != nil {
				return nil, err
			}
			return answered(a.CreateTemplate(ctx, t))
		})
	operation(a, huma.Operation{OperationID: "get-template", Method: http.MethodGet, Path: "/templates/{template}", Tags: tags, Summary: "Read a template"},
		func(ctx context.Context, in *named) (*answer[client.Template], error) {
			return answered(a.Template(ctx, in.Template))
		})
}
