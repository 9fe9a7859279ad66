// Package schema holds all DDL of benchfleet as text, embedded, one folder per
// dialect: store/ for the tables of a store, target/ for the benchmark table. It
// executes nothing: adapters do, and only when a command asks for it.
//
// The DDL text is the single source. Which tables and columns a store must have
// (Tables), and what brings an older store up to date (Upgrade), is read from
// it. So the files keep to one form: a CREATE TABLE with one column per line,
// constraints behind the columns, comments behind --, each statement ended by a
// semicolon at the end of a line. Parse refuses anything else.
//
// Every statement for a store can be run again at any time. A column that is not
// part of a key may be NULL or has a DEFAULT, so that it can be added to a table
// that holds rows.
//
// In Snowflake's folder names are placeholders, which Names fills, and there is
// more than tables, to be run by hand: changes/ for older stores, grants.sql, and
// services.sql, whose examples are all comments.
package schema
