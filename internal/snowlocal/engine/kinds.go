package engine

// ParameterKind is the kind of a parameter's values: BOOLEAN, NUMBER or STRING,
// also for those that are not known.
func ParameterKind(name string) string {
	if p, ok := parameters[name]; ok {
		return p.kind
	}
	return "STRING"
}

// InTransaction reports whether a transaction is open that a statement or AUTOCOMMIT
// off has begun.
func (s *Session) InTransaction() bool { return s.inTransaction.Load() }
