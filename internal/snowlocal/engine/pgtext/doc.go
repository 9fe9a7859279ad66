// Package pgtext writes the trees of sqltext as PostgreSQL's SQL. It holds what
// differs between the two: names, types, functions, and clauses that PostgreSQL
// does not have. It executes nothing and reads no catalogue: what a name means
// PostgreSQL finds out itself, and says so.
//
// Names are quoted always. The table T of the schema S of the database D is
// "D.S"."T". Functions that PostgreSQL lacks are in the schema sf, which the
// engine makes. A function without an entry in the tables here is an *Error that
// names it.
package pgtext
