package sqltext

import "strings"

// admin takes the statements that are neither queries, DML nor DDL, or nil.
func (p *parser) admin(t Token) Node {
	switch t.Text {
	case "USE":
		p.at++
		return p.use()
	case "SHOW":
		p.at++
		return p.show()
	case "DESCRIBE", "DESC":
		p.at++
		return p.describe()
	case "EXPLAIN":
		p.at++
		return p.explain()
	case "GRANT", "REVOKE":
		if p.is(t.Text, "SERVICE", "ROLE") {
			return p.other()
		}
		p.at++
		return p.grant(t.Text == "REVOKE")
	case "BEGIN", "START":
		return p.begin()
	case "COMMIT":
		p.at++
		p.word("WORK")
		return &Commit{}
	case "ROLLBACK":
		p.at++
		p.word("WORK")
		return &Rollback{}
	case "SET":
		p.at++
		return p.setVar()
	case "UNSET":
		p.at++
		return p.unsetVar()
	case "CALL":
		p.at++
		return &CallStmt{Call: p.tableFunction()}
	case "COMMENT":
		p.at++
		return p.comment()
	}
	return nil
}

func (p *parser) use() Node {
	if p.word("SECONDARY", "ROLES") {
		word := p.oneOf("ALL", "NONE")
		if word == "" {
			p.unsupported("USE SECONDARY ROLES by name")
		}
		return &Use{Kind: "SECONDARY ROLES", Word: word}
	}
	kind := ""
	if p.peekAt(1).Kind != EOF && p.peekAt(1).Text != ";" && p.peekAt(1).Text != "." {
		kind = p.oneOf("DATABASE", "SCHEMA", "ROLE", "WAREHOUSE")
	}
	return &Use{Kind: kind, Name: p.path()}
}

// shows are what SHOW can show, the longest first.
var shows = []string{
	"HYBRID TABLES", "TABLES", "COLUMNS", "INDEXES", "SCHEMAS", "DATABASES", "ROLES", "USERS", "GRANTS", "PARAMETERS", "VARIABLES",
	"WAREHOUSES", "VIEWS", "OBJECTS", "PRIMARY KEYS", "UNIQUE KEYS", "IMPORTED KEYS", "TRANSACTIONS", "LOCKS",
}

func (p *parser) show() Node {
	s := &Show{Terse: p.word("TERSE")}
	for _, what := range shows {
		if p.word(strings.Fields(what)...) {
			s.What = what
			break
		}
	}
	if s.What == "" {
		o, ok := p.other().(*Other)
		if !ok || len(o.Words) == 0 {
			p.unexpected("")
		}
		o.Words = append([]string{"SHOW"}, o.Words...)
		return o
	}
	p.word("HISTORY")
	if s.What == "GRANTS" {
		p.showGrants(s)
	}
	for {
		switch {
		case s.Like == nil && p.word("LIKE"):
			s.Like = p.primary()
		case s.In == "" && (p.word("IN") || s.What == "PARAMETERS" && p.word("FOR")):
			p.showIn(s)
		case p.word("STARTS", "WITH"):
			s.Start = p.primary()
		case p.word("LIMIT"):
			if s.Limit = p.primary(); p.word("FROM") {
				p.unsupported("LIMIT … FROM in SHOW")
			}
		default:
			return s
		}
	}
}

func (p *parser) showIn(s *Show) {
	s.In = p.oneOf("ACCOUNT", "DATABASE", "SCHEMA", "TABLE", "SESSION", "WAREHOUSE", "USER", "VIEW")
	if s.In == "" && !p.isName() {
		p.unexpected("")
	}
	if s.In == "" { // SHOW TABLES IN x: a schema, or a database
		s.In = "NAME"
	}
	if t := p.peek(); s.In != "ACCOUNT" && s.In != "SESSION" && (t.Kind == Quoted || t.Kind == String || t.Kind == Word && !reserved[t.Text] &&
		t.Text != "LIMIT" && t.Text != "STARTS") {
		s.Object = p.path()
	}
}

func (p *parser) showGrants(s *Show) {
	if s.Of = p.oneOf("ON", "TO", "OF"); s.Of == "" {
		return
	}
	for _, kind := range kinds {
		if strings.Contains(kind, " ") && p.word(strings.Fields(kind)...) {
			s.OfKind, s.Object = kind, p.path()
			return
		}
	}
	if s.OfKind = p.next().Text; s.OfKind != "ACCOUNT" {
		s.Object = p.path()
	}
}

func (p *parser) describe() Node {
	kind := p.oneOf("TABLE", "VIEW", "USER", "WAREHOUSE", "SCHEMA", "DATABASE")
	if kind == "" {
		o, ok := p.other().(*Other)
		if !ok || len(o.Words) == 0 {
			p.unexpected("")
		}
		o.Words = append([]string{"DESCRIBE"}, o.Words...)
		return o
	}
	d := &Describe{Kind: kind, Name: p.path()}
	if p.word("TYPE") {
		p.needOp("=")
		if p.oneOf("COLUMNS") == "" {
			p.unsupported("DESCRIBE … TYPE = STAGE")
		}
	}
	return d
}

func (p *parser) explain() Node {
	e := &Explain{Format: "TABULAR"}
	if p.word("USING") {
		if e.Format = p.oneOf("TABULAR", "TEXT", "JSON"); e.Format == "" {
			p.unexpected("")
		}
	}
	e.Of = p.one()
	return e
}

func (p *parser) begin() Node {
	if !p.word("START", "TRANSACTION") {
		p.need("BEGIN")
		_ = p.word("TRANSACTION") || p.word("WORK")
	}
	b := &Begin{}
	if p.word("NAME") {
		b.Name = p.name().Text
	}
	if p.peek().Kind != EOF && !p.isOp(";") {
		p.unsupported("Snowflake Scripting block")
	}
	return b
}

func (p *parser) setVar() Node {
	s := &SetVar{}
	if p.isOp("(") {
		for _, n := range p.names() {
			s.Names = append(s.Names, n.Text)
		}
		p.needOp("=")
		p.needOp("(")
		s.Values = p.exprs()
		p.needOp(")")
		if len(s.Names) != len(s.Values) {
			p.unexpected("as many values as names are needed")
		}
		return s
	}
	s.Names = []string{p.name().Text}
	p.needOp("=")
	s.Values = []Expr{p.expr()}
	return s
}

func (p *parser) unsetVar() Node {
	u := &UnsetVar{}
	if p.isOp("(") {
		for _, n := range p.names() {
			u.Names = append(u.Names, n.Text)
		}
		return u
	}
	u.Names = []string{p.name().Text}
	return u
}

func (p *parser) comment() Node {
	c := &Comment{IfExists: p.word("IF", "EXISTS")}
	p.need("ON")
	if c.Kind = p.oneOf("TABLE", "VIEW", "SCHEMA", "DATABASE", "COLUMN"); c.Kind == "" {
		p.unsupported("COMMENT ON " + p.words(1))
	}
	c.Name = p.path()
	p.need("IS")
	c.Text = p.string()
	return c
}

// grant takes what follows GRANT or REVOKE.
func (p *parser) grant(revoke bool) Node {
	g := &Grant{Revoke: revoke}
	if revoke && p.word("GRANT", "OPTION", "FOR") {
		p.unsupported("REVOKE GRANT OPTION FOR")
	}
	switch {
	case p.is("ROLE") || p.is("DATABASE", "ROLE"):
		if !p.word("ROLE") {
			p.unsupported("database roles")
		}
		g.Kind, g.Object = "ROLE", p.path()
	default:
		g.Privileges = p.privileges()
		p.need("ON")
		p.grantObject(g)
	}
	if revoke {
		p.need("FROM")
	} else {
		p.need("TO")
	}
	if p.peekAt(1).Kind == Word || p.peekAt(1).Kind == Quoted || p.peekAt(1).Kind == String {
		if g.To = p.oneOf("ROLE", "USER"); g.To == "" && p.is("SHARE") {
			p.unsupported("shares")
		}
	}
	if g.To == "" {
		g.To = "ROLE"
	}
	g.Grantee = p.path()
	if p.word("WITH", "GRANT", "OPTION") {
		g.Option = true
	}
	_ = p.word("COPY", "CURRENT", "GRANTS") || p.word("REVOKE", "CURRENT", "GRANTS") || p.word("CASCADE") || p.word("RESTRICT")
	return g
}

// privileges takes SELECT, INSERT or ALL PRIVILEGES up to ON.
func (p *parser) privileges() []string {
	var list []string
	for {
		var words []string
		for p.peek().Kind == Word && !p.is("ON") {
			words = append(words, p.next().Text)
		}
		if len(words) == 0 {
			p.unexpected("expected a privilege")
		}
		list = append(list, strings.Join(words, " "))
		if !p.op(",") {
			return list
		}
	}
}

// kinds are the kinds of objects that privileges are granted on.
var kinds = []string{
	"TABLE", "VIEW", "SCHEMA", "DATABASE", "WAREHOUSE", "SEQUENCE", "USER", "STAGE", "INTEGRATION", "SECRET", "SERVICE",
	"COMPUTE POOL", "IMAGE REPOSITORY", "HYBRID TABLE", "NETWORK RULE", "FUNCTION", "PROCEDURE",
}

func (p *parser) grantObject(g *Grant) {
	g.All, g.Future = p.word("ALL"), p.word("FUTURE")
	if !g.All && !g.Future && p.word("ACCOUNT") {
		g.Kind = "ACCOUNT"
		return
	}
	for _, kind := range kinds {
		words := strings.Fields(kind)
		plural := append([]string{}, words...)
		last := len(plural) - 1
		if strings.HasSuffix(kind, "Y") {
			plural[last] = strings.TrimSuffix(plural[last], "Y") + "IE"
		}
		plural[last] += "S"
		if g.All || g.Future {
			if !p.word(plural...) {
				continue
			}
			p.need("IN")
			if g.In = p.oneOf("SCHEMA", "DATABASE"); g.In == "" {
				p.unexpected("")
			}
		} else if !p.word(words...) {
			continue
		}
		g.Kind = kind
		g.Object = p.path()
		return
	}
	if next := p.peekAt(1); p.isName() && !g.All && !g.Future && (next.Text == "." || next.Text == "TO" || next.Text == "FROM") { // GRANT SELECT ON t
		g.Kind, g.Object = "TABLE", p.path()
		return
	}
	p.unsupported("privileges on " + p.words(2))
}
