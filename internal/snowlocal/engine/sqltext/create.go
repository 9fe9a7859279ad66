package sqltext

// create takes what follows CREATE.
func (p *parser) create() Node {
	orReplace := p.word("OR", "REPLACE")
	if p.is("OR", "ALTER") {
		p.unsupported("CREATE OR ALTER")
	}
	_ = p.word("LOCAL") || p.word("GLOBAL")
	modifier := p.oneOf("HYBRID", "TEMPORARY", "TEMP", "VOLATILE", "TRANSIENT", "INTERACTIVE", "SECURE", "RECURSIVE")
	if modifier == "TEMP" || modifier == "VOLATILE" {
		modifier = "TEMPORARY"
	}
	switch {
	case p.is("TABLE"):
		p.at++
		if modifier == "SECURE" || modifier == "RECURSIVE" {
			p.unsupported("CREATE " + modifier + " TABLE")
		}
		return p.createTable(modifier, orReplace)
	case p.is("VIEW") && (modifier == "" || modifier == "SECURE"):
		p.at++
		return p.createView(orReplace)
	case p.is("INDEX") && modifier == "":
		p.at++
		return p.createIndex(orReplace)
	}
	for _, kind := range []string{"DATABASE", "SCHEMA", "ROLE", "USER", "WAREHOUSE", "SEQUENCE"} {
		if p.word(kind) {
			o := &CreateObject{Kind: kind, Modifier: modifier, OrReplace: orReplace}
			o.IfNotExists = p.word("IF", "NOT", "EXISTS")
			o.Name = p.path()
			p.word("WITH")
			o.Options = p.options()
			return o
		}
	}
	o, ok := p.other().(*Other)
	if !ok {
		p.unexpected("")
	}
	words := []string{"CREATE"}
	if modifier != "" {
		words = append(words, modifier)
	}
	o.Words = append(words, o.Words...)
	if len(o.Words) < 2 {
		p.unexpected("")
	}
	return o
}

// options takes KEY = value, with or without commas, up to what is no option.
func (p *parser) options() []Option {
	var list []Option
	for p.peek().Kind == Word && p.peekAt(1).Text == "=" {
		o := Option{Key: p.next().Text}
		p.at++
		t := p.peek()
		switch {
		case t.Kind == Operator && (t.Text == "?" || t.Text == ":"):
			o.Param = p.operator(t)
		case p.op("("):
			for !p.op(")") {
				item := p.next()
				if item.Kind == EOF {
					p.unexpected("")
				}
				o.List = append(o.List, item.Text)
				p.op(",")
			}
		case t.Kind == Word || t.Kind == String || t.Kind == Quoted || t.Kind == Number:
			p.at++
			o.Value, o.Kind = t.Text, t.Kind
		case p.op("-"):
			o.Value, o.Kind = "-"+p.next().Text, Number
		default:
			p.unexpected("")
		}
		list = append(list, o)
		if p.isOp(",") && p.peekAt(1).Kind == Word && p.peekAt(2).Text == "=" {
			p.at++
		}
	}
	return list
}

func (p *parser) createTable(kind string, orReplace bool) Node {
	c := &CreateTable{Kind: kind, OrReplace: orReplace, IfNotExists: p.word("IF", "NOT", "EXISTS")}
	c.Name = p.path()
	if p.isOp("(") && !p.startsQuery() {
		p.at++
		p.tableElement(c)
		for p.op(",") {
			p.tableElement(c)
		}
		p.needOp(")")
	}
	for {
		switch {
		case p.word("LIKE"):
			path := p.path()
			c.Like = &path
		case p.is("CLONE"):
			p.unsupported("CLONE")
		case p.word("CLUSTER", "BY"):
			p.needOp("(")
			p.exprs()
			p.needOp(")")
		case p.word("COPY", "GRANTS"):
		case p.word("AS"):
			c.As = p.query()
			return c
		case p.peek().Kind == Word && p.peekAt(1).Text == "=":
			c.Options = append(c.Options, p.options()...)
		default:
			return c
		}
	}
}

// tableElement takes a column, a constraint or an index.
func (p *parser) tableElement(c *CreateTable) {
	switch {
	case p.is("CONSTRAINT"), p.is("PRIMARY", "KEY"), p.is("UNIQUE"), p.is("FOREIGN", "KEY"):
		c.Constraints = append(c.Constraints, p.tableConstraint())
	case p.is("INDEX") && (p.peekAt(2).Text == "(" || p.peekAt(1).Kind == Quoted):
		p.at++
		c.Indexes = append(c.Indexes, p.index())
	default:
		c.Columns = append(c.Columns, p.column())
	}
}

func (p *parser) index() Index {
	i := Index{Name: p.name()}
	i.Columns = p.names()
	if p.word("INCLUDE") {
		i.Include = p.names()
	}
	return i
}

func (p *parser) tableConstraint() Constraint {
	var c Constraint
	if p.word("CONSTRAINT") {
		c.Name = p.name()
	}
	switch {
	case p.word("PRIMARY", "KEY"):
		c.Kind, c.Columns = "PRIMARY KEY", p.names()
	case p.word("UNIQUE"):
		c.Kind, c.Columns = "UNIQUE", p.names()
	case p.word("FOREIGN", "KEY"):
		c.Kind, c.Columns = "FOREIGN KEY", p.names()
		p.references(&c)
	default:
		p.unexpected("")
	}
	p.constraintProperties()
	return c
}

func (p *parser) references(c *Constraint) {
	p.need("REFERENCES")
	c.References = p.path()
	if p.isOp("(") {
		c.RefColumns = p.names()
	}
	for p.is("ON") || p.is("MATCH") {
		p.at++
		switch {
		case p.word("DELETE"), p.word("UPDATE"):
			if !p.word("NO", "ACTION") && !p.word("RESTRICT") {
				p.unsupported("foreign key action " + p.peek().Text)
			}
		default:
			p.unsupported("foreign key MATCH")
		}
	}
}

// constraintProperties takes the properties that change nothing here.
func (p *parser) constraintProperties() {
	for {
		switch {
		case p.is("NOT", "NULL"):
			return
		case p.is("NOT", "ENFORCED"), p.is("NOT", "DEFERRABLE"):
			p.at += 2
		case p.oneOf("ENFORCED", "DEFERRABLE", "RELY", "NORELY", "VALIDATE", "NOVALIDATE", "ENABLE", "DISABLE") != "":
		case p.word("INITIALLY"):
			if p.oneOf("DEFERRED", "IMMEDIATE") == "" {
				p.unexpected("")
			}
		default:
			return
		}
	}
}

func (p *parser) column() ColumnDef {
	c := ColumnDef{Name: p.name()}
	if t := p.peek(); t.Kind == Operator && (t.Text == "," || t.Text == ")") {
		c.Untyped = true
		return c
	}
	c.Type = p.dataType()
	for {
		switch {
		case p.word("NOT", "NULL"):
			c.NotNull = true
		case p.word("NULL"):
		case p.word("DEFAULT"):
			c.Default = p.sum()
		case p.is("AUTOINCREMENT"), p.is("IDENTITY"):
			p.at++
			c.Identity = p.identity()
		case p.word("COMMENT"):
			c.Comment = p.string()
		case p.is("COLLATE"), p.is("MASKING"), p.is("WITH"), p.is("TAG"):
			p.unsupported("column property " + p.peek().Text)
		case p.is("CONSTRAINT"), p.is("PRIMARY", "KEY"), p.is("UNIQUE"), p.is("FOREIGN", "KEY"), p.is("REFERENCES"):
			c.Constraints = append(c.Constraints, p.columnConstraint(c.Name))
		default:
			return c
		}
	}
}

func (p *parser) columnConstraint(column Name) Constraint {
	c := Constraint{Columns: []Name{column}}
	if p.word("CONSTRAINT") {
		c.Name = p.name()
	}
	switch {
	case p.word("PRIMARY", "KEY"):
		c.Kind = "PRIMARY KEY"
	case p.word("UNIQUE"):
		c.Kind = "UNIQUE"
	case p.word("FOREIGN", "KEY"), p.is("REFERENCES"):
		c.Kind = "FOREIGN KEY"
		p.references(&c)
	default:
		p.unexpected("")
	}
	p.constraintProperties()
	return c
}

func (p *parser) identity() *Identity {
	i := &Identity{Start: 1, Step: 1}
	if p.op("(") {
		i.Start = p.integer()
		p.needOp(",")
		i.Step = p.integer()
		p.needOp(")")
	} else if p.word("START") {
		p.word("WITH")
		i.Start = p.integer()
		p.need("INCREMENT")
		p.word("BY")
		i.Step = p.integer()
	}
	_ = p.word("ORDER") || p.word("NOORDER")
	return i
}

func (p *parser) createIndex(orReplace bool) Node {
	c := &CreateIndex{OrReplace: orReplace, IfNotExists: p.word("IF", "NOT", "EXISTS")}
	c.Index.Name = p.name()
	p.need("ON")
	c.Table = p.path()
	c.Index.Columns = p.names()
	if p.word("INCLUDE") {
		c.Index.Include = p.names()
	}
	return c
}

func (p *parser) createView(orReplace bool) Node {
	c := &CreateView{OrReplace: orReplace, IfNotExists: p.word("IF", "NOT", "EXISTS")}
	c.Name = p.path()
	if p.isOp("(") {
		c.Columns = p.names()
	}
	c.Options = p.options()
	p.need("AS")
	start := p.peek().Start
	c.As = p.query()
	c.Text = p.text[start:p.tokens[p.at-1].End]
	return c
}
