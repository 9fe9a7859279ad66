package core

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Template SQL is one statement in which ? stands for a parameter and {table}
// for the benchmark table, or {table.PART} for another one of its layout. What is
// between quotes (' " ` [ ] $$), and comments, are left alone. Where databases disagree about where a quote ends, the text
// is refused: a placeholder counted wrongly would be measured wrongly.

// {table} stands for the benchmark table in template SQL, {table.PART} for another
// one of its layout.
const (
	tableOpening = "{table"
	tableClosing = "}"
)

// sqlToken is one piece of template SQL; pieces follow one another without gaps.
type sqlToken struct {
	kind       sqlKind
	start, end int // bytes
}

type sqlKind int

const (
	sqlEnd         sqlKind = iota
	sqlSpace               // white space and comments
	sqlQuoted              // a string, or a quoted identifier
	sqlWord                // a keyword or an identifier
	sqlNumber              // digits and what belongs to them
	sqlPlaceholder         // ?
	sqlTable               // {table} or {table.PART}
	sqlSemicolon           // ;
	sqlDollar              // $1: somebody else's placeholder
	sqlSymbol              // one character of anything else
)

// sqlLexer cuts template SQL into tokens.
type sqlLexer struct {
	text string
	at   int
	last sqlToken // the one before, white space included
}

// next returns the next token; its kind is sqlEnd behind the last one.
func (l *sqlLexer) next() (sqlToken, error) {
	if l.at >= len(l.text) {
		return sqlToken{kind: sqlEnd, start: l.at, end: l.at}, nil
	}
	kind, length, err := l.scan(l.text[l.at:])
	if err != nil {
		return sqlToken{}, err
	}
	token := sqlToken{kind: kind, start: l.at, end: l.at + length}
	l.at, l.last = token.end, token
	return token, nil
}

// scan finds the kind and the length of the token that rest begins with.
func (l *sqlLexer) scan(rest string) (sqlKind, int, error) {
	c := rest[0]
	switch {
	case isSQLSpace(c):
		return sqlSpace, spanOf(rest, isSQLSpace), nil
	case strings.HasPrefix(rest, "--"):
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			return sqlSpace, end + 1, nil
		}
		return sqlSpace, len(rest), nil
	case strings.HasPrefix(rest, "/*"):
		return l.comment(rest)
	case c == '\'', c == '"', c == '`':
		return l.quoted(rest, c)
	case c == '[' && !l.subscript():
		return l.bracketed(rest)
	case c == '$':
		return l.dollar(rest)
	case isWordStart(c):
		return sqlWord, spanOf(rest, isWordByte), nil
	case isDigit(c):
		return sqlNumber, spanOf(rest, func(c byte) bool { return isWordByte(c) || c == '.' }), nil
	case c == '?':
		if len(rest) > 1 && isDigit(rest[1]) {
			return 0, 0, l.invalid(0, "?%c: placeholders have no numbers, write ? for each", rest[1])
		}
		return sqlPlaceholder, 1, nil
	case c == '{':
		return l.braced(rest)
	case c == ';':
		return sqlSemicolon, 1, nil
	case c == 0:
		return 0, 0, l.invalid(0, "a zero byte")
	default:
		return sqlSymbol, 1, nil
	}
}

func (l *sqlLexer) comment(rest string) (sqlKind, int, error) {
	end := strings.Index(rest[2:], "*/")
	if end < 0 {
		return 0, 0, l.invalid(0, "the comment /* is not closed")
	}
	if inner := strings.Index(rest[2:2+end], "/*"); inner >= 0 {
		return 0, 0, l.invalid(2+inner, "/* inside a comment: databases disagree on where it ends")
	}
	return sqlSpace, end + 4, nil
}

// quoted reads to the closing quote; a doubled one does not close.
func (l *sqlLexer) quoted(rest string, quote byte) (sqlKind, int, error) {
	slashes := 0
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '\\':
			slashes++
			continue
		case rest[i] != quote:
		case quote == '\'' && slashes%2 == 1:
			return 0, 0, l.invalid(i-1, `\' inside a string: databases disagree on whether it ends there; write '' or bind a parameter`)
		case i+1 < len(rest) && rest[i+1] == quote:
			i++
		default:
			return sqlQuoted, i + 1, nil
		}
		slashes = 0
	}
	return 0, 0, l.invalid(0, "the quote %c is not closed", quote)
}

// subscript reports whether a [ right here is of an array, a[1] or ARRAY[1],
// and not the quote of an identifier.
func (l *sqlLexer) subscript() bool {
	if l.at == 0 {
		return false
	}
	switch l.last.kind {
	case sqlWord, sqlQuoted, sqlPlaceholder, sqlDollar:
		return true
	case sqlSymbol:
		return l.text[l.at-1] == ')' || l.text[l.at-1] == ']'
	default:
		return false
	}
}

func (l *sqlLexer) bracketed(rest string) (sqlKind, int, error) {
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return 0, 0, l.invalid(0, "the quote [ is not closed")
	}
	if i := strings.IndexAny(rest[:end], "?'\"`;{"); i >= 0 {
		return 0, 0, l.invalid(i, "%c between [ and ]: it is not clear whether that is a quoted identifier or an array; write an array without a space before its [", rest[i])
	}
	return sqlQuoted, end + 1, nil
}

// dollar reads $$ … $$, $tag$ … $tag$, $1, or a lone $.
func (l *sqlLexer) dollar(rest string) (sqlKind, int, error) {
	if digits := spanOf(rest[1:], isDigit); digits > 0 {
		return sqlDollar, 1 + digits, nil
	}
	tag := 1 + spanOf(rest[1:], func(c byte) bool { return isWordByte(c) && c != '$' })
	if tag >= len(rest) || rest[tag] != '$' {
		return sqlSymbol, 1, nil
	}
	quote := rest[:tag+1]
	end := strings.Index(rest[len(quote):], quote)
	if end < 0 {
		return 0, 0, l.invalid(0, "the quote %s is not closed", quote)
	}
	return sqlQuoted, end + 2*len(quote), nil
}

// braced reads {table} or {table.PART}, or a lone {. Any other {word} is refused:
// it is a misspelling.
func (l *sqlLexer) braced(rest string) (sqlKind, int, error) {
	if behind, found := strings.CutPrefix(rest, tableOpening); found {
		length := 0
		if strings.HasPrefix(behind, ".") {
			length = 1 + spanOf(behind[1:], isWordByte)
		}
		if length != 1 && strings.HasPrefix(behind[length:], tableClosing) {
			return sqlTable, len(tableOpening) + length + len(tableClosing), nil
		}
		if length > 0 {
			return 0, 0, l.invalid(0, "{table. is not closed; write {table.PART}, PART being a table of the layout")
		}
	}
	if word := spanOf(rest[1:], isWordByte); word > 0 && 1+word < len(rest) && rest[1+word] == '}' {
		return 0, 0, l.invalid(0, "%.40s is not known; only {table} is", rest[:word+2])
	}
	return sqlSymbol, 1, nil
}

// invalid is an error about the text offset bytes behind the present position.
func (l *sqlLexer) invalid(offset int, format string, args ...any) error {
	return invalidSQL(l.text, l.at+offset, fmt.Sprintf(format, args...))
}

// invalidSQL names a place in SQL by line and column, counted from 1 in
// characters.
func invalidSQL(text string, at int, what string) error {
	before := text[:at]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("%w: SQL, line %d, column %d: %s", ErrInvalid, line, column, what)
}

func spanOf(text string, belongs func(byte) bool) int {
	for i := range len(text) {
		if !belongs(text[i]) {
			return i
		}
	}
	return len(text)
}

func isSQLSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func isWordByte(c byte) bool { return isWordStart(c) || isDigit(c) || c == '$' }

// CountPlaceholders is how many ? stand for parameters. Quotes or comments that
// are not closed, and text that databases would read differently, are
// ErrInvalid with line and column.
func CountPlaceholders(sql string) (int, error) {
	count := 0
	for l := (sqlLexer{text: sql}); ; {
		token, err := l.next()
		switch {
		case err != nil:
			return 0, err
		case token.kind == sqlEnd:
			return count, nil
		case token.kind == sqlPlaceholder:
			count++
		}
	}
}

// Rebind replaces each ? by what style returns for its number, counted from 1:
// "$1" for targets that number their placeholders. Where a word touches the ?,
// a space comes between. SQL that already holds a $1
// is ErrInvalid, since the two would collide; so is what CountPlaceholders
// refuses.
func Rebind(sql string, style func(n int) string) (string, error) {
	var out strings.Builder
	count := 0
	for l := (sqlLexer{text: sql}); ; {
		token, err := l.next()
		switch {
		case err != nil:
			return "", err
		case token.kind == sqlEnd:
			return out.String(), nil
		case token.kind == sqlDollar:
			return "", invalidSQL(sql, token.start, sql[token.start:token.end]+" is not a placeholder here; write ?")
		case token.kind == sqlPlaceholder:
			count++
			if token.start > 0 && isWordByte(sql[token.start-1]) {
				out.WriteByte(' ') // LIMIT? must not become LIMIT$1
			}
			out.WriteString(style(count))
			if token.end < len(sql) && isWordByte(sql[token.end]) {
				out.WriteByte(' ')
			}
		default:
			out.WriteString(sql[token.start:token.end])
		}
	}
}

// tablePart is the PART of a token {table.PART}; "" of {table}.
func tablePart(token string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(token, tableOpening), tableClosing)
	return strings.TrimPrefix(inner, ".")
}

// tableParts are the parts that valid SQL names, each once.
func tableParts(sql string) (parts []string) {
	ReplaceTables(sql, func(part string) string {
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
		return ""
	})
	return parts
}

// ReplaceTables replaces each {table} and {table.PART} outside quotes and comments
// by the identifier of that part ("" for {table}), which the dialect has quoted.
// Text behind an error that CountPlaceholders would report is left as it is.
func ReplaceTables(sql string, identifier func(part string) string) string {
	var out strings.Builder
	for l := (sqlLexer{text: sql}); ; {
		token, err := l.next()
		switch {
		case err != nil:
			out.WriteString(sql[l.at:])
			return out.String()
		case token.kind == sqlEnd:
			return out.String()
		case token.kind == sqlTable:
			out.WriteString(identifier(tablePart(sql[token.start:token.end])))
		default:
			out.WriteString(sql[token.start:token.end])
		}
	}
}

// FillTables replaces each {table} and {table.PART} by the identifier that quote
// makes of that part's name. The error is the first of quote's.
func FillTables(sql string, table TemplateTable, quote func(TemplateTable) (string, error)) (string, error) {
	var problem error
	text := ReplaceTables(sql, func(part string) string {
		name, err := quote(TemplateTable{Name: table.PartName(part)})
		if problem == nil {
			problem = err
		}
		return name
	})
	return text, problem
}
