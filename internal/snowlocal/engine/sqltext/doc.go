// Package sqltext reads Snowflake's SQL: a tokenizer and a recursive-descent
// parser that gives trees. It knows the statements and expressions that the
// engine executes, and nothing of PostgreSQL. What it does not know is a
// *SyntaxError or an *UnsupportedError that names it; it never guesses.
//
//	statements, err := sqltext.Parse("select v:a.b::string from t where id = ?")
package sqltext
