package sqltext

import (
	"encoding/hex"
	"strconv"
)

func (p *parser) param(index int) Expr {
	if index >= MaxParams {
		p.unexpected("too many bind variables")
	}
	return &Param{Index: index}
}

func (p *parser) primary() Expr {
	t := p.peek()
	switch t.Kind {
	case Number:
		p.at++
		return &Literal{Kind: NumberLiteral, Text: t.Text}
	case String:
		p.at++
		return &Literal{Kind: StringLiteral, Text: t.Text}
	case Variable:
		p.at++
		if digit(t.Text[0]) {
			p.unsupported("positional column $" + t.Text)
		}
		p.named = true
		return &Var{Name: t.Text}
	case Operator:
		return p.operator(t)
	case Quoted:
		return p.reference()
	case Word:
		return p.wordExpr(t)
	}
	p.unexpected("")
	return nil
}

func (p *parser) operator(t Token) Expr {
	switch t.Text {
	case "?":
		p.at++
		p.params++
		return p.param(p.params - 1)
	case ":":
		n := p.peekAt(1)
		index, err := strconv.Atoi(n.Text)
		if n.Kind != Number || err != nil || index < 1 {
			p.unexpected("")
		}
		p.at += 2
		p.params = max(p.params, index)
		return p.param(index - 1)
	case "*":
		p.at++
		return &Star{Exclude: p.exclude()}
	case "(":
		p.at++
		return p.parenthesis()
	case "[":
		p.at++
		list := []Expr{}
		if !p.isOp("]") {
			list = p.exprs()
		}
		p.needOp("]")
		return &ArrayOf{List: list}
	case "{":
		p.at++
		return p.object()
	}
	p.unexpected("")
	return nil
}

func (p *parser) object() Expr {
	o := &ObjectOf{}
	for !p.isOp("}") {
		if len(o.Pairs) > 0 {
			p.needOp(",")
		}
		key := p.string()
		p.needOp(":")
		o.Pairs = append(o.Pairs, Arg{Name: key, Value: p.expr()})
	}
	p.needOp("}")
	return o
}

func (p *parser) parenthesis() Expr {
	if p.startsQuery() {
		q := p.query()
		p.needOp(")")
		return &Sub{Query: q}
	}
	list := p.exprs()
	p.needOp(")")
	if len(list) == 1 {
		return list[0]
	}
	return &Row{List: list}
}

// startsQuery reports whether a query follows, perhaps in more parentheses.
func (p *parser) startsQuery() bool {
	n := 0
	for p.peekAt(n).Kind == Operator && p.peekAt(n).Text == "(" {
		n++
	}
	t := p.peekAt(n)
	return t.Kind == Word && (t.Text == "SELECT" || t.Text == "WITH" || t.Text == "VALUES" && n == 0)
}

func (p *parser) wordExpr(t Token) Expr {
	switch t.Text {
	case "NULL":
		p.at++
		return &Literal{Kind: NullLiteral}
	case "TRUE":
		p.at++
		return &Literal{Kind: TrueLiteral}
	case "FALSE":
		p.at++
		return &Literal{Kind: FalseLiteral}
	case "CASE":
		p.at++
		return p.caseExpr()
	case "CAST", "TRY_CAST":
		p.at++
		p.needOp("(")
		c := &Cast{X: p.expr(), Try: t.Text == "TRY_CAST"}
		p.need("AS")
		c.To = p.dataType()
		p.needOp(")")
		return c
	case "EXISTS":
		p.at++
		p.needOp("(")
		q := p.query()
		p.needOp(")")
		return &Exists{Query: q}
	case "DEFAULT":
		if p.peekAt(1).Text == "," || p.peekAt(1).Text == ")" || p.peekAt(1).Kind == EOF || p.peekAt(1).Text == "WHERE" {
			p.at++
			return &Default{}
		}
	case "INTERVAL":
		if p.peekAt(1).Kind == String {
			p.at++
			return &Interval{Text: p.string()}
		}
	case "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NTZ":
		if p.peekAt(1).Kind == String {
			p.at++
			kinds := map[string]LiteralKind{"DATE": DateLiteral, "TIME": TimeLiteral}
			kind, ok := kinds[t.Text]
			if !ok {
				kind = TimestampLiteral
			}
			return &Literal{Kind: kind, Text: p.string()}
		}
	case "X":
		if next := p.peekAt(1); next.Kind == String && next.Start == t.End {
			p.at++
			return &Literal{Kind: BinaryLiteral, Text: p.hex()}
		}
	case "LEFT", "RIGHT", "INSERT", "LIKE", "ILIKE", "RLIKE":
		if p.peekAt(1).Text == "(" {
			p.at++
			return p.call(Path{Parts: []Name{{Text: t.Text}}})
		}
	}
	return p.reference()
}

// hex takes the string of X'…'.
func (p *parser) hex() string {
	if _, err := hex.DecodeString(p.peek().Text); err != nil {
		p.unexpected("expected pairs of hexadecimal digits")
	}
	return p.string()
}

func (p *parser) caseExpr() Expr {
	c := &Case{}
	if !p.is("WHEN") {
		c.Of = p.expr()
	}
	for p.word("WHEN") {
		w := When{If: p.expr()}
		p.need("THEN")
		w.Then = p.expr()
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		p.unexpected("expected WHEN")
	}
	if p.word("ELSE") {
		c.Else = p.expr()
	}
	p.need("END")
	return c
}

// reference takes a column, a function call or t.*.
func (p *parser) reference() Expr {
	if p.is("IDENTIFIER") && p.peekAt(1).Text == "(" {
		p.unsupported("IDENTIFIER in an expression")
	}
	parts := []Name{p.name()}
	for p.op(".") {
		if p.op("*") {
			return &Star{Of: parts, Exclude: p.exclude()}
		}
		parts = append(parts, p.part())
	}
	if p.isOp("(") {
		return p.call(Path{Parts: parts})
	}
	if p.isOp("!") {
		p.unsupported("method " + parts[len(parts)-1].Text + "!" + p.peekAt(1).Text)
	}
	return &Ref{Parts: parts}
}

func (p *parser) exclude() []Name {
	if !p.word("EXCLUDE") {
		return nil
	}
	if p.isOp("(") {
		return p.names()
	}
	return []Name{p.name()}
}
