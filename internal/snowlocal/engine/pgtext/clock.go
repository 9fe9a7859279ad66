package pgtext

// Not confirmed, and only here: SYSDATE and CURRENT_TIMESTAMP are taken when the
// statement starts, not when a row is written, and have milliseconds.
const (
	sysdate          = "date_trunc('milliseconds', statement_timestamp() AT TIME ZONE 'UTC')"
	currentTimestamp = "date_trunc('milliseconds', statement_timestamp())"
)
