package controller

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
)

// routes notes what is registered.
type routes struct {
	*http.ServeMux
	patterns []string
}

func (r *routes) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.HandleFunc(pattern, handler)
}

type described struct {
	Summary     string
	RequestBody *struct {
		Content map[string]struct{ Example json.RawMessage }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Example json.RawMessage }
	}
}

// TestDocument: every route is in the document, with a summary, the problems that it
// answers with, and an example of all that is sent and answered.
func TestDocument(t *testing.T) {
	is := is.New(t)
	s, err := New(memory.NewStore(memory.Options{}), Options{
		Launchers: []Launcher{{Resolution: core.Resolution{Launcher: "local"}}}, NewRunID: func() string { return "run" },
	})
	is.NoErr(err)
	defer s.Close()
	served := &routes{ServeMux: http.NewServeMux()}
	text, err := serveAPI(s, nil, served, apiConfig(""))
	is.NoErr(err)
	var d struct {
		Paths map[string]map[string]described
	}
	is.NoErr(json.Unmarshal(text, &d))
	var documented []string
	for path, methods := range d.Paths {
		for method, op := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+apiPath+path)
			checkDescription(t, strings.ToUpper(method)+" "+path, op)
		}
	}
	slices.Sort(served.patterns)
	slices.Sort(documented)
	is.True(len(documented) > 30)
	is.Equal(documented, served.patterns)
}

func checkDescription(t *testing.T, name string, op described) {
	t.Helper()
	is := is.New(t)
	if op.Summary == "" {
		t.Errorf("%s has no summary", name)
	}
	if op.RequestBody != nil {
		for media, body := range op.RequestBody.Content {
			if len(body.Example) < 3 {
				t.Errorf("%s has no example of what is sent as %s", name, media)
			}
		}
	}
	problems, successes := 0, 0
	for status, r := range op.Responses {
		success := strings.HasPrefix(status, "2")
		if success {
			successes++
		} else if status != "default" {
			problems++
			_, is4xx5xx := r.Content["application/problem+json"]
			is.True(is4xx5xx)
		}
		for media, content := range r.Content {
			if status != "default" && len(content.Example) < 3 {
				t.Errorf("%s has no example of %s as %s", name, status, media)
			}
		}
	}
	is.True(successes > 0)
	is.True(problems >= 4) // 401, 403, 500, 503
	if strings.Contains(name, "{") {
		_, missing := op.Responses["404"]
		is.True(missing)
	}
}

// TestExamplesAreWhatIsAsked: an example that is sent would be accepted.
func TestExamplesAreWhatIsAsked(t *testing.T) {
	is := is.New(t)
	all := makeExamples()
	var source string
	is.NoErr(json.Unmarshal(all["create-template"].sent.(json.RawMessage), &source))
	template, err := ParseTemplate([]byte(source))
	is.NoErr(err)
	is.Equal(template.Name, "oltp")
	for id := range answersOf {
		_, known := all[id]
		is.True(known || id == "delete-run") // which takes and answers nothing
	}
}
