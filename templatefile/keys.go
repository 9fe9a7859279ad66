package templatefile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// keyOf is the key of a field in files; "" for one that is not in files.
func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if key == "-" || !f.IsExported() {
		return ""
	}
	return key
}

// omitted reports whether a zero value of the field is left out of files.
func omitted(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
}

// keysOf are the keys of a structure, in the order of its type.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if key := keyOf(f); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if k := keyOf(f); k != "" && k == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// unknownKey is the message for a key that a structure does not have: with the
// nearest of its keys, or where in a template that key is, or all that it has.
// meant is the path that was probably meant, if any.
func unknownKey(t reflect.Type, path, key string) (message, meant string) {
	message = fmt.Sprintf("%s is no key of a template; ", cut(printable(join(path, key))))
	if near := nearest(key, keysOf(t)); near != "" {
		meant = join(path, near)
		return message + fmt.Sprintf("did you mean %s?", meant), meant
	}
	for _, known := range everyKey(reflect.TypeFor[core.Template](), "") {
		if simple(known[strings.LastIndexByte(known, '.')+1:]) == simple(key) {
			return message + fmt.Sprintf("did you mean %s?", known), known
		}
	}
	return message + fmt.Sprintf("allowed here: %s", strings.Join(keysOf(t), ", ")), ""
}

// everyKey is the path of every key below a type; lists are written as [].
func everyKey(t reflect.Type, path string) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return everyKey(t.Elem(), path)
	case reflect.Slice:
		return everyKey(t.Elem(), path+"[]")
	case reflect.Struct:
		var paths []string
		for f := range t.Fields() {
			if key := keyOf(f); key != "" {
				paths = append(paths, join(path, key))
				paths = append(paths, everyKey(f.Type, join(path, key))...)
			}
		}
		return paths
	default:
		return nil
	}
}

// simple is a key without what people write differently: case, _ and -.
func simple(key string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
}

// nearest is the key that was probably meant, or "" when none is near: by the
// letters that differ, or the beginning of a longer key, or one word of a key of
// several that no other key has.
func nearest(key string, known []string) string {
	var whole, parts []string
	keyOfPart := map[string]string{}
	for _, k := range known {
		if whole = append(whole, simple(k)); len(key) >= 3 && strings.HasPrefix(simple(k), simple(key)) {
			return k
		}
		for part := range strings.SplitSeq(k, "_") {
			if _, again := keyOfPart[part]; again {
				k = ""
			}
			parts, keyOfPart[part] = append(parts, part), k
		}
	}
	if word, ok := core.Nearest(simple(key), whole); ok {
		return known[slices.Index(whole, word)]
	}
	if part, ok := core.Nearest(simple(key), parts); ok && len(key) >= 3 {
		return keyOfPart[part]
	}
	return ""
}

// printable replaces what would spoil a terminal.
func printable(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}
