package library_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/templatefile"
)

// schema is the part of JSON Schema that templatefile.Schema uses; a word that
// is not here fails the test.
type schema struct {
	Schema      string             `json:"$schema"`
	ID          string             `json:"$id"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Examples    []any              `json:"examples"`
	Type        string             `json:"type"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	Enum        []any              `json:"enum"`
	Const       any                `json:"const"`
	Pattern     string             `json:"pattern"`
	Minimum     *float64           `json:"minimum"`
	Maximum     *float64           `json:"maximum"`
	AnyOf       []*schema          `json:"anyOf"`
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// check returns what of v the schema does not allow.
func (s *schema) check(path string, v any) []string {
	var out []string
	is := typeOf(v)
	if s.Type != "" && s.Type != is && !(s.Type == "number" && is == "integer") {
		return []string{fmt.Sprintf("%s: %s, not %s", path, is, s.Type)}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		out = append(out, fmt.Sprintf("%s: %v is none of %v", path, v, s.Enum))
	}
	if s.Const != nil && s.Const != v {
		out = append(out, fmt.Sprintf("%s: %v is not %v", path, v, s.Const))
	}
	if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(fmt.Sprint(v)) {
		out = append(out, fmt.Sprintf("%s: %v does not match %s", path, v, s.Pattern))
	}
	if f, ok := v.(float64); ok && (s.Minimum != nil && f < *s.Minimum || s.Maximum != nil && f > *s.Maximum) {
		out = append(out, fmt.Sprintf("%s: %v is out of bounds", path, v))
	}
	if len(s.AnyOf) > 0 && !slices.ContainsFunc(s.AnyOf, func(a *schema) bool { return len(a.check(path, v)) == 0 }) {
		out = append(out, fmt.Sprintf("%s: %v fits nothing that is allowed", path, v))
	}
	if items, ok := v.([]any); ok && s.Items != nil {
		for i, item := range items {
			out = append(out, s.Items.check(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	}
	if object, ok := v.(map[string]any); ok {
		out = append(out, s.checkObject(path, object)...)
	}
	return out
}

func (s *schema) checkObject(path string, object map[string]any) []string {
	var out []string
	for _, key := range s.Required {
		if _, ok := object[key]; !ok {
			out = append(out, path+": "+key+" is missing")
		}
	}
	for key, value := range object {
		property := s.Properties[key]
		if property == nil && string(s.Additional) == "false" {
			out = append(out, path+": "+key+" is not allowed")
			continue
		}
		if property == nil && len(s.Additional) > 0 {
			property = &schema{}
			if err := json.Unmarshal(s.Additional, property); err != nil {
				out = append(out, err.Error())
			}
		}
		if property != nil {
			out = append(out, property.check(path+"."+key, value)...)
		}
	}
	return out
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	data, err := templatefile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var s schema
	if err := decoder.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestTemplatesFitTheSchema(t *testing.T) {
	s := readSchema(t)
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			template, err := library.Get(name)
			is.NoErr(err)
			data, err := json.Marshal(template)
			is.NoErr(err)
			var document map[string]any
			is.NoErr(json.Unmarshal(data, &document))
			is.Equal(s.check(name, document), []string(nil))

			// The schema must be able to refuse.
			document["loda"] = 1
			document["load"].(map[string]any)["duration"] = "12 seconds"
			document["load"].(map[string]any)["workers"] = 2.5
			document["mix"].([]any)[0].(map[string]any)["keys"] = "zipf"
			delete(document, "table")
			is.Equal(len(s.check(name, document)), 5)
		})
	}
}
