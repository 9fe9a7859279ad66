package templatefile

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/benchfleet/benchfleet/core"
)

// SchemaID names the JSON Schema of templates.
const SchemaID = "https://github.com/benchfleet/benchfleet/template.schema.json"

// durationPattern is what core.Duration reads, without a sign.
const durationPattern = `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`

// Schema returns a JSON Schema (draft 2020-12) of a template, for editors: the
// YAML language server takes it by a comment at the top of a file,
// # yaml-language-server: $schema=FILE. kinds are the kinds of targets that can
// be opened where the template is for; without any, a kind is any text.
func Schema(kinds ...string) ([]byte, error) {
	reflector := jsonschema.Reflector{DoNotReference: true, Anonymous: true, Mapper: mapped}
	schema := reflector.Reflect(&core.Template{})
	schema.ID = SchemaID
	schema.Title = "benchfleet template"
	tighten(schema, reflect.TypeFor[core.Template](), "")
	if target, ok := schema.Properties.Get("target"); ok {
		if kind, ok := target.Properties.Get("kind"); ok {
			kind.Description, kind.Enum = "Kind of target", oneOf(kinds).Enum
		}
	}
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: template schema: %w", core.ErrInternal, err)
	}
	return append(out, '\n'), nil
}

// mapped is the schema of the types that are not what their kind says.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[core.Duration]():
		return &jsonschema.Schema{
			AnyOf:    []*jsonschema.Schema{{Type: "string", Pattern: durationPattern}, {Const: 0}},
			Examples: []any{"500ms", "15s", "1m30s"},
		}
	case reflect.TypeFor[core.Distribution]():
		return oneOf(core.Distributions())
	case reflect.TypeFor[core.ParameterType]():
		return oneOf(core.ParameterTypes())
	case reflect.TypeFor[core.LostPolicy]():
		return oneOf([]core.LostPolicy{core.FailOnLoss, core.DegradeOnLoss})
	case reflect.TypeFor[any]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}, {Type: "null"}}}
	default:
		return nil
	}
}

func oneOf[T ~string](values []T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// tighten adds what the types do not say: closed sets of words, bounds, and
// which keys may be left out.
func tighten(s *jsonschema.Schema, t reflect.Type, path string) {
	switch t.Kind() {
	case reflect.Slice:
		tighten(s.Items, t.Elem(), path+"[]")
		return
	case reflect.Struct:
	default:
		return
	}
	s.Required = nil
	for f := range t.Fields() {
		key := keyOf(f)
		property, ok := s.Properties.Get(key)
		if !ok {
			continue
		}
		if !omitted(f) {
			s.Required = append(s.Required, key)
		}
		restrict(property, join(path, key))
		tighten(property, f.Type, join(path, key))
	}
}

func restrict(s *jsonschema.Schema, path string) {
	words := func(all ...string) {
		for _, w := range all {
			s.Enum = append(s.Enum, w)
		}
	}
	switch path {
	case "name":
		s.Pattern = `^[A-Za-z0-9][A-Za-z0-9._-]*$`
	case "table.type":
		words("STANDARD", "HYBRID", "INTERACTIVE")
	case "load.mode":
		words(core.ModeConcurrency, core.ModeQPS, core.ModeFindConcurrency, core.ModeFindQPS)
	case "load.scaling":
		words(core.ScalingFixed)
	case "load.arrivals":
		words(core.ArrivalsUniform, core.ArrivalsPoisson)
	case "load.ramp.shape":
		words(core.ShapeLinear, core.ShapeSteps, core.ShapeSine, core.ShapeSpike)
	case "mix[].access":
		words(core.AccessRead, core.AccessWrite)
	case "table.rows", "load.workers", "load.connections":
		s.Minimum = "1"
	case "mix[].weight", "load.sampling":
		s.Minimum, s.Maximum = "0", "100"
	case "limits.guardrails.cpu", "limits.guardrails.memory":
		s.Minimum, s.Maximum = "0", "100"
	case "budget.operations", "budget.rows", "budget.credits", "budget.credits_per_hour":
		s.Minimum = "0"
	case "load.operations", "load.rate", "load.ramp.from", "load.ramp.steps", "load.search.start", "load.search.growth", "load.search.resolution", "mix[].theta", "mix[].span":
		s.Minimum = "0"
	case "mix[].kind":
		for _, kind := range core.Kinds() {
			s.Examples = append(s.Examples, kind)
		}
	}
}
