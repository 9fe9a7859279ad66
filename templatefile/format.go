package templatefile

import (
	"bytes"
	"encoding"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/core"
)

// Format writes a template as canonical YAML: keys in the order of the type,
// what is zero left out where it may be, text quoted only where it must be.
// Parse reads it back as the same template. (A whole number as a value of a parameter
// is written without a fraction, and comes back as an int64.) The error carries core.ErrInvalid:
// text that is not UTF-8, or a number that is not finite.
func Format(t core.Template) ([]byte, error) {
	var f formatter
	f.structure(reflect.ValueOf(t), 0)
	if f.problem != "" {
		return nil, fmt.Errorf("%w: template %s: %s", core.ErrInvalid, quoted(t.Name), f.problem)
	}
	return f.out.Bytes(), nil
}

// formatter writes block style YAML. It always stands behind "key:" or "-" and
// begins with what separates a value from that.
type formatter struct {
	out     bytes.Buffer
	problem string
}

func (f *formatter) indent(depth int) { f.out.WriteString(strings.Repeat("  ", depth)) }

// structure writes the keys of a struct; the first without indentation when
// the line has begun already.
func (f *formatter) structure(v reflect.Value, depth int) {
	begun := f.out.Len() > 0 && !bytes.HasSuffix(f.out.Bytes(), []byte("\n"))
	for field := range v.Type().Fields() {
		value := v.FieldByIndex(field.Index)
		key := keyOf(field)
		if key == "" || omitted(field) && blank(value) {
			continue
		}
		if !begun {
			f.indent(depth)
		}
		begun = false
		f.out.WriteString(key + ":")
		f.value(value, depth)
	}
}

// blank reports whether nothing of a value would be written.
func blank(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

func (f *formatter) value(v reflect.Value, depth int) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		written, err := m.MarshalText()
		if err != nil {
			f.problem = err.Error()
		}
		f.text(string(written), depth)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		f.out.WriteByte('\n')
		f.structure(v, depth+1)
	case reflect.Slice:
		f.list(v, depth)
	case reflect.Map:
		f.words(v, depth)
	case reflect.String:
		f.text(v.String(), depth)
	case reflect.Float64:
		f.out.WriteString(" " + f.number(v.Float()) + "\n")
	case reflect.Interface:
		f.anything(v.Interface(), depth)
	default:
		fmt.Fprintf(&f.out, " %v\n", v.Interface())
	}
}

func (f *formatter) list(v reflect.Value, depth int) {
	if v.Len() == 0 {
		f.out.WriteString(" []\n")
		return
	}
	f.out.WriteByte('\n')
	for i := range v.Len() {
		f.indent(depth + 1)
		f.out.WriteByte('-')
		if item := v.Index(i); item.Kind() == reflect.Struct {
			f.out.WriteByte(' ')
			f.structure(item, depth+2)
		} else {
			f.value(item, depth+1)
		}
	}
}

func (f *formatter) words(v reflect.Value, depth int) {
	if v.Len() == 0 {
		f.out.WriteString(" {}\n")
		return
	}
	f.out.WriteByte('\n')
	words := v.Interface().(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(words)) {
		f.indent(depth + 1)
		f.out.WriteString(f.key(key) + ":")
		f.text(words[key], depth+1)
	}
}

// key writes a key; keys are quoted sooner than values are.
func (f *formatter) key(s string) string {
	if bareKey.MatchString(s) {
		return f.scalar(s)
	}
	return f.quote(s)
}

// exactInteger bounds the whole numbers that mean the same in a scenario, whether they
// are written as such or not. Stored templates are JSON, which has no other numbers
// than those with a fraction.
const exactInteger = 1 << 53

func (f *formatter) anything(v any, depth int) {
	switch v := v.(type) {
	case nil:
		f.out.WriteString(" null\n")
	case string:
		f.text(v, depth)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= exactInteger {
			f.anything(int64(v), depth)
			return
		}
		written := f.number(v)
		if !strings.ContainsAny(written, ".e") {
			written += ".0" // as a whole number no scenario would take it
		}
		f.out.WriteString(" " + written + "\n")
	case bool, int64, int:
		fmt.Fprintf(&f.out, " %v\n", v)
	default:
		f.problem = fmt.Sprintf("a value of type %T cannot be written", v)
	}
}

func (f *formatter) number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		f.problem = fmt.Sprintf("%v is not a finite number", v)
	}
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// text writes a text value, of several lines as a literal block if that keeps
// it exactly.
func (f *formatter) text(s string, depth int) {
	if !literalBlock(s) {
		f.out.WriteString(" " + f.scalar(s) + "\n")
		return
	}
	f.out.WriteString(" |")
	if !strings.HasSuffix(s, "\n") {
		f.out.WriteByte('-')
	}
	f.out.WriteByte('\n')
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		if line != "" {
			f.indent(depth + 1)
			f.out.WriteString(line)
		}
		f.out.WriteByte('\n')
	}
}

// literalBlock reports whether a text of several lines survives as a block:
// no odd characters, spaces at the ends of lines or empty lines at its ends.
func literalBlock(s string) bool {
	body := strings.TrimSuffix(s, "\n")
	if !strings.Contains(body, "\n") || strings.TrimFunc(body, unicode.IsSpace) != body {
		return false
	}
	for line := range strings.SplitSeq(body, "\n") {
		if strings.TrimRight(line, " ") != line || strings.ContainsFunc(line, odd) || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...") {
			return false
		}
	}
	return true
}

// odd characters are written as escapes.
func odd(r rune) bool { return r == '\ufeff' || r != ' ' && !unicode.IsPrint(r) }

// bare is text that no version of YAML reads as anything else.
var (
	bareKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	bare    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_ .,/()<>=%*+?{}-]*$`)
	special = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null|[0-9.]+|[0-9]{4}-.*)$`)
)

// scalar writes text on one line, in double quotes if it needs any.
func (f *formatter) scalar(s string) string {
	if bare.MatchString(s) && !special.MatchString(s) && strings.TrimSpace(s) == s && plain(s, position{}).kind == text {
		return s
	}
	return f.quote(s)
}

func (f *formatter) quote(s string) string {
	if !utf8.ValidString(s) {
		f.problem = fmt.Sprintf("%q is not UTF-8 text", cut(s))
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100 && odd(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000 && odd(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case odd(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
