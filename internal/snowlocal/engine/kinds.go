package engine

// ParameterKind is the kind of a parameter's values: BOOLEAN, NUMBER or STRING,
// also for those that are not known.
func ParameterKind(name string) string {
	if p, ok := parameters[name]; ok {
		return p.kind
	}
	return "STRING"
}
