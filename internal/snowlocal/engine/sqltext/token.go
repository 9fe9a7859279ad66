package sqltext

import (
	"fmt"
	"strings"
)

// Kind is the kind of a token.
type Kind int

// The kinds of tokens.
const (
	EOF      Kind = iota
	Word          // an identifier or keyword without quotes
	Quoted        // an identifier in double quotes
	Number        // 1, 1.5, 1e3
	String        // '…' or $$…$$
	Variable      // $name or $1
	Operator      // everything else
)

// Token is one token of a text.
type Token struct {
	Kind Kind
	// Text is the value: upper case of a word, the characters of a string, the
	// operator.
	Text string
	// Start and End are where it is in the text, in bytes.
	Start, End int
}

// MaxText bounds the bytes of one text.
const MaxText = 64 << 20

// SyntaxError says where a text could not be read on.
type SyntaxError struct {
	Line, Position int // the line from 1, the position in it from 0
	Near           string
	What           string // more, or empty
}

func (e *SyntaxError) Error() string {
	near := e.Near
	if near == "" {
		near = "<EOF>"
	}
	text := fmt.Sprintf("syntax error line %d at position %d unexpected '%s'.", e.Line, e.Position, near)
	if e.What != "" {
		text += " (" + e.What + ")"
	}
	return text
}

// UnsupportedError names a statement, clause or type that is not supported here.
type UnsupportedError struct{ Feature string }

func (e *UnsupportedError) Error() string { return "unsupported: " + e.Feature }

func syntaxAt(text string, at int, near, what string) *SyntaxError {
	at = min(at, len(text))
	before := text[:at]
	return &SyntaxError{Line: 1 + strings.Count(before, "\n"), Position: at - (strings.LastIndexByte(before, '\n') + 1), Near: near, What: what}
}

// Tokenize cuts a text into tokens, the last of which is EOF. Comments are
// dropped.
func Tokenize(text string) ([]Token, error) {
	if len(text) > MaxText {
		return nil, syntaxAt(text, 0, "", fmt.Sprintf("the text has more than %d bytes", MaxText))
	}
	tokens := make([]Token, 0, len(text)/4+2)
	for at := 0; ; {
		at = skipBlank(text, at)
		if at >= len(text) {
			return append(tokens, Token{Kind: EOF, Start: len(text), End: len(text)}), nil
		}
		token, err := next(text, at)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
		at = token.End
	}
}

// skipBlank skips blanks and comments.
func skipBlank(text string, at int) int {
	for at < len(text) {
		rest := text[at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v\x00", rest[0]) >= 0:
			at++
		case strings.HasPrefix(rest, "\u00a0"):
			at += len("\u00a0")
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				return len(text)
			}
			at += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return len(text)
			}
			at += end + 4
		default:
			return at
		}
	}
	return at
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func next(text string, at int) (Token, error) {
	c := text[at]
	switch {
	case letter(c):
		end := wordEnd(text, at)
		return Token{Kind: Word, Text: strings.ToUpper(text[at:end]), Start: at, End: end}, nil
	case digit(c), c == '.' && at+1 < len(text) && digit(text[at+1]):
		end := numberEnd(text, at)
		return Token{Kind: Number, Text: text[at:end], Start: at, End: end}, nil
	case c == '\'':
		return quotedString(text, at)
	case c == '"':
		return quotedName(text, at)
	case strings.HasPrefix(text[at:], "$$"):
		end := strings.Index(text[at+2:], "$$")
		if end < 0 {
			return Token{}, syntaxAt(text, at, "$$", "a string without an end")
		}
		return Token{Kind: String, Text: text[at+2 : at+2+end], Start: at, End: at + end + 4}, nil
	case c == '$' && at+1 < len(text) && (letter(text[at+1]) || digit(text[at+1])):
		end := wordEnd(text, at+1)
		return Token{Kind: Variable, Text: strings.ToUpper(text[at+1 : end]), Start: at, End: end}, nil
	}
	for _, operator := range operators {
		if strings.HasPrefix(text[at:], operator) {
			return Token{Kind: Operator, Text: operator, Start: at, End: at + len(operator)}, nil
		}
	}
	return Token{}, syntaxAt(text, at, text[at:at+1], "")
}

// operators, the longest first.
var operators = []string{
	"->>", "::", "<=", ">=", "<>", "!=", "||", "=>", ":=", "->",
	"(", ")", ",", ";", ".", ":", "?", "=", "<", ">", "+", "-", "*", "/", "%", "[", "]", "{", "}", "@", "!", "^", "&", "|", "~",
}

// wordEnd also takes the $ of SYSTEM$WAIT.
func wordEnd(text string, at int) int {
	for at < len(text) && (letter(text[at]) || digit(text[at]) || text[at] == '$') {
		at++
	}
	return at
}

func numberEnd(text string, at int) int {
	for at < len(text) && digit(text[at]) {
		at++
	}
	if at < len(text) && text[at] == '.' {
		at++
		for at < len(text) && digit(text[at]) {
			at++
		}
	}
	if at < len(text) && (text[at] == 'e' || text[at] == 'E') {
		exponent := at + 1
		if exponent < len(text) && (text[exponent] == '+' || text[exponent] == '-') {
			exponent++
		}
		if exponent < len(text) && digit(text[exponent]) {
			at = exponent
			for at < len(text) && digit(text[at]) {
				at++
			}
		}
	}
	return at
}

func quotedName(text string, at int) (Token, error) {
	var b strings.Builder
	for i := at + 1; i < len(text); i++ {
		if text[i] != '"' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		if b.Len() == 0 {
			return Token{}, syntaxAt(text, at, `""`, "an empty name")
		}
		return Token{Kind: Quoted, Text: b.String(), Start: at, End: i + 1}, nil
	}
	return Token{}, syntaxAt(text, at, `"`, "a name without an end")
}

func quotedString(text string, at int) (Token, error) {
	var b strings.Builder
	for i := at + 1; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i = escape(&b, text, i+1)
		case c == '\'' && i+1 < len(text) && text[i+1] == '\'':
			b.WriteByte('\'')
			i += 2
		case c == '\'':
			return Token{Kind: String, Text: b.String(), Start: at, End: i + 1}, nil
		default:
			b.WriteByte(c)
			i++
		}
	}
	return Token{}, syntaxAt(text, at, "'", "a string without an end")
}

// escape writes what the escape at text[at], behind the backslash, stands for,
// and returns where it goes on.
func escape(b *strings.Builder, text string, at int) int {
	plain := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f'}
	c := text[at]
	if r, ok := plain[c]; ok {
		b.WriteByte(r)
		return at + 1
	}
	digits, base := 0, 16
	switch {
	case c == 'x':
		digits = 2
	case c == 'u':
		digits = 4
	case c >= '0' && c <= '7':
		digits, base, at = 3, 8, at-1
	default:
		b.WriteByte(c)
		return at + 1
	}
	value, end := 0, at+1
	for ; end < len(text) && end < at+1+digits; end++ {
		d := strings.IndexByte("0123456789abcdef", text[end]|0x20)
		if d < 0 || d >= base {
			break
		}
		value = value*base + d
	}
	if end == at+1 { // \x without digits is an x
		b.WriteByte(c)
		return at + 1
	}
	b.WriteRune(rune(value))
	return end
}
