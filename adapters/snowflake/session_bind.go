package snowflake

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// maxFloats bounds the parameters of a statement that may be float64.
const maxFloats = 64

// statement is one that a session can execute.
type statement struct {
	given      string // with its table, and ? for each parameter
	query      bool
	parameters int
	// texts are the same with ?::FLOAT for those parameters that came as float64,
	// by a bit for each: the driver would send such a number with the precision of
	// 32 bits, so it goes as text.
	texts map[uint64]string
	// values are those of the execution at hand.
	values []driver.NamedValue
}

func newStatement(text string, query bool, parameters int) *statement {
	st := &statement{given: text, query: query, parameters: parameters, texts: map[uint64]string{0: text}, values: make([]driver.NamedValue, parameters)}
	for i := range st.values {
		st.values[i].Ordinal = i + 1
	}
	return st
}

// bind takes over the arguments, and returns the text to execute.
func (st *statement) bind(args []any) (string, error) {
	if len(args) != st.parameters {
		return "", invalid("%d arguments for %d placeholders", len(args), st.parameters)
	}
	floats := uint64(0)
	for i, arg := range args {
		value := &st.values[i].Value
		switch v := arg.(type) {
		case nil, int64, string, bool:
			*value = v
		case float64:
			if i >= maxFloats {
				return "", invalid("argument %d is a float64; only the first %d may be", i+1, maxFloats)
			}
			floats |= 1 << i
			*value = floatText(v)
		case time.Time:
			*value = v.UTC() // goes as TIMESTAMP_NTZ; sessions are in UTC
		default:
			return "", invalid("argument %d is a %T; allowed: int64, float64, string, bool, time.Time, nil", i+1, arg)
		}
	}
	if text, known := st.texts[floats]; known {
		return text, nil
	}
	text, err := core.Rebind(st.given, func(n int) string {
		if n <= maxFloats && floats&(1<<(n-1)) != 0 {
			return "?::FLOAT"
		}
		return "?"
	})
	if err != nil {
		return "", fmt.Errorf("%w: snowflake: %w", core.ErrInvalid, err)
	}
	st.texts[floats] = text
	return text, nil
}

// floatText writes a number exactly, as a cast to FLOAT reads it.
func floatText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	default:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
}
