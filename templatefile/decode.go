package templatefile

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// decoder fills a template from nodes, by the json tags of its type. It goes on
// after a problem, so that all of them are found.
type decoder struct {
	found    *problems
	values   int                 // decoded so far
	places   map[string]position // of values, by path
	doubtful []string            // paths where something was refused, so that what is missing there means nothing
}

func (d *decoder) refuse(at position, path, format string, args ...any) {
	d.doubtful = append(d.doubtful, path)
	d.found.add(at, path, fmt.Sprintf(format, args...))
}

// mistyped refuses a value of the wrong type.
func (d *decoder) mistyped(n *node, path, allowed string) {
	d.refuse(n.at, path, "%s is %s (%s); allowed: %s", describe(path), n.show(), n.kind, allowed)
}

func describe(path string) string {
	if path == "" {
		return "a template"
	}
	return path
}

// decode sets into, which must be settable, from n.
func (d *decoder) decode(n *node, path string, into reflect.Value) {
	if _, known := d.places[path]; !known {
		d.places[path] = n.at
	}
	if d.values++; d.values > MaxValues {
		if d.values == MaxValues+1 {
			d.refuse(n.at, "", "it has too many values, with its aliases expanded; allowed: %d", MaxValues)
		}
		return
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	_, asText := into.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case into.Kind() == reflect.Interface:
		d.anything(n, path, into)
	case n.kind == null:
		d.refuse(n.at, path, "%s has no value; allowed: %s, or leave the key out", describe(path), allowedFor(into.Type()))
	case n.wrong != "" && n.kind != mapping:
		d.refuse(n.at, path, "%s is %s: %s; allowed: %s", describe(path), n.show(), n.wrong, allowedFor(into.Type()))
	case asText:
		d.text(n, path, into)
	case into.Kind() == reflect.Struct:
		d.structure(n, path, into)
	case into.Kind() == reflect.Map:
		d.words(n, path, into)
	case into.Kind() == reflect.Slice:
		d.list(n, path, into)
	default:
		d.scalar(n, path, into)
	}
}

// allowedFor says in words what a value of a type may be.
func allowedFor(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		return allowedFor(t.Elem())
	}
	if t == reflect.TypeFor[core.Duration]() {
		return "a duration with a unit, like 500ms, 15s or 1m30s"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "keys with text values"
	case reflect.Struct:
		return "the keys " + strings.Join(keysOf(t), ", ")
	default:
		return "text, a number, true or false"
	}
}

func (d *decoder) text(n *node, path string, into reflect.Value) {
	if n.kind != text && n.written != "0" { // a duration of 0 needs no unit
		d.mistyped(n, path, allowedFor(into.Type()))
		return
	}
	if into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.written)) != nil {
		d.refuse(n.at, path, "%s is %s; allowed: %s", path, n.show(), allowedFor(into.Type()))
	}
}

func (d *decoder) scalar(n *node, path string, into reflect.Value) {
	switch {
	case into.Kind() == reflect.String && n.kind == text:
		into.SetString(n.written)
	case into.Kind() == reflect.String && n.kind < text:
		d.mistyped(n, path, fmt.Sprintf("text; write it in quotes: %q", n.written))
	case into.Kind() == reflect.Bool && n.kind == boolean:
		into.SetBool(n.value.(bool))
	case into.CanInt() && n.kind == integer:
		v := n.value.(int64)
		if into.OverflowInt(v) {
			d.refuse(n.at, path, "%s is %s: it is out of range; allowed: a whole number", path, n.show())
			return
		}
		into.SetInt(v)
	case into.CanFloat() && n.kind == integer:
		into.SetFloat(float64(n.value.(int64)))
	case into.CanFloat() && n.kind == float:
		into.SetFloat(n.value.(float64))
	case n.kind == text && plain(n.written, n.at).kind.fits(into):
		d.mistyped(n, path, allowedFor(into.Type())+", without quotes")
	default:
		d.mistyped(n, path, allowedFor(into.Type()))
	}
}

// fits reports whether a scalar of that kind may be stored there.
func (k kind) fits(into reflect.Value) bool {
	return k == boolean && into.Kind() == reflect.Bool || k == integer && into.CanInt() ||
		(k == integer || k == float) && into.CanFloat()
}

// anything takes any scalar: nil, bool, int64, float64 or string.
func (d *decoder) anything(n *node, path string, into reflect.Value) {
	switch {
	case n.kind == list || n.kind == mapping:
		d.mistyped(n, path, allowedFor(into.Type()))
	case n.wrong != "":
		d.refuse(n.at, path, "%s is %s: %s", path, n.show(), n.wrong)
	case n.value != nil:
		into.Set(reflect.ValueOf(n.value))
	}
}

func (d *decoder) list(n *node, path string, into reflect.Value) {
	if n.kind != list {
		d.mistyped(n, path, allowedFor(into.Type()))
		return
	}
	room := min(len(n.items), MaxValues-min(d.values, MaxValues))
	into.Set(reflect.MakeSlice(into.Type(), room, room))
	for i, item := range n.items {
		if i >= room {
			d.decode(item, fmt.Sprintf("%s[%d]", path, i), reflect.New(into.Type().Elem()).Elem())
			return
		}
		d.decode(item, fmt.Sprintf("%s[%d]", path, i), into.Index(i))
	}
}

// words fills a map of text to text.
func (d *decoder) words(n *node, path string, into reflect.Value) {
	if n.kind != mapping {
		d.mistyped(n, path, allowedFor(into.Type()))
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, e := range d.once(n, path) {
		value := reflect.New(into.Type().Elem()).Elem()
		d.decode(e.value, join(path, e.key), value)
		into.SetMapIndex(reflect.ValueOf(e.key), value)
	}
}

func (d *decoder) structure(n *node, path string, into reflect.Value) {
	if n.kind != mapping {
		d.mistyped(n, path, allowedFor(into.Type()))
		return
	}
	if n.wrong != "" {
		d.doubtful = append(d.doubtful, path)
	}
	for _, e := range d.once(n, path) {
		field, ok := fieldOf(into.Type(), e.key)
		if !ok {
			d.unknown(into.Type(), path, e)
			continue
		}
		d.decode(e.value, join(path, e.key), into.FieldByIndex(field.Index))
	}
}

func (d *decoder) unknown(t reflect.Type, path string, e entry) {
	message, meant := unknownKey(t, path, e.key)
	d.found.add(e.at, path, message)
	if meant != "" {
		d.doubtful = append(d.doubtful, meant)
	}
}

// once is the entries of a mapping; a key given twice is refused.
func (d *decoder) once(n *node, path string) []entry {
	lines := make(map[string]int, len(n.entries))
	var out []entry
	for _, e := range n.entries {
		if line, twice := lines[e.key]; twice {
			d.refuse(e.at, join(path, e.key), "%s is given twice; first on line %d", cut(printable(join(path, e.key))), line)
			continue
		}
		lines[e.key] = e.at.line
		out = append(out, e)
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// placeOf is where a path is, or the nearest thing around it that is in the
// file.
func (d *decoder) placeOf(path string) position {
	for {
		if at, ok := d.places[path]; ok {
			return at
		}
		if path == "" {
			return position{}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// suspect reports whether a refusal at or around a path may be the cause of
// another problem there.
func (d *decoder) suspect(path string) bool {
	return slices.ContainsFunc(d.doubtful, func(p string) bool { return within(path, p) || within(p, path) })
}

// within reports whether path is inner or lies in it.
func within(path, inner string) bool {
	rest, ok := strings.CutPrefix(path, inner)
	return ok && (inner == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}
