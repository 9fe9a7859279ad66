package templatefile

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is the type of a node.
type kind int

const (
	null kind = iota
	boolean
	integer
	float
	text
	list
	mapping
)

// String names the kind as messages do.
func (k kind) String() string {
	switch k {
	case null:
		return "nothing"
	case boolean:
		return "true or false"
	case integer:
		return "a whole number"
	case float:
		return "a number"
	case text:
		return "text"
	case list:
		return "a list"
	default:
		return "keys with values"
	}
}

// position is a place in a file, counted from 1; zero when there is none.
type position struct{ line, column int }

// positionAt is the place of the byte with that offset.
func positionAt(data []byte, offset int) position {
	before := data[:min(max(offset, 0), len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return position{line: 1 + bytes.Count(before, []byte("\n")), column: 1 + utf8.RuneCount(before[start:])}
}

// node is one value of a file, however it was written. Nodes do not change
// after they were read and may be shared by aliases.
type node struct {
	kind    kind
	at      position
	written string  // a scalar as it was written, without quotes
	value   any     // of a scalar: nil, bool, int64, float64 or string
	wrong   string  // of a scalar that looks like a number but is none: why
	items   []*node // of a list
	entries []entry // of a mapping, in order
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    position
	value *node
}

// show is the value as a message names it: short, quoted if it is text.
func (n *node) show() string {
	switch n.kind {
	case null:
		return "empty"
	case text:
		return quoted(n.written)
	case list:
		return "[…]"
	case mapping:
		return "{…}"
	default:
		return cut(n.written)
	}
}

// maxShown is how many characters of a value a message repeats.
const maxShown = 80

func cut(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown-1]) + "…"
	}
	return s
}

func quoted(s string) string { return strconv.Quote(cut(s)) }

var (
	decimalNumber = regexp.MustCompile(`^[-+]?[0-9][0-9_]*$`)
	basedNumber   = regexp.MustCompile(`^0(x[0-9a-fA-F]+|o[0-7]+)$`)
	floatNumber   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	endlessNumber = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// plain makes a node of a scalar without quotes, by the rules of YAML 1.2 and
// with underscores between digits allowed. What two versions of YAML read
// differently is wrong rather than guessed.
func plain(s string, at position) *node {
	n := &node{kind: text, at: at, written: s, value: s}
	switch s {
	case "", "~", "null", "Null", "NULL":
		n.kind, n.value = null, nil
		return n
	case "true", "True", "TRUE":
		n.kind, n.value = boolean, true
		return n
	case "false", "False", "FALSE":
		n.kind, n.value = boolean, false
		return n
	}
	switch {
	case decimalNumber.MatchString(s):
		n.kind = integer
		digits := strings.ReplaceAll(s, "_", "")
		if bare := strings.TrimLeft(digits, "+-"); len(bare) > 1 && bare[0] == '0' {
			n.wrong = "a number that starts with 0 may be decimal or octal; leave the 0 out"
			return n
		}
		n.setInteger(digits, 10)
	case basedNumber.MatchString(s):
		n.kind = integer
		n.setInteger(s, 0)
	case floatNumber.MatchString(s):
		n.kind = float
		v, err := strconv.ParseFloat(s, 64)
		n.value = v
		if err != nil || math.IsInf(v, 0) {
			n.wrong = "it is out of range"
		}
	case endlessNumber.MatchString(s):
		n.kind, n.wrong = float, "a number must be finite"
	}
	return n
}

func (n *node) setInteger(digits string, base int) {
	v, err := strconv.ParseInt(digits, base, 64)
	n.value = v
	if err != nil {
		n.wrong = "it is out of range"
	}
}
