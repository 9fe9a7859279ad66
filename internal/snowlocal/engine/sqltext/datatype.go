package sqltext

// whole are the names of NUMBER(38,0).
var whole = map[string]bool{"INT": true, "INTEGER": true, "BIGINT": true, "SMALLINT": true, "TINYINT": true, "BYTEINT": true}

// synonyms gives the name of a type that takes no more words.
var synonyms = map[string]string{
	"NUMBER": "NUMBER", "DECIMAL": "NUMBER", "DEC": "NUMBER", "NUMERIC": "NUMBER",
	"FLOAT": "FLOAT", "FLOAT4": "FLOAT", "FLOAT8": "FLOAT", "DOUBLE": "FLOAT", "REAL": "FLOAT",
	"VARCHAR": "VARCHAR", "STRING": "VARCHAR", "TEXT": "VARCHAR", "NVARCHAR": "VARCHAR", "NVARCHAR2": "VARCHAR", "CHAR": "CHAR",
	"CHARACTER": "CHAR", "NCHAR": "CHAR", "BINARY": "BINARY", "VARBINARY": "BINARY", "BOOLEAN": "BOOLEAN", "BOOL": "BOOLEAN",
	"DATE": "DATE", "TIME": "TIME", "DATETIME": "TIMESTAMP_NTZ", "TIMESTAMP": "TIMESTAMP", "TIMESTAMP_NTZ": "TIMESTAMP_NTZ",
	"TIMESTAMPNTZ": "TIMESTAMP_NTZ", "TIMESTAMP_LTZ": "TIMESTAMP_LTZ", "TIMESTAMPLTZ": "TIMESTAMP_LTZ", "TIMESTAMP_TZ": "TIMESTAMP_TZ",
	"TIMESTAMPTZ": "TIMESTAMP_TZ", "VARIANT": "VARIANT", "OBJECT": "OBJECT", "ARRAY": "ARRAY",
}

// MaxVarchar is the length of VARCHAR without one.
const MaxVarchar = 16777216

// dataType takes a type.
func (p *parser) dataType() Type {
	t := p.peek()
	if t.Kind != Word {
		p.unexpected("expected a data type")
	}
	p.at++
	if whole[t.Text] {
		return Type{Name: "NUMBER", Precision: 38}
	}
	name, ok := synonyms[t.Text]
	if !ok {
		p.unsupported("data type " + t.Text)
	}
	switch {
	case t.Text == "DOUBLE":
		p.word("PRECISION")
	case name == "CHAR" && p.word("VARYING"):
		name = "VARCHAR"
	}
	typ := Type{Name: name}
	if name != "VARIANT" && p.op("(") {
		if name == "OBJECT" || name == "ARRAY" {
			p.unsupported("structured type " + name)
		}
		typ.Given = true
		typ.Precision = int(p.integer())
		if p.op(",") {
			typ.Scale = int(p.integer())
		}
		p.needOp(")")
	}
	if t.Text == "TIMESTAMP" {
		switch {
		case p.word("WITHOUT", "TIME", "ZONE"):
			typ.Name = "TIMESTAMP_NTZ"
		case p.word("WITH", "TIME", "ZONE"):
			typ.Name = "TIMESTAMP_TZ"
		case p.word("WITH", "LOCAL", "TIME", "ZONE"):
			typ.Name = "TIMESTAMP_LTZ"
		}
	}
	return p.bounds(typ, t)
}

// bounds fills in what is not given, and refuses what is out of bounds.
func (p *parser) bounds(typ Type, at Token) Type {
	refuse := func() { p.fail(syntaxAt(p.text, at.Start, at.Text, "the size of the type is out of bounds")) }
	switch typ.Name {
	case "NUMBER":
		if !typ.Given {
			typ.Precision = 38
		}
		if typ.Precision < 1 || typ.Precision > 38 || typ.Scale < 0 || typ.Scale > min(37, typ.Precision) {
			refuse()
		}
	case "VARCHAR", "CHAR":
		if !typ.Given {
			typ.Precision = MaxVarchar
			if typ.Name == "CHAR" {
				typ.Precision, typ.Given = 1, true
			}
		}
		typ.Name = "VARCHAR"
		if typ.Precision < 1 || typ.Precision > 8*MaxVarchar {
			refuse()
		}
	case "BINARY":
		if !typ.Given {
			typ.Precision = MaxVarchar / 2
		}
	case "TIME", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
		if !typ.Given {
			typ.Precision = 9
		}
		if typ.Precision < 0 || typ.Precision > 9 {
			refuse()
		}
	}
	return typ
}
