package sqltext

// alter takes what follows ALTER.
func (p *parser) alter() Node {
	switch {
	case p.is("TABLE"):
		p.at++
		a := &AlterTable{IfExists: p.word("IF", "EXISTS")}
		a.Name = p.path()
		a.Action = p.tableAction()
		return a
	case p.word("SESSION"):
		a := &AlterObject{Kind: "SESSION"}
		p.setUnset(a)
		return a
	case p.word("ACCOUNT"):
		a := &AlterObject{Kind: "ACCOUNT"}
		p.setUnset(a)
		return a
	}
	for _, kind := range []string{"WAREHOUSE", "USER", "ROLE", "DATABASE", "SCHEMA"} {
		if p.word(kind) {
			a := &AlterObject{Kind: kind, IfExists: p.word("IF", "EXISTS")}
			if p.isName() && !p.is("SET") && !p.is("SUSPEND") && !p.is("RESUME") || p.peek().Kind == String {
				a.Name = p.path()
			}
			p.objectAction(a)
			return a
		}
	}
	o, ok := p.other().(*Other)
	if !ok || len(o.Words) == 0 {
		p.unexpected("")
	}
	o.Words = append([]string{"ALTER"}, o.Words...)
	return o
}

func (p *parser) objectAction(a *AlterObject) {
	switch {
	case a.Kind == "WAREHOUSE" && p.word("SUSPEND"):
		a.Action = "SUSPEND"
	case a.Kind == "WAREHOUSE" && p.word("RESUME"):
		a.Action = "RESUME"
		p.word("IF", "SUSPENDED")
	case a.Kind == "WAREHOUSE" && p.word("ABORT", "ALL", "QUERIES"), a.Kind == "USER" && p.word("ABORT", "ALL", "QUERIES"):
		a.Action = "ABORT ALL QUERIES"
	case p.word("RENAME", "TO"):
		a.Action, a.To = "RENAME TO", p.path()
	default:
		p.setUnset(a)
	}
}

func (p *parser) setUnset(a *AlterObject) {
	switch {
	case p.word("SET"):
		a.Action = "SET"
		if a.Options = p.options(); len(a.Options) == 0 {
			p.unexpected("expected a property")
		}
	case p.word("UNSET"):
		a.Action = "UNSET"
		a.Unset = append(a.Unset, p.part().Text)
		for p.op(",") {
			a.Unset = append(a.Unset, p.part().Text)
		}
	default:
		p.unexpected("")
	}
}

func (p *parser) tableAction() TableAction {
	switch {
	case p.word("RENAME", "TO"):
		return TableAction{Do: "RENAME TO", To: p.path()}
	case p.word("RENAME", "COLUMN"):
		a := TableAction{Do: "RENAME COLUMN", Names: []Name{p.name()}}
		p.need("TO")
		a.Names = append(a.Names, p.name())
		return a
	case p.word("ADD"):
		return p.addAction()
	case p.word("DROP"):
		return p.dropAction()
	case p.word("SET"):
		return TableAction{Do: "SET", Options: p.options()}
	case p.word("UNSET"):
		return TableAction{Do: "UNSET", Names: []Name{p.part()}}
	case p.word("ALTER"), p.word("MODIFY"):
		p.word("COLUMN")
		return p.alterColumn()
	}
	p.unsupported("ALTER TABLE … " + p.words(2))
	return TableAction{}
}

func (p *parser) addAction() TableAction {
	switch {
	case p.is("CONSTRAINT"), p.is("PRIMARY", "KEY"), p.is("UNIQUE"), p.is("FOREIGN", "KEY"):
		return TableAction{Do: "ADD CONSTRAINT", Constraint: p.tableConstraint()}
	case p.is("INDEX") && p.peekAt(2).Text == "(":
		p.at++
		return TableAction{Do: "ADD INDEX", Index: p.index()}
	}
	p.word("COLUMN")
	a := TableAction{Do: "ADD COLUMN", IfNotExists: p.word("IF", "NOT", "EXISTS")}
	a.Columns = append(a.Columns, p.column())
	for p.op(",") {
		if p.word("COLUMN") && p.word("IF", "NOT", "EXISTS") != a.IfNotExists {
			p.unexpected("")
		}
		if a.IfNotExists {
			p.word("IF", "NOT", "EXISTS")
		}
		a.Columns = append(a.Columns, p.column())
	}
	return a
}

func (p *parser) dropAction() TableAction {
	switch {
	case p.word("CONSTRAINT"):
		return TableAction{Do: "DROP CONSTRAINT", Names: []Name{p.name()}}
	case p.word("PRIMARY", "KEY"):
		return TableAction{Do: "DROP PRIMARY KEY"}
	}
	p.word("COLUMN")
	a := TableAction{Do: "DROP COLUMN", IfExists: p.word("IF", "EXISTS"), Names: []Name{p.name()}}
	for p.op(",") {
		a.Names = append(a.Names, p.name())
	}
	return a
}

func (p *parser) alterColumn() TableAction {
	a := TableAction{Do: "ALTER COLUMN", Names: []Name{p.name()}}
	switch {
	case p.word("SET", "NOT", "NULL"):
		a.Alter = "SET NOT NULL"
	case p.word("DROP", "NOT", "NULL"):
		a.Alter = "DROP NOT NULL"
	case p.word("DROP", "DEFAULT"):
		a.Alter = "DROP DEFAULT"
	case p.word("SET", "DATA", "TYPE"), p.word("TYPE"):
		a.Alter, a.Columns = "SET DATA TYPE", []ColumnDef{{Type: p.dataType()}}
	case p.word("COMMENT"):
		a.Alter, a.Columns = "COMMENT", []ColumnDef{{Comment: p.string()}}
	default:
		p.unsupported("ALTER COLUMN … " + p.words(3))
	}
	return a
}

func (p *parser) drop() Node {
	for _, kind := range []string{"TABLE", "VIEW", "SCHEMA", "DATABASE", "ROLE", "USER", "WAREHOUSE", "SEQUENCE", "INDEX"} {
		if p.word(kind) {
			d := &Drop{Kind: kind, IfExists: p.word("IF", "EXISTS")}
			d.Name = p.path()
			if p.word("CASCADE") {
				d.Cascade = true
			} else {
				p.word("RESTRICT")
			}
			return d
		}
	}
	o, ok := p.other().(*Other)
	if !ok || len(o.Words) == 0 {
		p.unexpected("")
	}
	o.Words = append([]string{"DROP"}, o.Words...)
	return o
}
