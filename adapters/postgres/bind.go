package postgres

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/benchfleet/benchfleet/core"
)

// statement is one that a session can execute.
type statement struct {
	// parsed names it on the server; without a name it is parsed anew for each
	// execution.
	parsed *pgconn.StatementDescription
	values [][]byte // one for each parameter, of the execution at hand
	forms  []int16  // their formats
	shown  []int16  // formats of the result's columns

	message pgproto3.Bind // of the three above
}

func newStatement(parsed *pgconn.StatementDescription) statement {
	st := statement{
		parsed: parsed, values: make([][]byte, len(parsed.ParamOIDs)), forms: make([]int16, len(parsed.ParamOIDs)),
		shown: make([]int16, len(parsed.Fields)),
	}
	for i, column := range parsed.Fields {
		if binaryResult(column.DataTypeOID) {
			st.shown[i] = pgtype.BinaryFormatCode
		}
	}
	st.message = pgproto3.Bind{PreparedStatement: parsed.Name, ParameterFormatCodes: st.forms, Parameters: st.values, ResultFormatCodes: st.shown}
	return st
}

// binaryResult reports whether a column is read in the server's own form, which
// costs it less than text. Where both are the same text is asked for.
func binaryResult(oid uint32) bool {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.BoolOID,
		pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.DateOID, pgtype.ByteaOID, pgtype.UUIDOID:
		return true
	}
	return false
}

// bind takes over the arguments. Where the type of a parameter takes an argument
// as it is, it is sent in the server's own form; otherwise as text, and the server
// says so when it cannot read that as its type. buffer holds the values; what is
// returned replaces it.
func (st *statement) bind(args []any, buffer []byte) ([]byte, error) {
	if len(args) != len(st.values) {
		return buffer, fmt.Errorf("%w: postgres: %d arguments for %d placeholders", core.ErrInvalid, len(args), len(st.values))
	}
	for i, arg := range args {
		from := len(buffer)
		st.forms[i] = pgtype.BinaryFormatCode
		if arg == nil {
			st.values[i] = nil
			continue
		}
		grown, ok := appendBinary(buffer, st.parsed.ParamOIDs[i], arg)
		if !ok {
			st.forms[i] = pgtype.TextFormatCode
			if grown, ok = appendText(buffer, arg); !ok {
				return buffer, fmt.Errorf("%w: postgres: argument %d is a %T; allowed: int64, float64, string, bool, time.Time, nil", core.ErrInvalid, i+1, arg)
			}
		}
		buffer = grown
		st.values[i] = buffer[from:len(buffer):len(buffer)]
	}
	return buffer, nil
}

// appendBinary appends an argument in the server's own form of a type. It is
// false where the argument does not fit it exactly.
func appendBinary(buffer []byte, oid uint32, arg any) ([]byte, bool) {
	order := binary.BigEndian
	switch v := arg.(type) {
	case int64:
		switch {
		case oid == pgtype.Int8OID:
			return order.AppendUint64(buffer, uint64(v)), true
		case oid == pgtype.Int4OID && v == int64(int32(v)):
			return order.AppendUint32(buffer, uint32(v)), true
		case oid == pgtype.Int2OID && v == int64(int16(v)):
			return order.AppendUint16(buffer, uint16(v)), true
		}
	case float64:
		if oid == pgtype.Float8OID {
			return order.AppendUint64(buffer, math.Float64bits(v)), true
		}
	case bool:
		if oid == pgtype.BoolOID {
			if v {
				return append(buffer, 1), true
			}
			return append(buffer, 0), true
		}
	case time.Time:
		if oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID {
			if micros := v.UnixMicro() - epoch; v.Year() >= 1 && v.Year() < 10_000 {
				return order.AppendUint64(buffer, uint64(micros)), true
			}
		}
	}
	return buffer, false
}

// epoch is where the server's timestamps begin, 2000-01-01, in microseconds.
const epoch = 946_684_800_000_000

// appendText appends an argument as text that the server reads. Times are UTC.
func appendText(buffer []byte, arg any) ([]byte, bool) {
	switch v := arg.(type) {
	case int64:
		return strconv.AppendInt(buffer, v, 10), true
	case float64:
		return strconv.AppendFloat(buffer, v, 'g', -1, 64), true
	case string:
		return append(buffer, v...), true
	case bool:
		return strconv.AppendBool(buffer, v), true
	case time.Time:
		return v.UTC().AppendFormat(buffer, "2006-01-02 15:04:05.999999Z07:00"), true
	default:
		return buffer, false
	}
}
