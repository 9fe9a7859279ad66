package sqltext

import (
	"strings"
)

// expr takes an expression.
func (p *parser) expr() Expr {
	defer p.deeper()()
	return p.or()
}

func (p *parser) or() Expr {
	left := p.and()
	for p.word("OR") {
		left = &Binary{Op: "OR", L: left, R: p.and()}
	}
	return left
}

func (p *parser) and() Expr {
	left := p.not()
	for p.word("AND") {
		left = &Binary{Op: "AND", L: left, R: p.not()}
	}
	return left
}

func (p *parser) not() Expr {
	if p.word("NOT") {
		defer p.deeper()()
		return &Unary{Op: "NOT", X: p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() Expr {
	left := p.sum()
	for {
		t := p.peek()
		switch {
		case t.Kind == Operator && (t.Text == "=" || t.Text == "<" || t.Text == ">" || t.Text == "<=" || t.Text == ">=" || t.Text == "<>" || t.Text == "!="):
			p.at++
			op := t.Text
			if op == "!=" {
				op = "<>"
			}
			if p.is("ANY") || p.is("ALL") && p.peekAt(1).Text == "(" {
				p.unsupported("comparison with " + p.peek().Text)
			}
			left = &Binary{Op: op, L: left, R: p.sum()}
		case p.word("IS"):
			left = p.isWhat(left)
		case p.is("NOT") && predicate[p.peekAt(1).Text] && p.peekAt(1).Kind == Word:
			p.at++
			left = p.predicate(left, true)
		case t.Kind == Word && predicate[t.Text]:
			left = p.predicate(left, false)
		default:
			return left
		}
	}
}

// predicate are the words that may follow NOT behind an expression.
var predicate = map[string]bool{"IN": true, "BETWEEN": true, "LIKE": true, "ILIKE": true, "RLIKE": true, "REGEXP": true}

func (p *parser) isWhat(left Expr) Expr {
	not := p.word("NOT")
	if p.word("DISTINCT", "FROM") {
		return &Is{X: left, What: "DISTINCT FROM", From: p.sum(), Not: not}
	}
	what := p.oneOf("NULL", "TRUE", "FALSE")
	if what == "" {
		p.unexpected("")
	}
	return &Is{X: left, What: what, Not: not}
}

func (p *parser) predicate(left Expr, not bool) Expr {
	switch word := p.next().Text; word {
	case "IN":
		in := &In{X: left, Not: not}
		p.needOp("(")
		if p.startsQuery() {
			in.Query = p.query()
		} else {
			in.List = p.exprs()
		}
		p.needOp(")")
		return in
	case "BETWEEN":
		b := &Between{X: left, Not: not, Low: p.sum()}
		p.need("AND")
		b.High = p.sum()
		return b
	default:
		if word == "REGEXP" {
			word = "RLIKE"
		}
		l := &Like{Op: word, X: left, Not: not}
		if all := p.is("ALL"); (all || p.is("ANY")) && p.peekAt(1).Text == "(" {
			p.at += 2
			l.Any, l.All = p.exprs(), all
			p.needOp(")")
		} else {
			l.Pattern = p.sum()
		}
		if p.word("ESCAPE") {
			l.Escape = p.sum()
		}
		return l
	}
}

func (p *parser) sum() Expr {
	left := p.product()
	for {
		t := p.peek()
		if t.Kind != Operator || t.Text != "+" && t.Text != "-" && t.Text != "||" {
			return left
		}
		p.at++
		left = &Binary{Op: t.Text, L: left, R: p.product()}
	}
}

func (p *parser) product() Expr {
	left := p.unary()
	for {
		t := p.peek()
		if t.Kind != Operator || t.Text != "*" && t.Text != "/" && t.Text != "%" {
			return left
		}
		p.at++
		left = &Binary{Op: t.Text, L: left, R: p.unary()}
	}
}

func (p *parser) unary() Expr {
	if t := p.peek(); t.Kind == Operator && (t.Text == "-" || t.Text == "+") {
		defer p.deeper()()
		p.at++
		return &Unary{Op: t.Text, X: p.unary()}
	}
	return p.postfix(p.primary())
}

// postfix takes ::type, :path, [index] and COLLATE.
func (p *parser) postfix(x Expr) Expr {
	for {
		switch {
		case p.op("::"):
			x = &Cast{X: x, To: p.dataType()}
		case p.isOp(":") && (p.peekAt(1).Kind == Word || p.peekAt(1).Kind == Quoted):
			p.at++
			x = &Get{X: x, Steps: p.steps([]Step{p.key()})}
		case p.isOp("["):
			x = &Get{X: x, Steps: p.steps(nil)}
		case p.is("COLLATE"):
			p.unsupported("COLLATE")
		default:
			return x
		}
	}
}

// key takes a key of a path, whose case is kept.
func (p *parser) key() Step {
	t := p.next()
	if t.Kind == Quoted {
		return Step{Key: t.Text}
	}
	return Step{Key: p.text[t.Start:t.End]}
}

func (p *parser) steps(steps []Step) []Step {
	for {
		switch {
		case p.isOp(".") && (p.peekAt(1).Kind == Word || p.peekAt(1).Kind == Quoted):
			p.at++
			steps = append(steps, p.key())
		case p.op("["):
			if t := p.peek(); t.Kind == String && p.peekAt(1).Text == "]" {
				p.at++
				steps = append(steps, Step{Key: t.Text})
			} else {
				steps = append(steps, Step{Index: p.expr()})
			}
			p.needOp("]")
		default:
			return steps
		}
	}
}

func (p *parser) exprs() []Expr {
	list := []Expr{p.expr()}
	for p.op(",") {
		list = append(list, p.expr())
	}
	return list
}

func (p *parser) call(name Path) Expr {
	c := &Call{Name: name}
	p.needOp("(")
	switch {
	case p.isOp("*") && p.peekAt(1).Text == ")":
		p.at++
		c.Star = true
	case !p.isOp(")"):
		c.Distinct = p.word("DISTINCT")
		c.Args = append(c.Args, p.arg(strings.ToUpper(name.Last())))
		for p.op(",") {
			c.Args = append(c.Args, p.arg(""))
		}
	}
	p.needOp(")")
	if p.word("WITHIN", "GROUP") {
		p.needOp("(")
		p.need("ORDER", "BY")
		c.Within = p.orders()
		p.needOp(")")
	}
	if p.word("IGNORE", "NULLS") {
		c.Nulls = "IGNORE NULLS"
	} else if p.word("RESPECT", "NULLS") {
		c.Nulls = "RESPECT NULLS"
	}
	if p.word("OVER") {
		c.Over = p.window()
	}
	return c
}

// arg takes an argument. EXTRACT(YEAR FROM x) and POSITION(a IN b) become two.
func (p *parser) arg(function string) Arg {
	if (p.peek().Kind == Word || p.peek().Kind == Quoted) && p.peekAt(1).Kind == Operator && p.peekAt(1).Text == "=>" {
		name := p.next().Text
		p.at++
		return Arg{Name: name, Value: p.expr()}
	}
	if function == "EXTRACT" && p.peekAt(1).Kind == Word && p.peekAt(1).Text == "FROM" {
		part := p.next()
		p.at++
		return Arg{Name: "FROM:" + part.Text, Value: p.expr()}
	}
	if p.startsQuery() && !p.isOp("(") {
		return Arg{Query: p.query()}
	}
	return Arg{Value: p.expr()}
}

func (p *parser) window() *Window {
	p.needOp("(")
	w := &Window{}
	if p.word("PARTITION", "BY") {
		w.Partition = p.exprs()
	}
	if p.word("ORDER", "BY") {
		w.Order = p.orders()
	}
	if p.is("ROWS") || p.is("RANGE") {
		var words []string
		for !p.isOp(")") {
			t := p.next()
			if t.Kind != Word && t.Kind != Number {
				p.at--
				p.unexpected("")
			}
			words = append(words, t.Text)
		}
		w.Frame = strings.Join(words, " ")
	}
	p.needOp(")")
	return w
}

func (p *parser) orders() []Order {
	list := []Order{p.order()}
	for p.op(",") {
		list = append(list, p.order())
	}
	return list
}

func (p *parser) order() Order {
	o := Order{X: p.expr()}
	if p.word("DESC") {
		o.Desc = true
	} else {
		p.word("ASC")
	}
	if p.word("NULLS") {
		if o.Nulls = p.oneOf("FIRST", "LAST"); o.Nulls == "" {
			p.unexpected("expected FIRST or LAST")
		}
	}
	return o
}
