package templatefile

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// Set returns a copy of t with assignments applied in order, each like
// "load.workers=5", "mix[0].weight=60", "tags.team=perf" or, with a value in
// YAML, `slos=["p99 < 20ms"]`. Text needs no quotes, and whatever follows the
// first = is the value. Elements of a list must exist. It is as strict as
// Parse and reports all problems together in an *Error, but does not ask
// whether the values fit each other: core.Template.Resolve does. A warm-up that is
// assigned stays as it is, 0 too, where the template bounds nothing and would get the
// default one. t is not changed.
func Set(t core.Template, assignments []string) (core.Template, error) {
	out := reflect.New(reflect.TypeFor[core.Template]()).Elem()
	deepCopy(out, reflect.ValueOf(t))
	found := &problems{}
	warmup := false
	for i, assignment := range assignments {
		if i >= maxFound {
			found.add(position{}, "", fmt.Sprintf("there are %d assignments; allowed: %d", len(assignments), maxFound))
			break
		}
		// The value is left out: it may be a secret in the wrong place.
		key, _, _ := strings.Cut(assignment, "=")
		key = strings.TrimSpace(key)
		found.file = "--set " + cut(printable(key))
		warmup = warmup || key == "load.warmup"
		assign(out, assignment, found)
	}
	if err := found.err(); err != nil {
		return core.Template{}, err
	}
	changed := out.Interface().(core.Template)
	if load := &changed.Load; warmup && load.Unbounded() {
		load.Duration = core.DefaultDuration // with which no warm-up comes
	}
	return changed, nil
}

// maxPath bounds the key of an assignment, in bytes.
const maxPath = 1000

func assign(t reflect.Value, assignment string, found *problems) {
	path, value, ok := strings.Cut(assignment, "=")
	path = strings.TrimSpace(path)
	if !ok || path == "" {
		found.add(position{}, "", "it is no assignment; allowed: KEY=VALUE, like load.workers=5 or mix[0].weight=60")
		return
	}
	if len(path) > maxPath {
		found.add(position{}, "", fmt.Sprintf("the key has %d bytes; allowed: up to %d", len(path), maxPath))
		return
	}
	into, store, problem := reach(t, path)
	if problem != "" {
		found.add(position{}, path, problem)
		return
	}
	before := len(found.list)
	if n := assigned(value, into.Type(), found); len(found.list) == before {
		d := decoder{found: found, places: map[string]position{}}
		fresh := reflect.New(into.Type()).Elem()
		d.decode(n, path, fresh)
		if len(found.list) == before {
			store(fresh)
		}
	}
	for i := range found.list[before:] {
		p := &found.list[before+i]
		p.Line, p.Column = 0, 0 // the line of a value is no place
	}
}

// assigned makes a node of the value of an assignment: as it stands for text
// and durations, else read as YAML.
func assigned(value string, t reflect.Type, found *problems) *node {
	if !checkBytes([]byte(value), found) {
		return nil
	}
	if t.Kind() == reflect.String || t == reflect.TypeFor[core.Duration]() {
		return &node{kind: text, written: value, value: value}
	}
	documents := readYAML([]byte(value), found)
	switch len(documents) {
	case 0:
		return &node{kind: null}
	case 1:
		return documents[0]
	default:
		found.add(position{}, "", "a value is one YAML document")
		return nil
	}
}

// reach finds what a path names. store puts a new value there.
func reach(t reflect.Value, path string) (into reflect.Value, store func(reflect.Value), problem string) {
	into, store = t, t.Set
	done, rest := "", path
	for rest != "" {
		var key string
		switch {
		case into.Kind() == reflect.Map:
			done, key, rest = join(done, rest), rest, ""
			whole, setWhole := into, store
			into = reflect.New(into.Type().Elem()).Elem()
			store = func(v reflect.Value) {
				if whole.IsNil() {
					setWhole(reflect.MakeMap(whole.Type()))
				}
				whole.SetMapIndex(reflect.ValueOf(key), v)
			}
		case into.Kind() == reflect.Slice:
			i, after, problem := element(rest, done, into.Len())
			if problem != "" {
				return into, store, problem
			}
			done, rest = fmt.Sprintf("%s[%d]", done, i), after
			into = into.Index(i)
			store = into.Set
		case into.Kind() == reflect.Struct:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			key, rest = rest[:end], rest[end:]
			field, ok := fieldOf(into.Type(), key)
			if !ok {
				message, _ := unknownKey(into.Type(), done, key)
				return into, store, message
			}
			done, into = join(done, key), into.FieldByIndex(field.Index)
			store = into.Set
		default:
			return into, store, fmt.Sprintf("%s is %s and has no keys; %s is left over", done, allowedFor(into.Type()), quoted(rest))
		}
		if strings.HasPrefix(rest, ".") && len(rest) > 1 && into.Kind() != reflect.Slice {
			rest = rest[1:]
		}
	}
	return into, store, ""
}

// element reads the index at the beginning of a path.
func element(path, list string, length int) (index int, rest, problem string) {
	number, rest, closed := strings.Cut(strings.TrimPrefix(path, "["), "]")
	index, err := strconv.Atoi(number)
	if path[0] != '[' || !closed || err != nil {
		return 0, "", fmt.Sprintf("%s is a list; name one element, like %s[0], or the whole list", list, list)
	}
	switch {
	case length == 0:
		return 0, "", fmt.Sprintf("%s[%d] does not exist: the list is empty", list, index)
	case index < 0 || index >= length:
		return 0, "", fmt.Sprintf("%s[%d] does not exist; allowed: %s[0] to %s[%d]", list, index, list, list, length-1)
	}
	return index, rest, ""
}

// deepCopy copies from into to, so that they share nothing that can change.
func deepCopy(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Struct:
		for i := range from.NumField() {
			deepCopy(to.Field(i), from.Field(i))
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			deepCopy(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
		for key, value := range from.Seq2() {
			to.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		if from.IsNil() {
			return
		}
		to.Set(reflect.New(from.Type().Elem()))
		deepCopy(to.Elem(), from.Elem())
	default:
		to.Set(from)
	}
}
