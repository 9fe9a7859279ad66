package core

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of value pools.
const (
	// DefaultPoolSize is how many values a pool has at most when a template says
	// nothing.
	DefaultPoolSize = 10_000
	// MaxPoolSize is how many a template may ask for.
	MaxPoolSize   = 100_000
	maxPoolText   = 1000 // bytes of a value
	poolChunk     = 1000 // values of one chunk
	poolSeparator = "\n"
)

var columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// PoolSpec says of which column of which table of the layout a pool's values are,
// and how many it has at most.
type PoolSpec struct {
	Table  string `json:"table,omitempty"` // the part; "" is {table}
	Column string `json:"column"`
	Size   int    `json:"size"`
}

// String names the column in messages.
func (p PoolSpec) String() string {
	if p.Table == "" {
		return p.Column
	}
	return p.Table + "." + p.Column
}

// Statement is the query for a pool's values, the same on every target: distinct
// ones, in order, and where there are more than Size as many at even distances.
func (p PoolSpec) Statement() Statement {
	table := tableOpening + tableClosing
	if p.Table != "" {
		table = tableOpening + "." + p.Table + tableClosing
	}
	return Statement{Query: true, SQL: fmt.Sprintf("SELECT V FROM (SELECT V, ROW_NUMBER() OVER (ORDER BY V) AS N, COUNT(*) OVER () AS C FROM "+
		"(SELECT DISTINCT %[1]s AS V FROM %[2]s WHERE %[1]s IS NOT NULL) AS D) AS P WHERE C <= %[3]d OR (N * %[3]d) %% C < %[3]d ORDER BY V",
		p.Column, table, p.Size)}
}

// factPool begins the names of facts.
const factPool = "values of pool "

// Fact is the name of an environment fact: the hash of the pool's values.
func (p PoolSpec) Fact() string { return fmt.Sprintf("%s%s, at most %d", factPool, p, p.Size) }

// spec is the pool that a parameter draws from.
func (p *Parameter) spec() PoolSpec {
	return PoolSpec{Table: p.Table, Column: p.Column, Size: p.Size}
}

// Pools are the pools that the scenario's parameters draw from, each once, in the
// order of the mix.
func (s Scenario) Pools() []PoolSpec {
	var specs []PoolSpec
	for _, op := range s.Operations {
		for i := range op.Parameters {
			spec := op.Parameters[i].spec()
			if op.Parameters[i].Type == ParamPool && !slices.Contains(specs, spec) {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

// ValuePool is the values that were sampled for a pool: distinct, all int64 or all
// string, in rising order. It does not change. Make it with NewValuePool.
type ValuePool struct{ values []any }

// NewValuePool sorts values, and takes each once. Errors: Invalid for a value that
// is neither a whole number nor a text of up to 1000 bytes, or of another type than
// the first; more than MaxPoolSize.
func NewValuePool(values []any) (ValuePool, error) {
	if len(values) > MaxPoolSize {
		return ValuePool{}, fmt.Errorf("%w: %d values; a pool takes up to %d", ErrInvalid, len(values), MaxPoolSize)
	}
	for _, value := range values {
		switch x := value.(type) {
		case int64:
		case string:
			if !utf8.ValidString(x) {
				return ValuePool{}, fmt.Errorf("%w: a value is not valid UTF-8 (%.40q); a pool takes whole numbers or texts", ErrInvalid, x)
			}
			if len(x) > maxPoolText {
				return ValuePool{}, fmt.Errorf("%w: a value has %d bytes; a pool takes texts of up to %d", ErrInvalid, len(x), maxPoolText)
			}
		default:
			return ValuePool{}, fmt.Errorf("%w: a value is of type %T; a pool takes whole numbers or texts", ErrInvalid, value)
		}
		if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", values[0]) {
			return ValuePool{}, fmt.Errorf("%w: some values are whole numbers and some are texts; a pool takes one kind", ErrInvalid)
		}
	}
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, compareValues)
	return ValuePool{slices.Compact(sorted)}, nil
}

func compareValues(a, b any) int {
	if x, whole := a.(int64); whole {
		return cmp.Compare(x, b.(int64))
	}
	return strings.Compare(a.(string), b.(string))
}

// Len is how many values there are.
func (p ValuePool) Len() int { return len(p.values) }

// Values are the values, which belong to the caller.
func (p ValuePool) Values() []any { return slices.Clone(p.values) }

// Chunks are the pool as it is stored: JSON arrays of up to 1000 values.
func (p ValuePool) Chunks() ([]string, error) {
	var chunks []string
	for part := range slices.Chunk(p.values, poolChunk) {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("%w: a value pool: %w", ErrInternal, err)
		}
		chunks = append(chunks, string(text))
	}
	return chunks, nil
}

// PoolID is the identity of a pool by its content, the SHA-256 of its chunks.
func PoolID(chunks []string) string {
	sum := sha256.Sum256([]byte(strings.Join(chunks, poolSeparator)))
	return hex.EncodeToString(sum[:])
}

// ParsePool reads a stored pool. Errors: Invalid when it is not the one with that
// id.
func ParsePool(id string, chunks []string) (ValuePool, error) {
	if got := PoolID(chunks); got != id {
		return ValuePool{}, fmt.Errorf("%w: value pool %.12s is stored incompletely or was changed: its content is %.12s", ErrInvalid, id, got)
	}
	var values []any
	for _, chunk := range chunks {
		var part []any
		decoder := json.NewDecoder(bytes.NewReader([]byte(chunk)))
		decoder.UseNumber()
		if err := decoder.Decode(&part); err != nil {
			return ValuePool{}, fmt.Errorf("%w: value pool %.12s: %w", ErrInvalid, id, err)
		}
		for _, value := range part {
			if number, is := value.(json.Number); is {
				whole, err := number.Int64()
				if err != nil {
					return ValuePool{}, fmt.Errorf("%w: value pool %.12s: %w", ErrInvalid, id, err)
				}
				value = whole
			}
			values = append(values, value)
		}
	}
	return NewValuePool(values)
}

// PoolFinding judges a pool that was sampled for the connections of a load: each needs
// at least one value of its own.
func PoolFinding(spec PoolSpec, table TemplateTable, pool ValuePool, load ScenarioLoad) Finding {
	connections := load.Connections
	f := Finding{ID: "target.pool", Severity: SeverityError}
	where := fmt.Sprintf("column %s of table %s", spec.Column, table.PartName(spec.Table))
	switch {
	case pool.Len() == 0:
		f.Message = fmt.Sprintf("the pool is empty: %s has no value that is not NULL", where)
		f.Mend = "fill the table, or name another column in the parameters of type pool"
	case pool.Len() < connections:
		f.Message = fmt.Sprintf("the pool of %s has %d values for %d connections, and each needs at least one of its own", where, pool.Len(), connections)
		f.Mend = load.fitting(pool.Len()) + ", raise size, or name a column with more values"
	default:
		f.Severity = SeverityOK
		f.Message = fmt.Sprintf("%d values of %s, %d to %d for each connection", pool.Len(), where, pool.Len()/connections, (pool.Len()+connections-1)/connections)
	}
	return f
}

// poolShare is how many values of a pool of n belong to a connection: those at its
// index and every connections-th after it.
func poolShare(n, connection, connections int64) int64 {
	if connection >= n {
		return 0
	}
	return (n-connection-1)/connections + 1
}
