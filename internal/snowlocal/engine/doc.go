// Package engine executes Snowflake's SQL over PostgreSQL 15. It is the database
// of the stand-in: sessions, transactions, roles, warehouses, history. It is not
// Snowflake, knows no HTTP, and is no general emulator: it executes what this
// project sends, and refuses the rest by name with Snowflake's own numbers.
//
// Laws:
//
//   - A statement is tokenised, parsed and written anew for PostgreSQL. Nothing is
//     replaced in its text, and what the parser does not know is an error.
//   - One session is one connection to PostgreSQL. A schema is the PostgreSQL
//     schema "DATABASE.SCHEMA", a role a PostgreSQL role: locks, constraints and
//     privileges are PostgreSQL's.
//   - In a transaction each statement runs under a savepoint, so that a failed
//     one leaves the transaction open.
//   - What the types of columns are is read from PostgreSQL's catalogue.
//   - What is not confirmed about Snowflake is in numbers.go, and only there.
package engine
