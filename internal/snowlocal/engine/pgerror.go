package engine

import (
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// asError makes an *Error of any error; nil stays nil.
func asError(err error) error {
	var own *Error
	var written *pgtext.Error
	var syntax *sqltext.SyntaxError
	var unknown *sqltext.UnsupportedError
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &written):
		return &Error{Number: written.Number, SQLState: written.SQLState, Message: written.Message}
	case errors.As(err, &syntax):
		return failure(1003, "42000", "SQL compilation error:\n%s", syntax)
	case errors.As(err, &unknown):
		return unsupported("%s", unknown.Feature)
	case errors.As(err, &pg):
		return fromPostgres(pg)
	}
	return failure(603, "XX000", "SQL execution internal error:\nProcessing aborted by error 300002: %s", oneLine(err.Error()))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// inQuotes finds the names and values that PostgreSQL's messages quote.
var inQuotes = regexp.MustCompile(`"((?:[^"]|"")*)"`)

func quoted(message string, n int) string {
	found := inQuotes.FindAllStringSubmatch(message, -1)
	if n < len(found) {
		return found[n][1]
	}
	return ""
}

// column is the column that a message names, with or without quotes.
var undefinedColumn = regexp.MustCompile(`column (?:reference )?(.+?) (?:of relation .+ )?(?:does not exist|is ambiguous)`)

func fromPostgres(pg *pgconn.PgError) *Error {
	switch pg.Code {
	case "42P01":
		return missing("Object", quoted(pg.Message, 0))
	case "3F000":
		return missing("Schema", quoted(pg.Message, 0))
	case "42703", "42702":
		name := pg.Message
		if m := undefinedColumn.FindStringSubmatch(pg.Message); m != nil {
			name = strings.ReplaceAll(m[1], `"`, "")
		}
		if pg.Code == "42702" {
			return failure(2028, "42601", "SQL compilation error: error line 1 at position 0\nambiguous column name '%s'", name)
		}
		return failure(904, "42000", "SQL compilation error: error line 1 at position 0\ninvalid identifier '%s'", name)
	case "42883":
		return failure(1044, "42P13", "SQL compilation error: error line 1 at position 0\nInvalid argument types: %s", oneLine(pg.Message))
	case "42P07", "42P06", "42710":
		return failure(2002, "42710", "SQL compilation error:\nObject '%s' already exists.", quoted(pg.Message, 0))
	case "42701":
		return failure(1430, "42601", "SQL compilation error:\ncolumn '%s' already exists", quoted(pg.Message, 0))
	case "42804", "42846":
		return failure(2023, "22000", "SQL compilation error:\nExpression type does not match column data type: %s", oneLine(pg.Message))
	case "42803":
		return failure(979, "42601", "SQL compilation error:\n[%s] is not a valid group by expression", oneLine(pg.Message))
	case "42601":
		if strings.Contains(pg.Message, "INSERT has") || strings.Contains(pg.Message, "VALUES lists") {
			return failure(2020, "21S01", "SQL compilation error:\nInsert value list does not match column list: %s", oneLine(pg.Message))
		}
		return failure(1003, "42000", "SQL compilation error:\nsyntax error: %s", oneLine(pg.Message))
	case "42501":
		return failure(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on %s", strings.TrimPrefix(oneLine(pg.Message), "permission denied for "))
	}
	if e := ofData(pg); e != nil {
		return e
	}
	return ofRun(pg)
}

func missing(kind, name string) *Error {
	if kind == "Object" || kind == "Table" {
		return failure(2003, "02000", "SQL compilation error:\n%s '%s' does not exist or not authorized.", kind, name)
	}
	return failure(2003, "02000", "SQL compilation error:\n%s '%s' does not exist or not authorized.", kind, name)
}

// ofData maps errors of values and constraints.
func ofData(pg *pgconn.PgError) *Error {
	value := quoted(pg.Message, 0)
	switch pg.Code {
	case "23505":
		if strings.HasSuffix(pg.ConstraintName, primarySuffix) {
			return failure(200001, "22000", "A primary key already exists.")
		}
		return notUnique(pg.TableName, pg.ConstraintName)
	case "23503":
		return failure(200009, "22000", "Foreign key constraint \"%s\" was violated.", pg.ConstraintName)
	case "23502":
		return failure(100072, "22000", "NULL result in a non-nullable column")
	case "22001":
		return failure(100078, "22000", "String is too long and would be truncated: %s", oneLine(pg.Message))
	case "22003":
		return failure(100132, "22000", "Number out of representable range: %s", oneLine(pg.Message))
	case "22012":
		return failure(100051, "22012", "Division by zero")
	case "22007", "22008":
		return failure(100035, "22007", "Timestamp '%s' is not recognized", value)
	case "22P02":
		switch {
		case strings.Contains(pg.Message, "malformed record"):
			return unsupported("a text as TIMESTAMP_TZ without TO_TIMESTAMP_TZ")
		case strings.Contains(pg.Message, "json"):
			return failure(100069, "22P02", "Error parsing JSON: %s", oneLine(pg.Message+" "+pg.Detail))
		case strings.Contains(pg.Message, "boolean"):
			return failure(100037, "22018", "Boolean value '%s' is not recognized", value)
		}
		return failure(100038, "22018", "Numeric value '%s' is not recognized", value)
	case "22023", "22021", "2201B", "22P05", "22009":
		return failure(100132, "22000", "Invalid value: %s", oneLine(pg.Message))
	case "21000":
		if strings.Contains(pg.Message, "subquery") {
			return failure(90150, "22000", "Single-row subquery returns more than one row.")
		}
		return failure(100090, "42P18", "Duplicate row detected during DML action")
	}
	return nil
}

// ofRun maps errors of the execution as such.
func ofRun(pg *pgconn.PgError) *Error {
	switch pg.Code {
	case "55P03":
		return lockTimeout()
	case "40P01":
		return deadlock()
	case "57014":
		if strings.Contains(pg.Message, "statement timeout") {
			return failure(630, "57014", "Statement reached its statement or warehouse timeout and was canceled.")
		}
		return canceled()
	case "0A000":
		return unsupported("%s", oneLine(pg.Message))
	}
	return failure(603, "XX000", "SQL execution internal error:\nProcessing aborted by error 300002 (%s): %s", pg.Code, oneLine(pg.Message))
}

func canceled() *Error { return failure(604, "57014", "SQL execution canceled") }

// denied is the text of PostgreSQL's missing privileges.
var denied = regexp.MustCompile(`^permission denied for (table|view|schema) (.+)$`)

// deniedTable is the table, or the schema, that a privilege is missing on.
func deniedTable(err error) (name string, schema bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "42501" {
		return "", false
	}
	m := denied.FindStringSubmatch(pg.Message)
	if m == nil {
		return "", false
	}
	return strings.Trim(m[2], `"`), m[1] == "schema"
}
