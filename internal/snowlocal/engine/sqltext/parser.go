package sqltext

import (
	"strconv"
	"strings"
)

// maxDepth bounds how deep a text may nest.
const maxDepth = 200

// MaxParams bounds the placeholders of one text, as PostgreSQL does.
const MaxParams = 65535

// Parse reads the statements of a text. A text without any has one Empty.
func Parse(text string) ([]*Statement, error) {
	tokens, err := Tokenize(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	return p.statements()
}

// parser reads tokens. A method that cannot go on panics with bailout, which
// statements turns into an error.
type parser struct {
	text   string
	tokens []Token
	at     int
	params int
	depth  int
	named  bool
}

type bailout struct{ err error }

func (p *parser) statements() (list []*Statement, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bailout:
			list, err = nil, r.err
		default:
			panic(r)
		}
	}()
	for {
		for p.op(";") {
		}
		if p.peek().Kind == EOF {
			break
		}
		list = append(list, p.one())
		if p.peek().Kind != EOF && !p.isOp(";") {
			p.unexpected("")
		}
	}
	if len(list) == 0 {
		list = append(list, &Statement{Node: &Empty{}})
	}
	return list, nil
}

func (p *parser) one() *Statement {
	start, first := p.peek().Start, p.params
	p.named = false
	node := p.statement()
	end := p.tokens[max(p.at-1, 0)].End
	return &Statement{Node: node, Text: p.text[start:end], FirstParam: first, Params: p.params, Named: p.named}
}

func (p *parser) fail(err error) { panic(bailout{err}) }

// unexpected fails at the next token.
func (p *parser) unexpected(what string) {
	t := p.peek()
	p.fail(syntaxAt(p.text, t.Start, p.text[t.Start:t.End], what))
}

func (p *parser) unsupported(feature string) { p.fail(&UnsupportedError{Feature: feature}) }

func (p *parser) peek() Token { return p.tokens[p.at] }

func (p *parser) peekAt(n int) Token {
	return p.tokens[min(p.at+n, len(p.tokens)-1)]
}

func (p *parser) next() Token {
	t := p.tokens[p.at]
	if t.Kind != EOF {
		p.at++
	}
	return t
}

func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxDepth {
		p.unexpected("nested too deeply")
	}
	return func() { p.depth-- }
}

// isOp reports whether the next token is that operator.
func (p *parser) isOp(op string) bool {
	t := p.tokens[p.at]
	return t.Kind == Operator && t.Text == op
}

// op takes that operator if it is next.
func (p *parser) op(op string) bool {
	if p.isOp(op) {
		p.at++
		return true
	}
	return false
}

func (p *parser) needOp(op string) {
	if !p.op(op) {
		p.unexpected("expected " + op)
	}
}

// is reports whether the next tokens are those words.
func (p *parser) is(words ...string) bool {
	for i, word := range words {
		if t := p.peekAt(i); t.Kind != Word || t.Text != word {
			return false
		}
	}
	return true
}

// word takes those words if they are next.
func (p *parser) word(words ...string) bool {
	if !p.is(words...) {
		return false
	}
	p.at += len(words)
	return true
}

// oneOf takes one of those words if it is next.
func (p *parser) oneOf(words ...string) string {
	for _, word := range words {
		if p.word(word) {
			return word
		}
	}
	return ""
}

func (p *parser) need(words ...string) {
	for _, word := range words {
		if !p.word(word) {
			p.unexpected("expected " + word)
		}
	}
}

// reserved words are no names unless they are quoted.
var reserved = map[string]bool{
	"ALL": true, "ALTER": true, "AND": true, "ANY": true, "AS": true, "BETWEEN": true, "BY": true, "CASE": true, "CAST": true,
	"CHECK": true, "CONNECT": true, "CONSTRAINT": true, "CREATE": true, "CROSS": true, "DELETE": true, "DISTINCT": true, "DROP": true,
	"ELSE": true, "EXISTS": true, "FALSE": true, "FOLLOWING": true, "FOR": true, "FROM": true, "FULL": true, "GRANT": true, "GROUP": true,
	"HAVING": true, "ILIKE": true, "IN": true, "INNER": true, "INSERT": true, "INTERSECT": true, "INTO": true, "IS": true, "JOIN": true,
	"LATERAL": true, "LEFT": true, "LIKE": true, "MINUS": true, "NATURAL": true, "NOT": true, "NULL": true, "OF": true, "ON": true,
	"OR": true, "ORDER": true, "QUALIFY": true, "REGEXP": true, "REVOKE": true, "RIGHT": true, "RLIKE": true, "ROW": true, "ROWS": true,
	"SAMPLE": true, "SELECT": true, "SET": true, "SOME": true, "START": true, "TABLE": true, "TABLESAMPLE": true, "THEN": true, "TO": true,
	"TRIGGER": true, "TRUE": true, "TRY_CAST": true, "UNION": true, "UNIQUE": true, "UPDATE": true, "USING": true, "VALUES": true,
	"WHEN": true, "WHENEVER": true, "WHERE": true, "WITH": true,
}

// noAlias are words that may be names, but are no alias without AS.
var noAlias = map[string]bool{
	"LIMIT": true, "OFFSET": true, "FETCH": true, "EXCEPT": true, "ASC": true, "DESC": true, "NULLS": true, "END": true, "WINDOW": true,
	"WITHIN": true, "OVER": true, "IGNORE": true, "RESPECT": true, "EXCLUDE": true, "CLONE": true, "MATCHED": true, "ASOF": true,
	"PIVOT": true, "UNPIVOT": true, "MATCH_RECOGNIZE": true, "AT": true, "BEFORE": true, "CHANGES": true,
}

func (p *parser) isName() bool {
	t := p.peek()
	return t.Kind == Quoted || t.Kind == Word && !reserved[t.Text]
}

// name takes a name.
func (p *parser) name() Name {
	if !p.isName() {
		p.unexpected("")
	}
	t := p.next()
	return Name{Text: t.Text, Quoted: t.Kind == Quoted}
}

// path takes a name of up to three parts, or IDENTIFIER(…).
func (p *parser) path() Path {
	if p.is("IDENTIFIER") && p.peekAt(1).Text == "(" {
		p.at += 2
		of := p.expr()
		p.needOp(")")
		return Path{Of: of}
	}
	if t := p.peek(); t.Kind == String { // some statements take '…' as a name
		p.at++
		return Path{Of: &Literal{Kind: StringLiteral, Text: t.Text}}
	}
	parts := []Name{p.name()}
	for p.op(".") {
		if p.isOp(".") { // db..table: the schema PUBLIC
			parts = append(parts, Name{Text: "PUBLIC"})
			continue
		}
		parts = append(parts, p.part())
	}
	if len(parts) > 4 {
		p.unexpected("a name of more than four parts")
	}
	return Path{Parts: parts}
}

// part takes a part of a name behind a dot, where reserved words are names too.
func (p *parser) part() Name {
	t := p.peek()
	if t.Kind != Word && t.Kind != Quoted {
		p.unexpected("expected a name")
	}
	p.at++
	return Name{Text: t.Text, Quoted: t.Kind == Quoted}
}

// names takes (a, b, c).
func (p *parser) names() []Name {
	p.needOp("(")
	list := []Name{p.name()}
	for p.op(",") {
		list = append(list, p.name())
	}
	p.needOp(")")
	return list
}

func (p *parser) string() string {
	t := p.peek()
	if t.Kind != String {
		p.unexpected("expected a string")
	}
	p.at++
	return t.Text
}

func (p *parser) integer() int64 {
	negative := p.op("-")
	t := p.peek()
	n, err := strconv.ParseInt(t.Text, 10, 64)
	if t.Kind != Number || err != nil {
		p.unexpected("expected a whole number")
	}
	p.at++
	if negative {
		return -n
	}
	return n
}

// alias takes an alias, with or without AS.
func (p *parser) alias() Name {
	if p.word("AS") {
		t := p.peek()
		if t.Kind == String { // tolerated nowhere
			p.unexpected("expected a name")
		}
		return p.name()
	}
	if p.isName() && !(p.peek().Kind == Word && noAlias[p.peek().Text]) {
		return p.name()
	}
	return Name{}
}

// rest is what is left of the statement in words, for what is refused by name.
func (p *parser) words(n int) string {
	var list []string
	for i := range n {
		t := p.peekAt(i)
		if t.Kind != Word {
			break
		}
		list = append(list, t.Text)
	}
	return strings.Join(list, " ")
}

// ParsePath reads a name of up to three parts, as IDENTIFIER does.
func ParsePath(text string) (path Path, err error) {
	tokens, err := Tokenize(text)
	if err != nil {
		return Path{}, err
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bailout:
			path, err = Path{}, r.err
		default:
			panic(r)
		}
	}()
	p := &parser{text: text, tokens: tokens}
	path = p.path()
	if p.peek().Kind != EOF || path.Of != nil {
		p.unexpected("")
	}
	return path, nil
}

// ParseExpression reads one expression.
func ParseExpression(text string) (x Expr, err error) {
	tokens, err := Tokenize(text)
	if err != nil {
		return nil, err
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bailout:
			x, err = nil, r.err
		default:
			panic(r)
		}
	}()
	p := &parser{text: text, tokens: tokens}
	if x = p.expr(); p.peek().Kind != EOF {
		p.unexpected("")
	}
	return x, nil
}
