package sqltext

// statement takes one statement.
func (p *parser) statement() Node {
	t := p.peek()
	if t.Kind != Word {
		if p.isOp("(") && p.startsQuery() {
			return p.query()
		}
		p.unexpected("")
	}
	switch t.Text {
	case "SELECT", "CALL":
		if o := p.method(); o != nil {
			return o
		}
	}
	switch t.Text {
	case "SELECT", "WITH", "VALUES":
		return p.query()
	case "INSERT":
		return p.insert()
	case "UPDATE":
		return p.update()
	case "DELETE":
		return p.delete()
	case "MERGE":
		return p.merge()
	case "CREATE":
		p.at++
		return p.create()
	case "ALTER":
		p.at++
		return p.alter()
	case "DROP":
		p.at++
		return p.drop()
	case "TRUNCATE":
		p.at++
		p.word("TABLE")
		return &Truncate{IfExists: p.word("IF", "EXISTS"), Name: p.path()}
	}
	if node := p.admin(t); node != nil {
		return node
	}
	if known := unsupportedStatements[t.Text]; known {
		return p.other()
	}
	p.unexpected("")
	return nil
}

// unsupportedStatements are the first words of statements that Snowflake has and
// this parser leaves to others.
var unsupportedStatements = map[string]bool{
	"EXECUTE": true, "COPY": true, "PUT": true, "GET": true, "LIST": true, "LS": true, "REMOVE": true, "RM": true, "UNDROP": true, "DECLARE": true,
}

// other takes a statement by its words, up to its end.
func (p *parser) other() Node {
	o := &Other{}
	for p.peek().Kind == Word && len(o.Words) < 4 {
		o.Words = append(o.Words, p.next().Text)
	}
	p.skip()
	return o
}

// method takes SELECT or CALL of a method of an object, name!METHOD(…), by the
// words "!" and METHOD; or nil.
func (p *parser) method() Node {
	at := 1
	for p.peekAt(at).Kind == Word || p.peekAt(at).Kind == Quoted {
		at++
		if p.peekAt(at).Text != "." || p.peekAt(at).Kind != Operator {
			break
		}
		at++
	}
	name := p.peekAt(at + 1)
	if t := p.peekAt(at); t.Kind != Operator || t.Text != "!" || name.Kind != Word {
		return nil
	}
	p.skip()
	return &Other{Words: []string{"!", name.Text}}
}

// skip skips to the end of the statement; placeholders count.
func (p *parser) skip() {
	for p.peek().Kind != EOF && !p.isOp(";") {
		if p.isOp("?") {
			p.params++
		}
		p.at++
	}
}

func (p *parser) insert() Node {
	p.need("INSERT")
	i := &Insert{Overwrite: p.word("OVERWRITE")}
	if p.is("ALL") || p.is("FIRST") || p.is("WHEN") {
		p.unsupported("INSERT " + p.peek().Text)
	}
	p.need("INTO")
	p.word("TABLE")
	i.Table = p.path()
	if p.isOp("(") && !p.startsQuery() {
		i.Columns = p.names()
	}
	i.Source = p.query()
	return i
}

func (p *parser) sets() []Set {
	var list []Set
	for {
		name := p.name()
		for p.op(".") { // t.c = …: the table is the target anyway
			name = p.part()
		}
		p.needOp("=")
		list = append(list, Set{Column: name, Value: p.expr()})
		if !p.op(",") {
			return list
		}
	}
}

func (p *parser) update() Node {
	p.need("UPDATE")
	u := &Update{Table: p.path(), Alias: p.alias()}
	p.need("SET")
	u.Sets = p.sets()
	if p.word("FROM") {
		u.From = p.froms()
	}
	if p.word("WHERE") {
		u.Where = p.expr()
	}
	return u
}

func (p *parser) delete() Node {
	p.need("DELETE", "FROM")
	d := &Delete{Table: p.path(), Alias: p.alias()}
	if p.word("USING") {
		d.Using = p.froms()
	}
	if p.word("WHERE") {
		d.Where = p.expr()
	}
	return d
}

func (p *parser) merge() Node {
	p.need("MERGE", "INTO")
	m := &Merge{Table: p.path(), Alias: p.alias()}
	p.need("USING")
	m.Source = p.source()
	p.need("ON")
	m.On = p.expr()
	for p.word("WHEN") {
		w := MergeWhen{Matched: !p.word("NOT")}
		p.need("MATCHED")
		if p.word("AND") {
			w.And = p.expr()
		}
		p.need("THEN")
		p.mergeAction(&w)
		m.Whens = append(m.Whens, w)
	}
	if len(m.Whens) == 0 {
		p.unexpected("expected WHEN")
	}
	return m
}

func (p *parser) mergeAction(w *MergeWhen) {
	switch {
	case w.Matched && p.word("UPDATE"):
		if p.word("ALL") {
			p.unsupported("UPDATE ALL BY NAME")
		}
		p.need("SET")
		w.Action, w.Sets = "UPDATE", p.sets()
	case w.Matched && p.word("DELETE"):
		w.Action = "DELETE"
	case !w.Matched && p.word("INSERT"):
		if p.word("ALL") {
			p.unsupported("INSERT ALL BY NAME")
		}
		w.Action = "INSERT"
		if p.isOp("(") {
			w.Columns = p.names()
		}
		p.need("VALUES")
		p.needOp("(")
		w.Values = p.exprs()
		p.needOp(")")
	default:
		p.unexpected("")
	}
}
