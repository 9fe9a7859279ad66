package core

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxString    = 65_536  // bytes of a generated or literal string
	maxValues    = 10_000  // of one choice
	exactInteger = 1 << 53 // whole numbers up to here are exact in JSON and float64
	maxWithin    = 100 * 365 * 24 * time.Hour
)

// parameters resolves the parameters of one operation; keys and theta are the
// operation's defaults for those of type key.
func (v *resolver) parameters(field string, t *TemplateOp, list []Parameter) []Parameter {
	if len(list) > maxParameters {
		v.found.add(field+".parameters", "has %d entries; allowed: up to %d", len(list), maxParameters)
		return nil
	}
	v.keyDefaults(field, t, list)
	resolved := make([]Parameter, len(list))
	for i := range list {
		p := list[i]
		p.Values = slices.Clone(p.Values)
		at := indexed(field+".parameters", i)
		v.parameterName(at+".name", list, i)
		v.parameter(at, &p, t, resolved[:i])
		resolved[i] = p
	}
	return resolved
}

// keyDefaults checks keys and theta of an operation.
func (v *resolver) keyDefaults(field string, t *TemplateOp, list []Parameter) {
	v.distribution(field+".keys", t.Keys)
	v.theta(field+".theta", t.Theta)
	keyed, skewed := false, false
	for _, p := range list {
		if p.Type == ParamKey {
			keyed = true
			skewed = skewed || isSkewed(eitherDistribution(p.Distribution, t.Keys))
		}
	}
	switch {
	case !keyed && t.Keys != "":
		v.found.add(field+".keys", "is %q, but the operation has no parameter of type key", t.Keys)
	case !keyed && t.Theta != 0:
		v.found.add(field+".theta", "is %v, but the operation has no parameter of type key", t.Theta)
	case keyed && !skewed && t.Theta != 0:
		v.found.add(field+".theta", "is %v, but has an effect only with keys zipfian or latest", t.Theta)
	}
}

func isSkewed(d Distribution) bool { return d == Zipfian || d == Latest }

func eitherDistribution(d, otherwise Distribution) Distribution {
	switch {
	case d != "":
		return d
	case otherwise != "":
		return otherwise
	default:
		return Uniform
	}
}

func (v *resolver) distribution(field string, d Distribution) {
	var words []string
	for _, known := range Distributions() {
		words = append(words, string(known))
	}
	v.found.word(field, string(d), "", words)
}

func (v *resolver) theta(field string, theta float64) {
	if !(theta >= 0 && theta <= MaxTheta) {
		v.found.add(field, "is %v; allowed: above 0 to %v, or none for %v", theta, MaxTheta, DefaultTheta)
	}
}

func (v *resolver) parameterName(field string, list []Parameter, i int) {
	name := list[i].Name
	first := slices.IndexFunc(list, func(p Parameter) bool { return p.Name == name })
	switch {
	case name == "":
	case len(name) > maxName || !parameterName.MatchString(name):
		v.found.add(field, "is %.120q; allowed: letters, digits and underscores, the first not a digit", name)
	case first < i:
		v.found.add(field, "is %q a second time; it is the name of parameters[%d] already", name, first)
	}
}

// parameter checks one parameter by its type and fills in its defaults.
func (v *resolver) parameter(field string, p *Parameter, t *TemplateOp, earlier []Parameter) {
	var types []string
	for _, known := range ParameterTypes() {
		types = append(types, string(known))
	}
	if p.Type == "" {
		v.found.add(field+".type", "is missing; allowed: %s", strings.Join(types, ", "))
		return
	}
	if !slices.Contains(types, string(p.Type)) {
		v.found.word(field+".type", string(p.Type), "", types)
		return
	}
	v.strayFields(field, p)
	switch p.Type {
	case ParamKey:
		v.distribution(field+".distribution", p.Distribution)
		v.theta(field+".theta", p.Theta)
		v.keyTable(field+".table", p.Table)
		if d := eitherDistribution(p.Distribution, t.Keys); p.Theta != 0 && !isSkewed(d) {
			v.found.add(field+".theta", "is %v, but the distribution is %s; it has an effect only with zipfian or latest", p.Theta, d)
		}
		p.resolveKey(t)
	case ParamRecentKey:
		v.theta(field+".theta", p.Theta)
		if p.Theta == 0 {
			p.Theta = DefaultTheta
		}
	case ParamInt, ParamFloat:
		v.minMax(field, p)
	case ParamString:
		if p.Length < 1 || p.Length > maxString {
			v.found.add(field+".length", "is %d; allowed: 1 to %d", p.Length, maxString)
		}
	case ParamTimestamp:
		if p.Within <= 0 || p.Within.Std() > maxWithin {
			v.found.add(field+".within", "is %s; allowed: above 0 to 100 years, like 720h", p.Within)
		}
	case ParamChoice:
		v.choice(field+".values", p)
	case ParamLiteral:
		value, problem := canonicalValue(p.Value)
		if p.Value == nil {
			problem = "is missing; for a NULL, write NULL in the sql"
		}
		if problem != "" {
			v.found.add(field+".value", "%s", problem)
		}
		p.Value = value
	case ParamPool:
		v.pool(field, p)
	case ParamOffset:
		v.offset(field, p, earlier)
	}
}

// pool checks a parameter whose values are sampled before the run.
func (v *resolver) pool(field string, p *Parameter) {
	switch {
	case p.Column == "":
		v.found.add(field+".column", "is missing; name the column of the table whose values the pool has")
	case len(p.Column) > maxName || !columnName.MatchString(p.Column):
		v.found.add(field+".column", "is %.120q; allowed: letters, digits and underscores, not beginning with a digit", p.Column)
	}
	if _, known := v.template.Table.Part(p.Table); !known {
		parts := v.template.Table.parts(func(Table) bool { return true })
		v.found.add(field+".table", "is %.40q; the parts of the layout are: %s%s", p.Table, listOrNone(parts), didYouMean(p.Table, parts))
	}
	if p.Size == 0 {
		p.Size = DefaultPoolSize
	}
	if p.Size < 1 || p.Size > MaxPoolSize {
		v.found.add(field+".size", "is %d; allowed: 1 to %d, or none for %d", p.Size, MaxPoolSize, DefaultPoolSize)
	}
	p.Distribution = Distribution(v.found.word(field+".distribution", string(p.Distribution), string(Uniform), []string{string(Uniform), string(Sequential)}))
}

// keyTable checks the part of the layout that keys are chosen of.
func (v *resolver) keyTable(field, part string) {
	if part == "" {
		return
	}
	parts := v.template.Table.parts(func(of Table) bool { return of.Key != "" && of.Rows > 0 })
	if !slices.Contains(parts, part) {
		v.found.add(field, "is %.40q; allowed are the parts of the layout that have keys: %s%s", part, listOrNone(parts), didYouMean(part, parts))
	}
}

// resolveKey fills in distribution and theta, from the operation or the default.
func (p *Parameter) resolveKey(t *TemplateOp) {
	p.Distribution = eitherDistribution(p.Distribution, t.Keys)
	if !isSkewed(p.Distribution) {
		p.Theta = 0
		return
	}
	if p.Theta == 0 {
		p.Theta = t.Theta
	}
	if p.Theta == 0 {
		p.Theta = DefaultTheta
	}
}

// strayFields refuses fields that have no effect on the type.
func (v *resolver) strayFields(field string, p *Parameter) {
	for _, f := range []struct {
		name  string
		set   bool
		types []ParameterType
	}{
		{"table", p.Table != "", []ParameterType{ParamKey, ParamPool}},
		{"column", p.Column != "", []ParameterType{ParamPool}},
		{"size", p.Size != 0, []ParameterType{ParamPool}},
		{"distribution", p.Distribution != "", []ParameterType{ParamKey, ParamPool}},
		{"theta", p.Theta != 0, []ParameterType{ParamKey, ParamRecentKey}},
		{"min", p.Min != 0, []ParameterType{ParamInt, ParamFloat}},
		{"max", p.Max != 0, []ParameterType{ParamInt, ParamFloat}},
		{"length", p.Length != 0, []ParameterType{ParamString}},
		{"values", len(p.Values) != 0, []ParameterType{ParamChoice}},
		{"value", p.Value != nil, []ParameterType{ParamLiteral}},
		{"within", p.Within != 0, []ParameterType{ParamTimestamp}},
		{"of", p.Of != "", []ParameterType{ParamOffset}},
		{"add", p.Add != 0, []ParameterType{ParamOffset}},
	} {
		if f.set && !slices.Contains(f.types, p.Type) {
			v.found.add(field+"."+f.name, "has no effect on the type %s; it belongs to %s", p.Type, joinTypes(f.types))
		}
	}
}

func joinTypes(types []ParameterType) string {
	var words []string
	for _, t := range types {
		words = append(words, string(t))
	}
	return strings.Join(words, " and ")
}

func (v *resolver) minMax(field string, p *Parameter) {
	most, allowed := float64(exactInteger), "-9007199254740992 to 9007199254740992"
	if p.Type == ParamFloat {
		most, allowed = 1e300, "-1e300 to 1e300"
	}
	for _, bound := range []struct {
		name  string
		value float64
	}{{"min", p.Min}, {"max", p.Max}} {
		switch {
		case !(math.Abs(bound.value) <= most):
			v.found.add(field+"."+bound.name, "is %v; allowed: %s", bound.value, allowed)
			return
		case p.Type == ParamInt && bound.value != math.Trunc(bound.value):
			v.found.add(field+"."+bound.name, "is %v; the type int needs a whole number", bound.value)
			return
		}
	}
	if p.Min > p.Max {
		v.found.add(field+".min", "is %v, above max, which is %v", p.Min, p.Max)
	}
}

func (v *resolver) choice(field string, p *Parameter) {
	if len(p.Values) < 1 || len(p.Values) > maxValues {
		v.found.add(field, "has %d entries; allowed: 1 to %d", len(p.Values), maxValues)
		return
	}
	for i := range p.Values {
		value, problem := canonicalValue(p.Values[i])
		if problem != "" {
			v.found.add(indexed(field, i), "%s", problem)
		}
		p.Values[i] = value
	}
}

// offset checks a parameter that is another one plus a number.
func (v *resolver) offset(field string, p *Parameter, earlier []Parameter) {
	whole := []ParameterType{ParamKey, ParamRecentKey, ParamInsertKey, ParamInsertedKey, ParamInt, ParamOffset}
	var names []string
	for _, e := range earlier {
		if e.Name != "" && slices.Contains(whole, e.Type) {
			names = append(names, e.Name)
		}
	}
	switch {
	case p.Of == "":
		v.found.add(field+".of", "is missing; allowed are the parameters before it that are whole numbers: %s", listOrNone(names))
	case !slices.Contains(names, p.Of):
		v.found.add(field+".of", "is %q; allowed are the parameters before it that are whole numbers: %s%s", p.Of, listOrNone(names), didYouMean(p.Of, names))
	}
	if p.Add > exactInteger || p.Add < -exactInteger {
		v.found.add(field+".add", "is %d; allowed: -%d to %d", p.Add, int64(exactInteger), int64(exactInteger))
	}
}

// canonicalValue is a literal as it is bound: nil, string, bool, int64 or
// float64. Whole numbers are int64 whatever they were written as, so that a
// scenario means the same after a round trip through JSON.
func canonicalValue(value any) (canonical any, problem string) {
	switch x := value.(type) {
	case nil, bool:
		return x, ""
	case string:
		if len(x) > maxString {
			return nil, "is too long; allowed: strings of up to 65536 bytes"
		}
		if !utf8.ValidString(x) {
			return nil, "is not valid UTF-8"
		}
		return x, ""
	case int:
		return canonicalInteger(int64(x))
	case int64:
		return canonicalInteger(x)
	case uint64:
		if x > exactInteger {
			return nil, integerTooLarge
		}
		return int64(x), ""
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return canonicalInteger(i)
		}
		f, err := x.Float64()
		if err != nil {
			return nil, "is not a number that a float64 holds"
		}
		return canonicalValue(f)
	case float64:
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			return nil, "is not a finite number"
		case x == math.Trunc(x) && math.Abs(x) <= exactInteger:
			return int64(x), ""
		}
		return x, ""
	default:
		return nil, "is a list or a map; allowed: a string, a number, true or false"
	}
}

const integerTooLarge = "is beyond ±9007199254740992 (2^53), the whole numbers that JSON keeps exactly; write it as a string or in the sql"

func canonicalInteger(i int64) (any, string) {
	if i > exactInteger || i < -exactInteger {
		return nil, integerTooLarge
	}
	return i, ""
}
