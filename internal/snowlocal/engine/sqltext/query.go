package sqltext

// query takes a query with its WITH, ORDER BY, LIMIT and FOR UPDATE.
func (p *parser) query() *Query {
	defer p.deeper()()
	q := &Query{}
	if p.word("WITH") {
		q.Recursive = p.word("RECURSIVE")
		q.With = append(q.With, p.cte())
		for p.op(",") {
			q.With = append(q.With, p.cte())
		}
	}
	q.Body = p.setOps()
	if p.word("ORDER", "BY") {
		q.Order = p.orders()
	}
	p.limits(q)
	if s, ok := q.Body.(*Select); ok && q.Limit == nil {
		q.Limit = s.Top
	}
	if p.word("FOR", "UPDATE") {
		q.Lock = &Lock{}
		if p.word("NOWAIT") {
			q.Lock.NoWait = true
		} else if p.word("WAIT") {
			seconds := int(p.integer())
			q.Lock.Wait = &seconds
		}
	}
	return q
}

func (p *parser) limits(q *Query) {
	if p.word("LIMIT") {
		if !p.word("NULL") {
			q.Limit = p.expr()
		}
	}
	if p.word("OFFSET") {
		q.Offset = p.expr()
		_ = p.word("ROWS") || p.word("ROW")
	}
	if q.Limit == nil && p.word("FETCH") {
		_ = p.word("FIRST") || p.word("NEXT")
		q.Limit = p.expr()
		_ = p.word("ROWS") || p.word("ROW")
		p.word("ONLY")
	}
}

func (p *parser) cte() CTE {
	c := CTE{Name: p.name()}
	if p.isOp("(") {
		c.Columns = p.names()
	}
	p.need("AS")
	p.needOp("(")
	c.Query = p.query()
	p.needOp(")")
	return c
}

func (p *parser) setOps() Body {
	left := p.intersects()
	for {
		var op string
		switch {
		case p.word("UNION", "ALL"):
			op = "UNION ALL"
		case p.word("UNION"):
			op = "UNION"
		case p.word("EXCEPT"), p.word("MINUS"):
			op = "EXCEPT"
		default:
			return left
		}
		left = &SetOp{Op: op, L: left, R: p.intersects()}
	}
}

func (p *parser) intersects() Body {
	left := p.body()
	for p.word("INTERSECT") {
		left = &SetOp{Op: "INTERSECT", L: left, R: p.body()}
	}
	return left
}

func (p *parser) body() Body {
	defer p.deeper()()
	switch {
	case p.op("("):
		q := p.query()
		p.needOp(")")
		return q
	case p.word("VALUES"):
		return p.values()
	case p.word("SELECT"):
		return p.selectBody()
	}
	p.unexpected("")
	return nil
}

func (p *parser) values() *Values {
	v := &Values{}
	for {
		p.needOp("(")
		v.Rows = append(v.Rows, p.exprs())
		p.needOp(")")
		if !p.op(",") {
			return v
		}
	}
}

func (p *parser) selectBody() *Select {
	s := &Select{}
	if p.word("DISTINCT") {
		s.Distinct = true
	} else {
		p.word("ALL")
	}
	if p.is("TOP") && (p.peekAt(1).Kind == Number || p.peekAt(1).Text == "?") {
		p.at++
		s.Top = p.primary()
	}
	s.Items = append(s.Items, p.item())
	for p.op(",") {
		s.Items = append(s.Items, p.item())
	}
	if p.word("FROM") {
		s.From = p.froms()
	}
	if p.word("WHERE") {
		s.Where = p.expr()
	}
	if p.word("GROUP", "BY") {
		if p.word("ALL") {
			s.GroupAll = true
		} else {
			s.Group = p.exprs()
		}
	}
	if p.word("HAVING") {
		s.Having = p.expr()
	}
	if p.word("QUALIFY") {
		s.Qualify = p.expr()
	}
	return s
}

func (p *parser) item() Item {
	start := p.peek().Start
	x := p.expr()
	text := p.text[start:p.tokens[p.at-1].End]
	return Item{X: x, Text: text, Alias: p.alias()}
}

func (p *parser) froms() []From {
	list := []From{p.joins()}
	for p.op(",") {
		list = append(list, p.joins())
	}
	return list
}

func (p *parser) joins() From {
	left := p.source()
	for {
		kind := ""
		natural := p.word("NATURAL")
		switch {
		case p.word("CROSS", "JOIN"):
			kind = "CROSS"
		case p.word("JOIN"), p.word("INNER", "JOIN"):
			kind = "INNER"
		case p.word("LEFT", "OUTER", "JOIN"), p.word("LEFT", "JOIN"):
			kind = "LEFT"
		case p.word("RIGHT", "OUTER", "JOIN"), p.word("RIGHT", "JOIN"):
			kind = "RIGHT"
		case p.word("FULL", "OUTER", "JOIN"), p.word("FULL", "JOIN"):
			kind = "FULL"
		case natural:
			p.unexpected("expected JOIN")
		case p.is("ASOF", "JOIN"), p.is("PIVOT"), p.is("UNPIVOT"), p.is("MATCH_RECOGNIZE"), p.is("SAMPLE"), p.is("TABLESAMPLE"):
			p.unsupported(p.peek().Text)
		default:
			return left
		}
		if natural {
			kind = "NATURAL " + kind
		}
		j := &Join{Kind: kind, L: left, R: p.source()}
		if p.word("ON") {
			j.On = p.expr()
		} else if p.word("USING") {
			j.Using = p.names()
		}
		if j.On == nil && j.Using == nil && kind == "INNER" { // JOIN without a condition
			j.Kind = "CROSS"
		}
		left = j
	}
}

func (p *parser) source() From {
	defer p.deeper()()
	lateral := p.word("LATERAL")
	switch {
	case p.is("VALUES"):
		p.at++
		d := &Derived{Query: &Query{Body: p.values()}}
		d.Alias, d.Columns = p.tableAlias()
		return d
	case p.isOp("(") && p.startsQuery() || p.isOp("(") && p.peekAt(1).Text == "VALUES":
		p.at++
		d := &Derived{Query: p.query(), Lateral: lateral}
		p.needOp(")")
		d.Alias, d.Columns = p.tableAlias()
		return d
	case p.isOp("("):
		p.at++
		f := p.joins()
		p.needOp(")")
		return f
	case p.is("TABLE") && p.peekAt(1).Text == "(":
		p.at += 2
		c := &TableCall{Call: p.tableFunction(), Lateral: lateral}
		p.needOp(")")
		c.Alias, c.Columns = p.tableAlias()
		return c
	case p.isOp("@"):
		p.unsupported("stage in FROM")
	}
	path := p.path()
	if path.Of == nil && p.isOp("(") {
		call, ok := p.call(path).(*Call)
		if !ok || !lateral {
			p.unsupported("function " + path.Last() + " in FROM without TABLE")
		}
		c := &TableCall{Call: call, Lateral: true}
		c.Alias, c.Columns = p.tableAlias()
		return c
	}
	if p.is("AT") && p.peekAt(1).Text == "(" || p.is("BEFORE") && p.peekAt(1).Text == "(" || p.is("CHANGES") && p.peekAt(1).Text == "(" {
		p.unsupported("Time Travel")
	}
	t := &Table{Name: path}
	t.Alias, t.Columns = p.tableAlias()
	return t
}

func (p *parser) tableFunction() *Call {
	parts := []Name{p.name()}
	for p.op(".") {
		parts = append(parts, p.part())
	}
	if p.isOp("!") {
		p.unsupported("method " + parts[len(parts)-1].Text + "!" + p.peekAt(1).Text)
	}
	call, ok := p.call(Path{Parts: parts}).(*Call)
	if !ok {
		p.unexpected("")
	}
	return call
}

func (p *parser) tableAlias() (alias Name, columns []Name) {
	if alias = p.alias(); alias.Text != "" && p.isOp("(") {
		columns = p.names()
	}
	return alias, columns
}
