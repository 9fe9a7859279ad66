package core

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// making is how a parameter is made.
type making int

const (
	makeKey making = iota
	makeRecentKey
	makeInsertKey
	makeInsertedKey
	makeInt
	makeFloat
	makeString
	makeBool
	makeTimestamp
	makeChoice
	makeOffset
	makePool
)

// generatedParameter is one parameter, ready to be made.
type generatedParameter struct {
	make making
	keys Keys
	// number is the number of an insert_key within its operation, the least
	// value of an int, what an offset adds, or microseconds of a timestamp.
	number   int64
	count    int64 // values of an int
	from     float64
	span     float64
	length   int
	values   []any
	words    []uint64 // canonical, of values
	of       int
	inOrder  bool // of a pool: one value after the other
	relative bool // it counts from InsertBase in the hash
}

// newGeneratedParameter makes the parameter at index i of an operation, of which
// those before it are made.
func newGeneratedParameter(list []Parameter, i int, table TemplateTable, earlier []generatedParameter) (generatedParameter, error) {
	p := &list[i]
	g := generatedParameter{}
	switch p.Type {
	case ParamKey:
		of, found := table.Part(p.Table)
		if !found {
			return g, fmt.Errorf("%w: table is %q, which the layout %q has not", ErrInvalid, p.Table, table.Layout)
		}
		var err error
		g.keys, err = NewKeys(p.Distribution, of.Rows, p.Theta)
		return g, err
	case ParamRecentKey:
		g.make = makeRecentKey
		var err error
		g.keys, err = NewKeys(Latest, table.Rows, p.Theta)
		return g, err
	case ParamInsertKey:
		g.make, g.relative = makeInsertKey, true
	case ParamInsertedKey:
		g.make, g.relative = makeInsertedKey, true
	case ParamInt:
		g.make = makeInt
		if !(p.Min <= p.Max && p.Min >= -exactInteger && p.Max <= exactInteger) {
			return g, fmt.Errorf("%w: min is %v and max %v", ErrInvalid, p.Min, p.Max)
		}
		g.number, g.count = int64(p.Min), int64(p.Max)-int64(p.Min)+1
	case ParamFloat:
		g.make = makeFloat
		if !(p.Min <= p.Max) || math.IsInf(p.Max-p.Min, 0) {
			return g, fmt.Errorf("%w: min is %v and max %v", ErrInvalid, p.Min, p.Max)
		}
		g.from, g.span = p.Min, p.Max-p.Min
	case ParamString:
		g.make, g.length = makeString, p.Length
		if p.Length < 1 || p.Length > maxString {
			return g, fmt.Errorf("%w: length is %d, 1 to %d allowed", ErrInvalid, p.Length, maxString)
		}
	case ParamBool:
		g.make = makeBool
	case ParamTimestamp:
		g.make, g.number = makeTimestamp, max(p.Within.Std().Microseconds(), 1)
	case ParamChoice, ParamLiteral:
		return newChoice(p)
	case ParamPool:
		g.make, g.inOrder = makePool, p.Distribution == Sequential
	case ParamOffset:
		of := slices.IndexFunc(list[:i], func(e Parameter) bool { return e.Name == p.Of && e.Name != "" })
		if of < 0 || !earlier[of].whole() {
			return g, fmt.Errorf("%w: of is %q, which is no whole number before it", ErrInvalid, p.Of)
		}
		g.make, g.of, g.number, g.relative = makeOffset, of, p.Add, earlier[of].relative
	default:
		return g, fmt.Errorf("%w: type is %q", ErrInvalid, p.Type)
	}
	return g, nil
}

// newChoice prepares the values of a choice, or the one value of a literal.
func newChoice(p *Parameter) (generatedParameter, error) {
	g := generatedParameter{make: makeChoice}
	values := p.Values
	if p.Type == ParamLiteral {
		values = []any{p.Value}
	}
	if len(values) == 0 {
		return g, fmt.Errorf("%w: values is empty", ErrInvalid)
	}
	for _, v := range values {
		value, problem := canonicalValue(v)
		if problem != "" {
			return g, fmt.Errorf("%w: a value %s", ErrInvalid, problem)
		}
		g.values = append(g.values, value)
		g.words = append(g.words, canonicalWord(value))
	}
	return g, nil
}

// draw gives a parameter the values of its pool.
func (p *generatedParameter) draw(pool ValuePool, connections int64) error {
	if int64(pool.Len()) < connections {
		return fmt.Errorf("%w: a value pool has %d values for %d connections", ErrInvalid, pool.Len(), connections)
	}
	p.values = pool.values
	for _, value := range pool.values {
		p.words = append(p.words, canonicalWord(value))
	}
	return nil
}

// canonicalWord is what a literal counts as in the hash. Values of different
// types differ.
func canonicalWord(value any) uint64 {
	switch x := value.(type) {
	case bool:
		if x {
			return Mix64(2)
		}
		return Mix64(1)
	case int64:
		return uint64(x)
	case float64:
		return Mix64(math.Float64bits(x))
	case string:
		return HashString(stringSeed, x)
	default:
		return Mix64(3) // nil
	}
}

// whole reports whether the parameter is a whole number, to which an offset can
// be added.
func (p *generatedParameter) whole() bool {
	switch p.make {
	case makeKey, makeRecentKey, makeInsertKey, makeInsertedKey, makeInt, makeOffset:
		return true
	default:
		return false
	}
}

// latestTimestamp is 2026-01-01 UTC in Unix microseconds: the end of the time in
// which timestamps lie.
const latestTimestamp = 1_767_225_600_000_000

// make makes the parameter at index i of an operation. offset is that of the
// operation's first inserted key, or -1.
func (s *Stream) make(p *generatedParameter, m *madeOperation, i int, r *Rand, offset int64) {
	var number int64
	switch p.make {
	case makeKey:
		number = p.keys.Key(r, s.connection, s.g.connections, m.count)
	case makeRecentKey:
		s.recent(p, m, i, r)
		return
	case makeInsertKey:
		number = s.g.insertBase + offset + p.number
	case makeInsertedKey:
		number = s.g.insertBase + s.inserted // none: a key that never exists
	case makeInt:
		number = p.number + r.Int64n(p.count)
	case makeOffset:
		number = m.numbers[p.of] + p.number
	case makePool: // one of the connection's own values
		own := poolShare(int64(len(p.values)), s.connection, s.g.connections)
		at := m.count % own
		if !p.inOrder {
			at = r.Int64n(own)
		}
		at = at*s.g.connections + s.connection
		m.values[i], m.words[i] = p.values[at], p.words[at]
		return
	case makeChoice:
		at := 0
		if len(p.values) > 1 {
			at = int(r.Int64n(int64(len(p.values))))
		}
		m.values[i], m.words[i] = p.values[at], p.words[at]
		return
	default:
		m.values[i], m.words[i] = s.other(p, r)
		return
	}
	m.numbers[i], m.values[i], m.words[i] = number, number, uint64(number)
	if p.relative {
		m.words[i] -= uint64(s.g.insertBase)
	}
}

// recent chooses among the newest rows that the connection knows of, as many as
// the table had at first: those that it inserted itself, and below them the
// table's last ones. So the newest row is the most frequent, also while rows are
// added, and no connection need know of another's.
func (s *Stream) recent(p *generatedParameter, m *madeOperation, i int, r *Rand) {
	rows := p.keys.rows
	rank := rows - 1 - p.keys.Key(r, 0, 1, 0)
	number := rows - 1 - (rank - s.inserts)
	word := uint64(number)
	if rank < s.inserts {
		offset := s.insertFrom + ((s.inserts-1-rank)*s.g.connections+s.connection)*s.g.insertKeys
		number, word = s.g.insertBase+offset, Mix64(uint64(offset)+recentSeed)
	}
	m.numbers[i], m.values[i], m.words[i] = number, number, word
}

// recentSeed keeps an inserted key apart from one of the table in the hash.
const recentSeed = 0x726563656e74

// other makes a value that is no whole number, and what it counts as in the hash.
func (s *Stream) other(p *generatedParameter, r *Rand) (value any, word uint64) {
	switch p.make {
	case makeFloat:
		x := mulAdd(r.Float64(), p.span, p.from)
		if p.span > 0 && x >= p.from+p.span {
			x = math.Nextafter(p.from+p.span, p.from) // rounding must not reach the end
		}
		return x, math.Float64bits(x)
	case makeBool:
		word = r.Uint64() & 1
		return word == 1, word
	case makeTimestamp:
		micro := latestTimestamp - 1 - r.Int64n(p.number)
		return time.UnixMicro(micro).UTC(), uint64(micro)
	default:
		if len(s.text) < p.length {
			s.text = make([]byte, p.length)
		}
		fillPrintable(s.text[:p.length], r)
		text := string(s.text[:p.length])
		return text, HashString(stringSeed, text)
	}
}
