package engine

// Not confirmed about Snowflake, and only here: the numbers and texts of errors
// that no source shows. The clock's are in pgtext/clock.go.

// lockTimeout is a row or table that stayed locked for too long, or at once
// where nothing is waited for.
func lockTimeout() *Error {
	return failure(625, "57014", "Statement was aborted because the lock it waited for was not released within the lock timeout.")
}

// deadlock is the statement that deadlock detection has chosen.
func deadlock() *Error {
	return failure(625, "57014", "Statement was aborted because of a deadlock: it waited for a lock of a transaction that waits for its own.")
}

// notUnique is a UNIQUE constraint of a hybrid table; the text is documented.
func notUnique(table, constraint string) *Error {
	return failure(200002, "22000", "Duplicate key value violates unique constraint \"SYS_INDEX_%s_UNIQUE_%s\"", table, constraint)
}

// noHybridTables is an account without hybrid tables.
func noHybridTables() *Error {
	return failure(391420, "0A000", "SQL compilation error:\nUnsupported feature 'HYBRID TABLE'. Hybrid tables are not available for this account.")
}

// primaryKeyNeeded is CREATE HYBRID TABLE without a primary key.
func primaryKeyNeeded() *Error {
	return failure(391421, "42601", "SQL compilation error:\nHybrid tables must have a PRIMARY KEY constraint.")
}

// suspended is a statement that needs a warehouse which does not resume by
// itself.
func suspended(warehouse string) *Error {
	return failure(606, "57P03", "No active warehouse selected in the current session. Warehouse '%s' is suspended and AUTO_RESUME is off. "+
		"Resume it with ALTER WAREHOUSE, or select another with the 'use warehouse' command.", warehouse)
}

// notInteractive is a statement that an interactive warehouse does not take.
func notInteractive(what string) *Error {
	return failure(2, "0A000", "Unsupported feature '%s on an interactive warehouse'.", what)
}

// notInteractiveTable is DML that an interactive table does not take.
func notInteractiveTable(what, table string) *Error {
	return failure(2, "0A000", "Unsupported feature '%s on table %s, which is an interactive table'.", what, table)
}

// lockNeedsTransaction is FOR UPDATE outside a transaction.
func lockNeedsTransaction() *Error {
	return failure(2, "0A000", "Unsupported feature 'SELECT ... FOR UPDATE outside of an explicit transaction'.")
}

// lockNeedsHybrid is FOR UPDATE of a standard table.
func lockNeedsHybrid(table string) *Error {
	return failure(2, "0A000", "Unsupported feature 'SELECT ... FOR UPDATE on table %s, which is not a hybrid table'.", table)
}
