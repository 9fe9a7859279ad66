package controller

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

var (
	problemType = reflect.TypeFor[client.Problem]()
	frameType   = reflect.TypeFor[client.Frame]()
)

// The inputs of operations on templates.
type (
	named struct {
		Template string `path:"template" maxLength:"200" doc:"Name or id"`
	}
	written struct {
		RawBody []byte `contentType:"application/yaml"`
	}
	replaced struct {
		Template string `path:"template" maxLength:"200" doc:"Name"`
		IfMatch  string `header:"If-Match" maxLength:"20" doc:"Version that must be replaced; absent: any"`
		RawBody  []byte `contentType:"application/yaml"`
	}
	copied struct {
		Template string `path:"template" maxLength:"200" doc:"Name or id"`
		Body     client.CopyTemplate
	}
	listed struct {
		Search string `query:"search" maxLength:"200" doc:"Only those with this in name or description"`
	}
)

// text is an answer that is no JSON.
type text struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func yaml(body []byte, err error) (*text, error) {
	if err != nil {
		return nil, err
	}
	return &text{ContentType: "application/yaml", Body: body}, nil
}

// templateBody says that a template comes as YAML or JSON.
func templateBody() *huma.RequestBody {
	text := &huma.Schema{Type: huma.TypeString, Description: "A template, as benchfleet template show prints it: YAML, or JSON"}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/yaml": {Schema: text}}}
}

// yamlAnswer says that the answer is YAML.
func yamlAnswer() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: "YAML", Content: map[string]*huma.MediaType{"application/yaml": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
}

func (a *api) templates() {
	tags := []string{"templates"}
	operation(a, huma.Operation{OperationID: "list-templates", Method: http.MethodGet, Path: "/templates", Tags: tags, Summary: "List templates by name"},
		func(ctx context.Context, in *listed) (*answer[client.List[client.Template]], error) {
			list, err := a.Templates(ctx, in.Search)
			return answered(client.List[client.Template]{Items: list}, err)
		})
	operation(a, huma.Operation{OperationID: "create-template", Method: http.MethodPost, Path: "/templates", Tags: tags, Summary: "Store a new template",
		DefaultStatus: http.StatusCreated, RequestBody: templateBody(), SkipValidateBody: true},
		func(ctx context.Context, in *written) (*answer[client.Template], error) {
			t, err := ParseTemplate(bytes.Clone(in.RawBody))
			if err != nil {
				return nil, err
			}
			return answered(a.CreateTemplate(ctx, t))
		})
	operation(a, huma.Operation{OperationID: "validate-template", Method: http.MethodPost, Path: "/validate-template", Tags: tags, Summary: "Say what is wrong with a template, with lines, and store nothing",
		RequestBody: templateBody(), SkipValidateBody: true},
		func(_ context.Context, in *written) (*answer[client.Validation], error) {
			return answered(ValidateTemplate(bytes.Clone(in.RawBody)), nil)
		})
	operation(a, huma.Operation{OperationID: "get-template", Method: http.MethodGet, Path: "/templates/{template}", Tags: tags, Summary: "Read a template"},
		func(ctx context.Context, in *named) (*answer[client.Template], error) {
			return answered(a.Template(ctx, in.Template))
		})
	operation(a, huma.Operation{OperationID: "get-template-text", Method: http.MethodGet, Path: "/templates/{template}/text", Tags: tags, Summary: "Read a template as YAML, to edit it", Responses: yamlAnswer()},
		func(ctx context.Context, in *named) (*text, error) { return yaml(a.TemplateText(ctx, in.Template)) })
	operation(a, huma.Operation{OperationID: "put-template", Method: http.MethodPut, Path: "/templates/{template}", Tags: tags, Summary: "Replace a template that was not used, or store a new one",
		RequestBody: templateBody(), SkipValidateBody: true}, a.putTemplate)
	operation(a, huma.Operation{OperationID: "copy-template", Method: http.MethodPost, Path: "/templates/{template}/copy", Tags: tags, Summary: "Copy a template", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *copied) (*answer[client.Template], error) {
			return answered(a.CopyTemplate(ctx, in.Template, in.Body.Name))
		})
	operation(a, huma.Operation{OperationID: "delete-template", Method: http.MethodDelete, Path: "/templates/{template}", Tags: tags, Summary: "Remove a template; runs keep their scenario", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, in *named) (*struct{}, error) {
			return nil, a.DeleteTemplate(ctx, in.Template, CallerOf(ctx).Name)
		})
	a.library(tags)
}

func (a *api) library(tags []string) {
	operation(a, huma.Operation{OperationID: "list-built-in", Method: http.MethodGet, Path: "/library", Tags: tags, Summary: "List the templates that come with benchfleet"},
		func(context.Context, *struct{}) (*answer[client.List[string]], error) {
			return answered(client.List[string]{Items: BuiltIn()}, nil)
		})
	operation(a, huma.Operation{OperationID: "get-built-in", Method: http.MethodGet, Path: "/library/{template}", Tags: tags, Summary: "Read a template that comes with benchfleet, as YAML", Responses: yamlAnswer()},
		func(_ context.Context, in *named) (*text, error) { return yaml(BuiltInText(in.Template)) })
}

func (a *api) putTemplate(ctx context.Context, in *replaced) (*answer[client.Template], error) {
	t, err := ParseTemplate(bytes.Clone(in.RawBody))
	if err != nil {
		return nil, err
	}
	version := 0
	if in.IfMatch != "" {
		if version, err = strconv.Atoi(strings.Trim(in.IfMatch, `"`)); err != nil || version < 1 {
			return nil, fmt.Errorf("%w: If-Match is %q; allowed: the version of a template", core.ErrInvalid, in.IfMatch)
		}
	}
	return answered(a.PutTemplate(ctx, in.Template, t, version))
}
