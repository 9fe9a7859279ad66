package core

// Row is one row of the benchmark table.
type Row struct {
	ID         int64
	CustomerID int64
	Balance    int64 // cents
	Status     string
	Payload    string
}

// What the columns of the benchmark table hold. Inserts and updates of the
// built-in operations draw from the same ranges.
const (
	tableCustomers = 100_000   // CUSTOMER_ID is in [0, tableCustomers)
	tableBalances  = 1_000_000 // BALANCE is in [0, tableBalances)
	tablePayload   = 100       // bytes of PAYLOAD
)

// printable is what PAYLOAD and string parameters are made of: 64 letters and
// digits, of which two come twice.
const printable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789Aa"

// tableStatus is the STATUS with that number.
func tableStatus(number uint64) string {
	switch number % 4 {
	case 0:
		return "NEW"
	case 1:
		return "ACTIVE"
	case 2:
		return "SUSPENDED"
	default:
		return "CLOSED"
	}
}

// TableRow is the row with that id as prepare loads it: a pure function of the
// id, the same on every platform and in every version.
func TableRow(id int64) Row {
	r := NewRand(tableSeed, uint64(id), 0)
	row := Row{
		ID:         id,
		CustomerID: int64(r.Uint64() % tableCustomers),
		Balance:    int64(r.Uint64() % tableBalances),
		Status:     tableStatus(r.Uint64()),
	}
	var payload [tablePayload]byte
	fillPrintable(payload[:], &r)
	row.Payload = string(payload[:])
	return row
}

const tableSeed = 0x7461626c65 // "table"

// fillPrintable fills b with random letters and digits, ten to each number
// drawn.
func fillPrintable(b []byte, r *Rand) {
	for i := 0; i < len(b); {
		word := r.Uint64()
		for end := min(i+10, len(b)); i < end; i++ {
			b[i] = printable[word&63]
			word >>= 6
		}
	}
}
