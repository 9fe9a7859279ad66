package pgtext

import (
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// parts gives the name of a part of a date or time for each of its spellings.
func parts() map[string]string {
	names := map[string]string{}
	for name, spellings := range map[string]string{
		"year": "Y YY YYY YYYY YR YEARS YRS", "month": "MM MON MONS MONTHS", "day": "D DD DAYS DAYOFMONTH", "week": "W WK WEEKOFYEAR WOY WY WEEKS",
		"quarter": "Q QTR QTRS QUARTERS", "hour": "H HH HR HOURS HRS", "minute": "M MI MIN MINUTES MINS", "second": "S SEC SECONDS SECS",
		"millisecond": "MS MSEC MILLISECONDS", "microsecond": "US USEC MICROSECONDS", "nanosecond": "NS NSEC NANOSEC NSECOND NANOSECONDS NANOSECS NSECONDS",
		"dayofweek": "WEEKDAY DOW DW", "dayofweekiso": "DAYOFWEEK_ISO WEEKDAY_ISO DOW_ISO DW_ISO", "dayofyear": "YEARDAY DOY DY",
		"epoch_second": "EPOCH EPOCH_SECONDS", "epoch_millisecond": "EPOCH_MILLISECONDS", "epoch_microsecond": "EPOCH_MICROSECONDS",
		"epoch_nanosecond": "EPOCH_NANOSECONDS",
	} {
		names[strings.ToUpper(name)] = name
		for _, s := range strings.Fields(spellings) {
			names[s] = name
		}
	}
	return names
}

// part reads the part of a date that an argument names.
func (w *writer) part(c *sqltext.Call, x sqltext.Expr) string {
	text := ""
	switch x := x.(type) {
	case *sqltext.Ref:
		text = x.Parts[0].Text
	case *sqltext.Literal:
		text = x.Text
	}
	name, ok := parts()[strings.ToUpper(text)]
	if !ok {
		w.fail(1018, "22023", "SQL compilation error:\n'%s' is not a valid date/time component for function %s.", text, c.Name.Last())
	}
	return name
}

// added are the parts that can be added and counted.
var added = map[string]bool{
	"year": true, "month": true, "day": true, "week": true, "quarter": true, "hour": true, "minute": true, "second": true,
	"millisecond": true, "microsecond": true, "nanosecond": true,
}

func (w *writer) dateAdd(c *sqltext.Call) {
	w.count(c, 3, 3)
	part := w.part(c, c.Args[0].Value)
	if !added[part] {
		w.unsupported("%s of %s", c.Name.Last(), part)
	}
	w.put("sf.add_", part, "(", w.typed(c.Args[2].Value, "timestamp"), ", ", w.arithmetic(c.Args[1].Value), ")")
}

func (w *writer) dateDiff(c *sqltext.Call) {
	w.count(c, 3, 3)
	part := w.part(c, c.Args[0].Value)
	if !added[part] {
		w.unsupported("%s of %s", c.Name.Last(), part)
	}
	w.put("sf.diff_", part, "(", w.typed(c.Args[1].Value, "timestamp"), ", ", w.typed(c.Args[2].Value, "timestamp"), ")")
}

func (w *writer) dateTrunc(c *sqltext.Call) {
	w.count(c, 2, 2)
	w.truncated(c, c.Args[0].Value, c.Args[1].Value)
}

func (w *writer) truncated(c *sqltext.Call, part, x sqltext.Expr) {
	name := w.part(c, part)
	if !added[name] || name == "nanosecond" {
		w.unsupported("%s to %s", c.Name.Last(), name)
	}
	w.put("sf.trunc(", String(strings.TrimSuffix(name, "s")), ", ", w.typed(x, "timestamp"), ")")
}

// trunc is of a number, or of a date.
func (w *writer) trunc(c *sqltext.Call) {
	w.count(c, 1, 2)
	if len(c.Args) == 2 {
		if l, ok := c.Args[1].Value.(*sqltext.Literal); ok && l.Kind == sqltext.StringLiteral {
			w.truncated(c, l, c.Args[0].Value)
			return
		}
	}
	w.template(c, function{1, 2, "sf.truncate(%*)", "", "number"})
}

func (w *writer) datePart(c *sqltext.Call) {
	w.count(c, 2, 2)
	w.extracted(w.part(c, c.Args[0].Value), c.Args[1].Value)
}

func (w *writer) extract(c *sqltext.Call) {
	if len(c.Args) == 1 && strings.HasPrefix(c.Args[0].Name, "FROM:") {
		w.extracted(w.part(c, &sqltext.Literal{Text: c.Args[0].Name[5:]}), c.Args[0].Value)
		return
	}
	w.datePart(c)
}

// fields are PostgreSQL's expressions for parts, over %.
var fields = map[string]string{
	"second": "trunc(extract(second from %))", "millisecond": "trunc(extract(milliseconds from %)) % 1000", "nanosecond": "(extract(microseconds from %)::bigint % 1000000) * 1000",
	"microsecond": "extract(microseconds from %)::bigint % 1000000",
	"dayofweek":   "extract(dow from %)", "dayofweekiso": "extract(isodow from %)", "dayofyear": "extract(doy from %)",
	"epoch_second": "floor(extract(epoch from %))", "epoch_millisecond": "floor(extract(epoch from %) * 1000)",
	"epoch_microsecond": "floor(extract(epoch from %) * 1000000)", "epoch_nanosecond": "floor(extract(epoch from %) * 1000000) * 1000",
}

func (w *writer) extracted(part string, x sqltext.Expr) {
	text, ok := fields[part]
	if !ok {
		text = "extract(" + part + " from %)"
	}
	value := w.typed(x, "timestamp")
	w.put("(")
	for i, piece := range strings.Split(text, "%)") {
		if i > 0 {
			w.put(value, ")")
		}
		w.put(piece)
	}
	w.put(")::bigint")
}

// toChar takes a format of dates; numbers have none here.
func (w *writer) toChar(c *sqltext.Call) {
	w.count(c, 1, 2)
	if len(c.Args) == 1 {
		w.cast(&sqltext.Cast{X: c.Args[0].Value, To: sqltext.Type{Name: "VARCHAR", Precision: sqltext.MaxVarchar}})
		return
	}
	l, ok := c.Args[1].Value.(*sqltext.Literal)
	if !ok || l.Kind != sqltext.StringLiteral {
		w.unsupported("%s with a format that is no constant", c.Name.Last())
	}
	w.put("sf.format(", w.text(c.Args[0].Value), ", ", String(w.format(l.Text)), ")")
}

// formats are elements of formats, the longest first, with PostgreSQL's.
var formats = [][2]string{
	{"YYYY", "YYYY"}, {"MMMM", "FMMonth"}, {"HH24", "HH24"}, {"HH12", "HH12"}, {"FF0", ""}, {"FF3", "MS"}, {"FF6", "US"}, {"FF9", "US000"}, {"FF", "US000"},
	{"MON", "Mon"}, {"TZH", "TZH"}, {"TZM", "TZM"}, {"MM", "MM"}, {"MI", "MI"}, {"DD", "DD"}, {"DY", "Dy"}, {"SS", "SS"}, {"YY", "YY"}, {"AM", "AM"}, {"PM", "PM"},
}

// format writes a format of a date or time as PostgreSQL's.
func (w *writer) format(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		if rest[0] == '"' {
			if end := strings.IndexByte(rest[1:], '"'); end >= 0 {
				b.WriteString(rest[:end+2])
				rest = rest[end+2:]
				continue
			}
		}
		found := false
		for _, f := range formats {
			if strings.HasPrefix(strings.ToUpper(rest), f[0]) {
				b.WriteString(f[1])
				rest, found = rest[len(f[0]):], true
				break
			}
		}
		if found {
			continue
		}
		if c := rest[0]; c >= 'A' && c <= 'Z' && c != 'T' && c != 'Z' || c >= '0' && c <= '9' {
			w.unsupported("format %s", text)
		}
		if c := rest[0]; c == 'T' || c == 'Z' || c >= 'a' && c <= 'z' {
			b.WriteString(`"` + string(c) + `"`)
		} else {
			b.WriteByte(c)
		}
		rest = rest[1:]
	}
	return b.String()
}
