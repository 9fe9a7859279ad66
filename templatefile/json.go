package templatefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// readJSON reads the one value of a JSON file.
func readJSON(data []byte, found *problems) []*node {
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		at := positionAt(data, len(data))
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = positionAt(data, int(syntax.Offset)-1)
		}
		found.add(at, "", "it is not JSON: "+err.Error())
		return nil
	}
	r := jsonReader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), found: found}
	r.decoder.UseNumber()
	if n := r.value(0); n != nil {
		return []*node{n}
	}
	return nil
}

// jsonReader makes nodes of valid JSON, with their places.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	found   *problems
	counted int // bytes whose lines are counted
	at      position
}

// value reads the next value; nil after a problem, which ends the reading.
func (r *jsonReader) value(depth int) *node {
	at := r.next()
	token, err := r.decoder.Token()
	if err != nil {
		r.found.add(at, "", "it is not JSON: "+err.Error())
		return nil
	}
	switch v := token.(type) {
	case json.Delim:
		if depth >= MaxDepth {
			r.found.add(at, "", fmt.Sprintf("lists and mappings are nested too deep; allowed: %d", MaxDepth))
			return nil
		}
		if v == '[' {
			return r.list(at, depth)
		}
		return r.mapping(at, depth)
	case string:
		return &node{kind: text, at: at, written: v, value: v}
	case json.Number:
		return plain(v.String(), at)
	case bool:
		return plain(fmt.Sprint(v), at)
	default:
		return plain("null", at)
	}
}

func (r *jsonReader) list(at position, depth int) *node {
	n := &node{kind: list, at: at}
	for r.decoder.More() {
		item := r.value(depth + 1)
		if item == nil {
			return nil
		}
		n.items = append(n.items, item)
	}
	_, _ = r.decoder.Token() // the bracket: the text is known to be valid
	return n
}

func (r *jsonReader) mapping(at position, depth int) *node {
	n := &node{kind: mapping, at: at}
	for r.decoder.More() {
		e := entry{at: r.next()}
		token, _ := r.decoder.Token() // a key: the text is known to be valid
		e.key, _ = token.(string)
		if e.value = r.value(depth + 1); e.value == nil {
			return nil
		}
		n.entries = append(n.entries, e)
	}
	_, _ = r.decoder.Token()
	return n
}

// next is the place of the next token. It counts each line once.
func (r *jsonReader) next() position {
	offset := int(r.decoder.InputOffset())
	for offset < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[offset]) >= 0 {
		offset++
	}
	if r.at.line == 0 {
		r.at = position{line: 1, column: 1}
	}
	for _, c := range string(r.data[r.counted:offset]) {
		if r.at.column++; c == '\n' {
			r.at = position{line: r.at.line + 1, column: 1}
		}
	}
	r.counted = offset
	return r.at
}
