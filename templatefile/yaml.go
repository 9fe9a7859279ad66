package templatefile

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readYAML reads the documents of a YAML file; empty ones are left out.
func readYAML(data []byte, found *problems) (documents []*node) {
	// The parser is a big foreign one, and a defect in it must not take a
	// service down with it.
	defer func() {
		if r := recover(); r != nil {
			found.add(position{}, "", fmt.Sprintf("it cannot be read as YAML: %s", cut(printable(fmt.Sprint(r)))))
			documents = nil
		}
	}()
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	tokens := lexer.Tokenize(string(data))
	if at, problem := checkTokens(tokens); problem != "" {
		found.add(at, "", problem)
		return nil
	}
	for _, part := range split(tokens) {
		// Duplicate keys are found later, all of them at once.
		file, err := parser.Parse(part, 0, parser.AllowDuplicateMapKey())
		if err != nil {
			found.add(syntaxError(err))
			return nil
		}
		for _, document := range file.Docs {
			r := yamlReader{found: found, anchors: map[string]*node{}}
			if n := r.node(document.Body, 0); n != nil {
				documents = append(documents, n)
			}
		}
	}
	return documents
}

// split makes one list of tokens for each document that has a value. The parser
// would drop whatever follows a document without one.
func split(tokens token.Tokens) []token.Tokens {
	var parts []token.Tokens
	var part token.Tokens
	value := false
	for _, t := range append(tokens, nil) {
		switch {
		case t == nil || t.Type == token.DocumentHeaderType || t.Type == token.DocumentEndType:
			if value {
				parts = append(parts, part)
			}
			part, value = nil, false
		default:
			part = append(part, t)
			value = value || t.Type != token.CommentType
		}
	}
	return parts
}

// syntaxError takes apart what the parser says.
func syntaxError(err error) (at position, path, message string) {
	message = err.Error()
	var located yaml.Error
	if errors.As(err, &located) {
		at, message = tokenPosition(located.GetToken()), located.GetMessage()
	}
	return at, "", "it is not YAML: " + cut(printable(message))
}

func tokenPosition(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{line: t.Position.Line, column: t.Position.Column}
}

const (
	maxTokens = 40_000 // of a file: the parser takes the square of it
	maxMarks  = 1000   // anchors, aliases, tags and complex keys of a file
)

// checkTokens refuses, before the recursive parser runs, what would make it
// recurse deeper than MaxDepth allows by some factor: nested brackets, entries
// nested on one line, and chains of anchors and tags. Nesting by indentation is
// bounded by the size of the file.
func checkTokens(tokens token.Tokens) (position, string) {
	if len(tokens) > maxTokens {
		return tokenPosition(tokens[maxTokens]), fmt.Sprintf("it has %d keys, values and marks; allowed: %d", len(tokens), maxTokens)
	}
	depth, marks, line, onLine := 0, 0, 0, 0
	for _, t := range tokens {
		at := tokenPosition(t)
		if at.line != line {
			line, onLine = at.line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(0, depth-1)
		case token.CollectEntryType:
			onLine = 0
		case token.SequenceEntryType, token.MappingValueType:
			onLine++
		case token.DirectiveType:
			return at, "a directive is not supported in a template"
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.MappingKeyType:
			marks++
		}
		if depth > MaxDepth || onLine > MaxDepth {
			return at, fmt.Sprintf("lists and mappings are nested too deep; allowed: %d", MaxDepth)
		}
		if marks > maxMarks {
			return at, fmt.Sprintf("it has too many anchors, aliases and tags; allowed: %d", maxMarks)
		}
	}
	return position{}, ""
}

// yamlReader makes nodes of one YAML document. Aliases share the node of their
// anchor, so that nothing grows here; the decoder counts what they expand to.
type yamlReader struct {
	found   *problems
	anchors map[string]*node
}

// node is nil for what a template may not contain; then a problem was added.
func (r *yamlReader) node(n ast.Node, depth int) *node {
	if n == nil {
		return plain("null", position{})
	}
	at := tokenPosition(n.GetToken())
	if depth > 4*MaxDepth {
		r.found.add(at, "", fmt.Sprintf("lists and mappings are nested too deep; allowed: %d", MaxDepth))
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(at, n.Values, depth)
	case *ast.MappingValueNode:
		return r.mapping(at, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out := &node{kind: list, at: at}
		for _, value := range n.Values {
			if item := r.node(value, depth+1); item != nil {
				out.items = append(out.items, item)
			}
		}
		return out
	case *ast.LiteralNode:
		return &node{kind: text, at: at, written: n.Value.Value, value: n.Value.Value}
	case *ast.StringNode:
		if n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType {
			return &node{kind: text, at: at, written: n.Value, value: n.Value}
		}
		return plain(n.Value, at)
	case *ast.NullNode:
		return plain("null", at)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return plain(n.GetToken().Value, at)
	case *ast.AnchorNode:
		value := r.node(n.Value, depth+1)
		if value != nil {
			r.anchors[nameOf(n.Name)] = value
		}
		return value
	case *ast.AliasNode:
		value := r.anchors[nameOf(n.Value)]
		if value == nil {
			r.found.add(at, "", fmt.Sprintf("alias *%s has no anchor before it", cut(nameOf(n.Value))))
		}
		return value
	case *ast.TagNode:
		r.found.add(at, "", fmt.Sprintf("tag %s is not supported; leave it out", quoted(n.Start.Value)))
		return nil
	default:
		r.found.add(at, "", fmt.Sprintf("%s is not supported in a template", n.Type().YAMLName()))
		return nil
	}
}

func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

func (r *yamlReader) mapping(at position, values []*ast.MappingValueNode, depth int) *node {
	out := &node{kind: mapping, at: at}
	for i, v := range values {
		keyAt := tokenPosition(v.Key.GetToken())
		if i == 0 && keyAt.line > 0 {
			out.at = keyAt
		}
		key, ok := r.key(v.Key, keyAt)
		value := r.node(v.Value, depth+1)
		if !ok || value == nil {
			out.wrong = "incomplete"
			continue
		}
		if value.kind == null && value.at.line == 0 {
			value = plain("null", keyAt)
		}
		out.entries = append(out.entries, entry{key: key, at: keyAt, value: value})
	}
	return out
}

// key is the text of a key: anything else needs quotes to be one.
func (r *yamlReader) key(n ast.MapKeyNode, at position) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.MergeKeyNode:
		r.found.add(at, "", "merge key << is not supported; write the keys out")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		r.found.add(at, "", fmt.Sprintf("key %s must be text; write it in quotes", cut(nameOf(n))))
	default:
		r.found.add(at, "", "a key must be plain text")
	}
	return "", false
}
