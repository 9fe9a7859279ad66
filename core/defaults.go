package core

// TableColumns are the columns of the benchmark table, in order: ID (64-bit
// integer, primary key), CUSTOMER_ID and BALANCE (64-bit integers), STATUS (up
// to 16 characters) and PAYLOAD (up to 200).
const TableColumns = "ID, CUSTOMER_ID, BALANCE, STATUS, PAYLOAD"

// DefaultSpan is how many keys one RANGE_SCAN covers.
const DefaultSpan = 100

// Kinds returns the kinds of operation that need no SQL in a template.
func Kinds() []string { return []string{PointLookup, RangeScan, Insert, Update, Delete} }

// DefaultStatement is the SQL of a built-in kind and its parameters, in the
// order of the placeholders; "" for any other kind. {table} stands for the
// benchmark table. The parameters belong to the caller.
func DefaultStatement(kind string) (sql string, parameters []Parameter) {
	switch kind {
	case PointLookup:
		return "SELECT " + TableColumns + " FROM {table} WHERE ID = ?",
			[]Parameter{{Name: "id", Type: ParamKey}}
	case RangeScan:
		return "SELECT " + TableColumns + " FROM {table} WHERE ID BETWEEN ? AND ?",
			[]Parameter{
				{Name: "from", Type: ParamKey},
				{Name: "to", Type: ParamOffset, Of: "from", Add: DefaultSpan - 1},
			}
	case Insert:
		return "INSERT INTO {table} (" + TableColumns + ") VALUES (?, ?, ?, ?, ?)",
			[]Parameter{
				{Name: "id", Type: ParamInsertKey},
				{Name: "customer_id", Type: ParamInt, Max: tableCustomers - 1},
				{Name: "balance", Type: ParamInt, Max: tableBalances - 1},
				{Name: "status", Type: ParamChoice, Values: tableStatuses()},
				{Name: "payload", Type: ParamString, Length: tablePayload},
			}
	case Update:
		return "UPDATE {table} SET BALANCE = ?, STATUS = ? WHERE ID = ?",
			[]Parameter{
				{Name: "balance", Type: ParamInt, Max: tableBalances - 1},
				{Name: "status", Type: ParamChoice, Values: tableStatuses()},
				{Name: "id", Type: ParamKey},
			}
	case Delete:
		return "DELETE FROM {table} WHERE ID = ?",
			[]Parameter{{Name: "id", Type: ParamInsertedKey}}
	default:
		return "", nil
	}
}

func tableStatuses() []any {
	return []any{tableStatus(0), tableStatus(1), tableStatus(2), tableStatus(3)}
}
