package core

import (
	"fmt"
	"slices"
)

// Generator makes the operations of every connection of a run. It does not
// change and may be shared. Make it with NewGenerator.
type Generator struct {
	mix         Mix
	operations  []generatedOperation
	seed        uint64
	connections int64
	insertBase  int64
	insertKeys  int64 // keys that one operation inserts at most
}

// generatedOperation is one entry of the mix, ready to be made.
type generatedOperation struct {
	first      int     // number of its first statement, counted through all operations
	binds      [][]int // by statement
	parameters []generatedParameter
	inserts    int
	hash       uint64 // of its statements' numbers
}

// Exhausted is what Stream.Next returns when nothing may be inserted any more.
const Exhausted = -1

// insertHalf is how many keys the measurement may insert, and how many the
// warm-up. They share the range that is reserved for the run: the measurement
// takes offsets from 0 on, the warm-up from InsertRange/2 on. The last offset of
// each half stays free, so that InsertBase-1 is never a row of the run before.
const insertHalf = InsertRange/2 - 1

// NewGenerator makes the generator of a scenario, with the values of its Pools in
// the same order. A scenario that Resolve has made, with pools that preflight has
// passed, never fails; one that was changed since does, with ErrInvalid.
func NewGenerator(s Scenario, pools ...ValuePool) (*Generator, error) {
	g := &Generator{
		seed:        uint64(s.Load.Seed),
		connections: int64(s.Load.Connections),
		insertBase:  s.InsertBase,
		insertKeys:  int64(insertKeys(s.Operations)),
	}
	if g.connections < 1 {
		return nil, fmt.Errorf("%w: scenario: connections is %d, at least 1 required", ErrInvalid, g.connections)
	}
	specs := s.Pools()
	if len(pools) != len(specs) {
		return nil, fmt.Errorf("%w: scenario: %d value pools were given, %d are needed", ErrInvalid, len(pools), len(specs))
	}
	var weights []int
	first := 0
	for i := range s.Operations {
		op, err := newGeneratedOperation(&s.Operations[i], s.Table, first)
		if err != nil {
			return nil, fmt.Errorf("scenario: %s: %w", s.Operations[i].Kind, err)
		}
		for j := range op.parameters {
			if op.parameters[j].make != makePool {
				continue
			}
			at := slices.Index(specs, s.Operations[i].Parameters[j].spec())
			if err := op.parameters[j].draw(pools[at], g.connections); err != nil {
				return nil, fmt.Errorf("scenario: %s: %w", s.Operations[i].Kind, err)
			}
		}
		g.operations = append(g.operations, op)
		weights = append(weights, s.Operations[i].Weight)
		first += len(s.Operations[i].Statements)
	}
	var err error
	if g.mix, err = NewMix(weights); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return g, nil
}

func newGeneratedOperation(op *Operation, table TemplateTable, first int) (generatedOperation, error) {
	o := generatedOperation{first: first, hash: operationSeed}
	for i := range op.Parameters {
		p, err := newGeneratedParameter(op.Parameters, i, table, o.parameters)
		if err != nil {
			return o, fmt.Errorf("parameters[%d]: %w", i, err)
		}
		if p.make == makeInsertKey {
			p.number = int64(o.inserts)
			o.inserts++
		}
		o.parameters = append(o.parameters, p)
	}
	for i, s := range op.Statements {
		for _, at := range s.Bind {
			if at < 0 || at >= len(o.parameters) {
				return o, fmt.Errorf("%w: statements[%d] binds parameter %d of %d", ErrInvalid, i, at, len(o.parameters))
			}
		}
		o.binds = append(o.binds, s.Bind)
		o.hash = hashWord(o.hash, uint64(first+i))
	}
	return o, nil
}

// insertKeys is how many keys one operation inserts at most.
func insertKeys(operations []Operation) int {
	most := 0
	for _, op := range operations {
		most = max(most, countType(op.Parameters, ParamInsertKey))
	}
	return most
}

// FirstStatement is the number of an operation's first statement among all
// statements of the scenario: what Session.Exec knows it by.
func (g *Generator) FirstStatement(operation int) int { return g.operations[operation].first }

// Connection is the stream of one connection, from its beginning, which is the
// warm-up. global is its index among all connections of the run, from 0.
func (g *Generator) Connection(global int64) *Stream {
	s := &Stream{g: g, connection: global, made: make([]madeOperation, len(g.operations))}
	for i := range g.operations {
		o, m := &g.operations[i], &s.made[i]
		m.values = make([]any, len(o.parameters))
		m.words = make([]uint64, len(o.parameters))
		m.numbers = make([]int64, len(o.parameters))
		for _, bind := range o.binds {
			m.args = append(m.args, make([]any, len(bind)))
		}
	}
	s.begin(Mix64(g.seed+warmupSeed), InsertRange/2)
	return s
}

const (
	warmupSeed    = 0x7761726d7570 // "warmup": keeps its random numbers apart
	operationSeed = 0x6f7065726174696f
	stringSeed    = 0x737472696e67
)

// Stream is the sequence of operations of one connection: what it does is a
// function of the seed, of the connection's global index and of how many
// operations it has made, and of nothing else, so the operations of a run are
// the same however its connections are spread over workers. It is for one
// goroutine.
//
// A connection starts in the warm-up; Measure switches to the measurement, which
// begins anew with other random numbers and other inserted keys.
type Stream struct {
	g          *Generator
	connection int64

	measured   bool
	seed       uint64
	insertFrom int64  // first offset of the half that this phase inserts into
	start      uint64 // position in the mix at which the phase starts
	n          int64  // operations made in the phase
	inserts    int64  // of them, those that insert
	inserted   int64  // offset of the newest key inserted before this operation, or -1
	current    int
	made       []madeOperation
	text       []byte // strings are made here
}

// madeOperation holds what was made for the newest operation of one kind. Its
// slices are used again.
type madeOperation struct {
	count   int64 // made in the phase
	values  []any
	words   []uint64 // canonical: what the hash is made of
	numbers []int64  // of the parameters that are whole numbers
	args    [][]any  // by statement
}

// begin starts a phase.
func (s *Stream) begin(seed uint64, insertFrom int64) {
	s.seed, s.insertFrom = seed, insertFrom
	s.start = s.g.mix.Start(seed, s.connection)
	s.n, s.inserts, s.inserted = 0, 0, -1
	s.current = Exhausted
	for i := range s.made {
		s.made[i].count = 0
	}
}

// Measure switches from the warm-up to the measurement: the next operation is
// the first of it. Calling it again changes nothing.
func (s *Stream) Measure() {
	if !s.measured {
		s.measured = true
		s.begin(s.g.seed, 0)
	}
}

// N is how many operations were made since the beginning of the phase.
func (s *Stream) N() int64 { return s.n }

// Next chooses the next operation and makes all its parameters. It returns the
// operation's index in the scenario, or Exhausted when the operation would
// insert a key beyond the keys reserved for the run: then this and all further
// calls make nothing, and the connection must end with an error. Each phase of a
// run may insert 2^32-1 keys, counted as if every inserting operation inserted
// as many as the greatest.
func (s *Stream) Next() int {
	operation, offset, room := s.choose()
	if !room {
		s.current = Exhausted
		return Exhausted
	}
	o, m := &s.g.operations[operation], &s.made[operation]
	r := NewRand(s.seed, uint64(s.connection), uint64(s.n))
	for i := range o.parameters {
		s.make(&o.parameters[i], m, i, &r, offset)
	}
	s.pass(operation, offset)
	s.current = operation
	return operation
}

// Skip passes the next operation over: nobody makes it, but what follows is as if
// it had been made. It returns which one that was, be it that no key is left for
// it; arguments and hash there are none.
func (s *Stream) Skip() int {
	operation, offset, _ := s.choose()
	s.pass(operation, offset)
	s.current = Exhausted
	return operation
}

// choose is the next operation, and the offset of the first key that it inserts,
// or -1; room is false when it would insert and no key is left.
func (s *Stream) choose() (operation int, offset int64, room bool) {
	g := s.g
	operation = g.mix.At(s.start + uint64(s.n))
	if g.operations[operation].inserts == 0 {
		return operation, -1, true
	}
	offset = (s.inserts*g.connections + s.connection) * g.insertKeys
	if offset > insertHalf-g.insertKeys {
		return operation, -1, false
	}
	return operation, offset + s.insertFrom, true
}

// pass moves on behind an operation.
func (s *Stream) pass(operation int, offset int64) {
	if inserts := s.g.operations[operation].inserts; offset >= 0 {
		s.inserts++
		s.inserted = offset + int64(inserts) - 1
	}
	s.made[operation].count++
	s.n++
}

// Args are the arguments of one statement of the current operation, counted from
// 0 within the operation: int64, float64, string, bool, time.Time or nil. They
// are valid until the next call of Next, and must not be changed. There are none
// before the first operation and when the stream is exhausted.
func (s *Stream) Args(statement int) []any {
	if s.current == Exhausted {
		return nil
	}
	m := &s.made[s.current]
	args := m.args[statement]
	for i, at := range s.g.operations[s.current].binds[statement] {
		args[i] = m.values[at]
	}
	return args
}

// Hash identifies the current operation by its statements' numbers and its
// canonical parameters: an inserted key counts as its offset in the run's range,
// and SQL text does not count, so the hash is the same for every run of the same
// scenario on every target. 0 when there is no operation.
func (s *Stream) Hash() uint64 {
	if s.current == Exhausted {
		return 0
	}
	h := s.g.operations[s.current].hash
	for _, word := range s.made[s.current].words {
		h = hashWord(h, word)
	}
	return Mix64(h)
}
