package core

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// CheckStatement reports whether text is one SQL statement that a template may
// hold: ErrInvalid, with line and column, for an empty one, for several, for
// one that begins or ends a transaction (a named transaction does that itself),
// for a {table} inside quotes, and for what CountPlaceholders refuses.
func CheckStatement(sql string) error {
	if !utf8.ValidString(sql) {
		return invalidSQL(sql, 0, "the text is not valid UTF-8")
	}
	first, ended := false, false
	for l := (sqlLexer{text: sql}); ; {
		token, err := l.next()
		if err != nil {
			return err
		}
		text := sql[token.start:token.end]
		switch {
		case token.kind == sqlEnd && !first:
			return invalidSQL(sql, 0, "there is no statement")
		case token.kind == sqlEnd:
			return nil
		case token.kind == sqlSpace:
			continue
		case ended && token.kind != sqlSemicolon:
			return invalidSQL(sql, token.start, "a second statement begins here; one is allowed")
		case token.kind == sqlQuoted && (strings.Contains(text, tableOpening+tableClosing) || strings.Contains(text, tableOpening+".")):
			return invalidSQL(sql, token.start, "{table} inside quotes is not replaced; write it without them")
		case token.kind == sqlWord && !first && controlsTransaction(text):
			return invalidSQL(sql, token.start, strings.ToUpper(text)+" is not allowed; for a transaction, list its statements under statements")
		}
		if token.kind == sqlSemicolon {
			ended = true
			continue
		}
		first = true
	}
}

func controlsTransaction(word string) bool {
	return slices.Contains([]string{"BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT"}, strings.ToUpper(word))
}

// FirstKeyword is the first word of a statement in upper case, behind comments
// and opening parentheses; "" when there is none.
func FirstKeyword(sql string) string {
	word := ""
	eachWord(sql, func(w sqlVerb) bool {
		word = w.text
		return false
	})
	return word
}

// IsQuery reports whether a statement returns rows: SELECT, VALUES, SHOW and the
// like, also behind WITH, and an INSERT, UPDATE, DELETE or MERGE with RETURNING.
func IsQuery(sql string) bool { return classify(sql).rows }

// StatementAccess is READ or WRITE: what a statement does to the target as far
// as its words tell. What is not known to be a reading statement is a WRITE.
func StatementAccess(sql string) string {
	if classify(sql).writes {
		return AccessWrite
	}
	return AccessRead
}

// sqlClass is what the words of a statement tell of it.
type sqlClass struct {
	rows, writes bool
}

func classify(sql string) sqlClass {
	var class sqlClass
	main := "" // the word that says what the whole statement does
	eachWord(sql, func(w sqlVerb) bool {
		switch {
		case main == "" && (w.text != "WITH" && !w.nested && isVerb(w.text) || w.first && w.text != "WITH"):
			main = w.text
			class.rows, class.writes = isReading(main), class.writes || !isReading(main)
		case w.opens && isChange(w.text): // WITH changed AS (DELETE …)
			class.writes = true
		case w.nested || main == "":
		case w.text == "RETURNING" && isChange(main):
			class.rows = true
		case w.text == "INTO" && main == "SELECT":
			class = sqlClass{writes: true}
		}
		return true
	})
	if main == "" {
		class.writes = true
	}
	return class
}

// sqlVerb is one word of a statement.
type sqlVerb struct {
	text   string // upper case
	first  bool   // of the statement
	nested bool   // inside parentheses that do not enclose the whole beginning
	opens  bool   // first behind AS ( or MATERIALIZED (
}

// eachWord calls yield for each word outside quotes and comments until it says
// no, or the text ends or is invalid. Parentheses before the first word do not
// nest: (SELECT 1) is a SELECT. Words behind a dot are names, and left out.
func eachWord(sql string, yield func(sqlVerb) bool) {
	depth, enclosing, seen := 0, 0, false
	before, earlier := "", "" // the two tokens before, without white space
	for l := (sqlLexer{text: sql}); ; {
		token, err := l.next()
		if err != nil || token.kind == sqlEnd {
			return
		}
		if token.kind == sqlSpace {
			continue
		}
		text := sql[token.start:token.end]
		switch {
		case text == "(" && !seen:
			enclosing++
			depth++
		case text == "(":
			depth++
		case text == ")":
			depth--
			enclosing = min(enclosing, max(depth, 0))
		case token.kind == sqlWord && before != ".":
			word := sqlVerb{text: strings.ToUpper(text), first: !seen, nested: depth > enclosing}
			word.opens = before == "(" && (strings.EqualFold(earlier, "AS") || strings.EqualFold(earlier, "MATERIALIZED"))
			if !yield(word) {
				return
			}
		}
		seen = seen || token.kind == sqlWord
		before, earlier = text, before
	}
}

func isReading(word string) bool {
	return slices.Contains([]string{"SELECT", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "PRAGMA", "LIST", "LS"}, word)
}

func isChange(word string) bool {
	return slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"}, word)
}

// isVerb reports whether a word may begin the main part of a statement with WITH.
func isVerb(word string) bool {
	return isChange(word) || word == "SELECT" || word == "VALUES" || word == "TABLE"
}
