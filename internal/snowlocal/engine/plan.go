package engine

import (
	"container/list"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// maxPlans bounds the texts that a session keeps parsed, and those it keeps
// written and prepared.
const maxPlans = 256

// maxPlanText bounds the texts that are kept at all.
const maxPlanText = 64 << 10

// plans are the texts that a session has read before.
type plans struct {
	parsed  map[string][]*sqltext.Statement
	written map[string]*list.Element // of *plan
	order   *list.List               // the least recently used last
	drop    []string                 // prepared statements that PostgreSQL can forget
	epoch   int64
	names   int64
}

// plan is a statement that is written for PostgreSQL.
type plan struct {
	key      string
	text     *pgtext.Text
	epoch    int64
	ddl      int64
	uses     int
	prepared string // the name of the prepared statement, or empty
	columns  []Column
	before   []string // statements in the same transaction
	after    []string
	target   string // the table that is written
	hybrid   bool   // every table is a hybrid table
	// databases are those of the hybrid tables.
	databases []string
}

func newPlans() *plans {
	return &plans{parsed: map[string][]*sqltext.Statement{}, written: map[string]*list.Element{}, order: list.New()}
}

func (p *plans) parse(text string) ([]*sqltext.Statement, error) {
	if statements, ok := p.parsed[text]; ok {
		return statements, nil
	}
	statements, err := sqltext.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(text) <= maxPlanText {
		if len(p.parsed) >= maxPlans {
			clear(p.parsed)
		}
		p.parsed[text] = statements
	}
	return statements, nil
}

// stale says that names or functions may mean something else from now on.
func (p *plans) stale() { p.epoch++ }

// forget drops what a connection that is gone had prepared.
func (p *plans) forget() {
	clear(p.written)
	p.order.Init()
	p.drop = nil
}

// key tells texts apart: the statement and the types of its binds.
func planKey(st *sqltext.Statement, binds []Bind) string {
	if st.Params == 0 {
		return st.Text
	}
	var b strings.Builder
	b.WriteString(st.Text)
	for i := st.FirstParam; i < st.Params && i < len(binds); i++ {
		b.WriteByte(0)
		b.WriteString(binds[i].Type)
		if binds[i].IsArray {
			b.WriteString("[]")
		}
	}
	return b.String()
}

func (p *plans) get(key string, ddl int64) *plan {
	element, ok := p.written[key]
	if !ok {
		return nil
	}
	found := element.Value.(*plan)
	if found.epoch != p.epoch || found.ddl != ddl {
		p.remove(element)
		return nil
	}
	p.order.MoveToFront(element)
	return found
}

func (p *plans) put(added *plan) {
	if len(added.key) > maxPlanText {
		return
	}
	added.epoch = p.epoch
	p.written[added.key] = p.order.PushFront(added)
	for p.order.Len() > maxPlans {
		p.remove(p.order.Back())
	}
}

func (p *plans) remove(element *list.Element) {
	old := element.Value.(*plan)
	p.order.Remove(element)
	delete(p.written, old.key)
	if old.prepared != "" {
		p.drop = append(p.drop, old.prepared)
	}
}

// columnKey is a column of PostgreSQL's.
type columnKey struct {
	table  uint32
	number uint16
}

// The OIDs of PostgreSQL's types.
const (
	oidBool, oidBytea, oidInt8, oidInt2, oidInt4, oidText  = 16, 17, 20, 21, 23, 25
	oidFloat4, oidFloat8, oidUnknown, oidVarchar           = 700, 701, 705, 1043
	oidDate, oidTime, oidTimestamp, oidTimestamptz         = 1082, 1083, 1114, 1184
	oidNumeric, oidJSONB, oidInterval, oidName, oidVoidOID = 1700, 3802, 1186, 19, 2278
)

const maxText = 16777216

func textColumn(name string) Column {
	return Column{Name: name, Type: "text", Nullable: true, Length: maxText, ByteLength: maxText}
}

func numberColumn(name string) Column {
	return Column{Name: name, Type: "fixed", Precision: 19}
}

// unknownScale marks a number whose digits are known by its values only.
const unknownScale = -1

// columnOf describes a column of PostgreSQL's by its type.
func columnOf(name string, oid uint32, mod int32) Column {
	c := textColumn(name)
	switch oid {
	case oidBool:
		c = Column{Name: name, Type: "boolean", Nullable: true}
	case oidInt8, oidInt4, oidInt2:
		c = Column{Name: name, Type: "fixed", Nullable: true, Precision: 18}
	case oidNumeric:
		c = Column{Name: name, Type: "fixed", Nullable: true, Precision: 38, Scale: unknownScale}
		if mod >= 4 {
			c.Precision, c.Scale = int64((mod-4)>>16&0xffff), int64((mod-4)&0x7ff)
		}
	case oidFloat4, oidFloat8:
		c = Column{Name: name, Type: "real", Nullable: true}
	case oidBytea:
		c = Column{Name: name, Type: "binary", Nullable: true, Length: maxText / 2, ByteLength: maxText / 2}
	case oidDate:
		c = Column{Name: name, Type: "date", Nullable: true}
	case oidTime:
		c = Column{Name: name, Type: "time", Nullable: true, Scale: digitsOf(mod)}
	case oidTimestamp:
		c = Column{Name: name, Type: "timestamp_ntz", Nullable: true, Scale: digitsOf(mod)}
	case oidTimestamptz:
		c = Column{Name: name, Type: "timestamp_ltz", Nullable: true, Scale: digitsOf(mod)}
	case oidJSONB:
		c = Column{Name: name, Type: "variant", Nullable: true}
	case oidVarchar:
		if mod >= 4 {
			c.Length = int64(mod - 4)
			c.ByteLength = min(4*c.Length, maxText)
		}
	}
	return c
}

func digitsOf(mod int32) int64 {
	if mod < 0 {
		return 9
	}
	return int64(mod)
}

// refine puts what the statement's text tells over what PostgreSQL tells.
func refine(c Column, t sqltext.Type) Column {
	switch t.Name {
	case "VARIANT", "OBJECT", "ARRAY":
		if c.Type == "variant" {
			c.Type = strings.ToLower(t.Name)
		}
	case "TIMESTAMP_TZ":
		c = Column{Name: c.Name, Type: "timestamp_tz", Nullable: true, Scale: 9}
	case "NUMBER":
		if c.Type == "fixed" && t.Precision > 0 && t.Scale >= 0 {
			c.Precision, c.Scale = int64(t.Precision), int64(t.Scale)
		}
	case "VARCHAR":
		if c.Type == "text" && t.Given {
			c.Length, c.ByteLength = int64(t.Precision), int64(4*t.Precision)
		}
	}
	return c
}

// describeFields describes a result: a column of a table as the table has it, the
// others as the text or PostgreSQL tells.
func (s *Session) describeFields(fields []pgconn.FieldDescription, text *pgtext.Text) ([]Column, error) {
	columns := make([]Column, len(fields))
	for i, f := range fields {
		c, found, err := s.engine.tableColumn(columnKey{f.TableOID, f.TableAttributeNumber})
		if err != nil {
			return nil, err
		}
		if !found {
			c = columnOf("", f.DataTypeOID, f.TypeModifier)
			if f.DataTypeOID == s.engine.zonedOID() {
				c = Column{Type: "timestamp_tz", Nullable: true, Scale: 9}
			}
		}
		c.Name = f.Name
		if i < len(text.Types) && !found {
			c = refine(c, text.Types[i])
			c.Nullable = i >= len(text.Constant) || !text.Constant[i]
		}
		if i < len(text.Names) && len(text.Names) == len(fields) && text.Names[i] != "" {
			c.Name = text.Names[i]
		}
		columns[i] = c
	}
	return columns, nil
}
