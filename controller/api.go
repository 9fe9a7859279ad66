package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

// apiPath is where the API is served, below the prefix.
const apiPath = "/api/v1"

// api is the API over a Service.
type api struct {
	*Service
	huma   huma.API
	health *health
}

// apiHandler serves everything below /api/. prefix is what callers see in front of
// it.
func apiHandler(s *Service, prefix string, h *health) (http.Handler, error) {
	mux := http.NewServeMux()
	document, err := serveAPI(s, h, mux, apiConfig(prefix))
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // one who has gone away
	})
	for _, rest := range []string{"/api/", "/api"} {
		mux.HandleFunc(rest, func(w http.ResponseWriter, r *http.Request) { elsewhere(mux, w, r) })
	}
	return mux, nil
}

func apiConfig(prefix string) huma.Config {
	config := huma.DefaultConfig("benchfleet", "1")
	config.Info.Description = "Templates, runs and results of benchfleet. Errors are problem details (RFC 9457)."
	config.CreateHooks, config.OpenAPIPath, config.DocsPath, config.SchemasPath = nil, "", "", ""
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Formats = map[string]huma.Format{"application/json": escapedJSON, "json": escapedJSON}
	config.RejectUnknownQueryParameters = true
	config.Servers = []*huma.Server{{URL: prefix + apiPath}}
	config.Transformers = append(config.Transformers, asProblem)
	return config
}

// serveAPI registers every operation, and returns the document that describes them.
func serveAPI(s *Service, h *health, mux humago.Mux, config huma.Config) ([]byte, error) {
	a := &api{Service: s, huma: humago.NewWithPrefix(mux, apiPath, config), health: h}
	a.templates()
	a.runs()
	a.measured()
	a.stream()
	a.about()
	delete(a.huma.OpenAPI().Components.Schemas.Map(), "ErrorModel") // it is never answered
	a.complete()
	document, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("%w: the OpenAPI document: %w", core.ErrInternal, err)
	}
	return document, nil
}

// schemaName names a type in the document. Those of core are told from those of
// client, which may have the same name.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if strings.HasSuffix(t.PkgPath(), "/core") {
		return "Core" + name
	}
	return name
}

// escapedJSON is JSON in which nothing looks like a page, even to somebody who takes
// it for one.
var escapedJSON = huma.Format{
	Marshal:   func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
	Unmarshal: json.Unmarshal,
}

// asProblem turns what the framework has found into a problem of the table.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problemWith(m.Status, m.Detail)
	for _, e := range m.Errors {
		p.Errors = append(p.Errors, client.ProblemField{Location: e.Location, Message: e.Message})
	}
	return p, nil
}

// elsewhere answers what no operation is for: another method, or nothing.
func elsewhere(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); !strings.HasPrefix("/api/", pattern) && !slices.Contains(allowed, method) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, problem(codeMethod, fmt.Sprintf("%s is not for this; allowed: %s", r.Method, strings.Join(allowed, ", "))))
		return
	}
	writeProblem(w, problem(string(core.NotFound), "the API has nothing at this path; see /api/openapi.json"))
}

func writeProblem(w http.ResponseWriter, p *client.Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // one who has gone away
}

// operation registers one operation. Its errors become problems of the table.
func operation[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "Problem",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
	op.MaxBodyBytes = maxBody
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err == nil {
			return out, nil
		}
		if core.CodeOf(err) == core.Internal {
			a.Logger.Error("a request failed", "operation", op.OperationID, "error", err.Error())
		}
		return nil, problemOf(err)
	})
}

// answer is an output that is nothing but a body.
type answer[T any] struct{ Body T }

func answered[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{Body: body}, nil
}

// asJSON is an answer that describes itself.
func asJSON(body any, err error) (*text, error) {
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", core.ErrInternal, err)
	}
	return &text{ContentType: "application/json", Body: encoded}, nil
}

// about registers what the controller says of itself.
func (a *api) about() {
	tags := []string{"controller"}
	operation(a, huma.Operation{OperationID: "get-version", Method: http.MethodGet, Path: "/version", Tags: tags, Summary: "Read what this controller is"},
		func(context.Context, *struct{}) (*answer[client.Version], error) { return answered(a.Version(), nil) })
	operation(a, huma.Operation{OperationID: "get-health", Method: http.MethodGet, Path: "/health", Tags: tags, Summary: "Read whether this controller does its work; without a token it is at /health, outside the API"},
		func(ctx context.Context, _ *struct{}) (*answer[client.Health], error) {
			return answered(a.health.status(ctx), nil)
		})
	operation(a, huma.Operation{OperationID: "get-caller", Method: http.MethodGet, Path: "/caller", Tags: tags, Summary: "Read who asks, and what they may do"},
		func(ctx context.Context, _ *struct{}) (*answer[Caller], error) { return answered(CallerOf(ctx), nil) })
}
