package engine

import "fmt"

// Error is an error as Snowflake numbers and words it.
type Error struct {
	Number   int
	SQLState string
	Message  string
}

func (e *Error) Error() string { return fmt.Sprintf("%06d (%s): %s", e.Number, e.SQLState, e.Message) }

func failure(number int, state, format string, args ...any) *Error {
	return &Error{Number: number, SQLState: state, Message: fmt.Sprintf(format, args...)}
}

// unsupported is the refusal of something that the engine does not do.
func unsupported(format string, args ...any) *Error {
	return failure(2, "0A000", "Unsupported feature '%s'.", fmt.Sprintf(format, args...))
}
