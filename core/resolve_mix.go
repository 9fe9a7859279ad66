package core

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// totalKind is the name under which all kinds are reported together.
const totalKind = "TOTAL"

func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func (v *resolver) mix(load ScenarioLoad) []Operation {
	mix := v.template.Mix
	if len(mix) == 0 {
		v.found.add("mix", "is empty; a template needs at least one operation")
		return nil
	}
	if len(mix) > maxKinds {
		v.found.add("mix", "has %d operations; allowed: up to %d", len(mix), maxKinds)
		return nil
	}
	operations := make([]Operation, len(mix))
	for i := range mix {
		field := indexed("mix", i)
		v.kind(field+".kind", mix, i)
		operations[i] = v.operation(field, &mix[i])
	}
	v.weights(operations)
	v.insertions(operations, load)
	return operations
}

func (v *resolver) kind(field string, mix []TemplateOp, i int) {
	kind := mix[i].Kind
	same := func(op TemplateOp) bool { return op.Kind == kind }
	switch {
	case kind == "":
		v.found.add(field, "is missing; write one of %s, or a name of your own", strings.Join(Kinds(), ", "))
	case kind == totalKind:
		v.found.add(field, "is %q, which is the name of the sum of all kinds; choose another", kind)
	case len(kind) > maxName || !kindName.MatchString(kind):
		v.found.add(field, "is %.120q; allowed: up to %d capital letters, digits and underscores, the first a letter%s", kind, maxName, didYouMean(kind, Kinds()))
	case slices.IndexFunc(mix, same) < i:
		v.found.add(field, "is %q a second time; it is the kind of mix[%d] already", kind, slices.IndexFunc(mix, same))
	}
}

// weights turns percent into basis points, which must sum to exactly 100 %.
func (v *resolver) weights(operations []Operation) {
	sum, valid := 0, true
	for i := range operations {
		weight := v.template.Mix[i].Weight
		points := math.Round(weight * 100)
		field := indexed("mix", i) + ".weight"
		switch {
		case !(weight > 0 && weight <= 100):
			v.found.add(field, "is %v; allowed: above 0 to 100 percent", weight)
			valid = false
		case points < 1 || math.Abs(weight*100-points) > 1e-6:
			v.found.add(field, "is %v; allowed: at most two decimals", weight)
			valid = false
		default:
			operations[i].Weight = int(points)
			sum += int(points)
		}
	}
	if valid && sum != MixTotal {
		var parts []string
		for i := range operations {
			parts = append(parts, percent(operations[i].Weight))
		}
		v.found.add("mix", "has weights that sum to %s (%s); they must sum to 100", percent(sum), strings.Join(parts, " + "))
	}
}

func percent(points int) string { return strconv.FormatFloat(float64(points)/100, 'f', -1, 64) }

// operation resolves one entry of the mix, all but its weight.
func (v *resolver) operation(field string, t *TemplateOp) Operation {
	op := Operation{Kind: t.Kind, Transaction: len(t.Statements) > 0}
	sql, parameters := DefaultStatement(t.Kind)
	builtIn := sql != ""
	if layout := v.template.Table.Layout; builtIn && layout != "" {
		sql, parameters, builtIn = "", nil, false
		if t.SQL == "" && len(t.Statements) == 0 {
			v.found.add(field, "has neither sql nor statements, and %s has no SQL of its own with the layout %.40s", t.Kind, layout)
			return op
		}
	}
	switch {
	case t.SQL != "" && op.Transaction:
		v.found.add(field, "has both sql and statements; keep one of them")
	case t.SQL == "" && !op.Transaction && !builtIn:
		v.found.add(field, "has neither sql nor statements, and %q is not built in%s", t.Kind, didYouMean(t.Kind, Kinds()))
	}
	own := t.SQL != "" || op.Transaction
	if own || len(t.Parameters) > 0 {
		parameters = t.Parameters
	}
	if t.SQL != "" {
		sql = t.SQL
	}
	v.span(field+".span", t, own || len(t.Parameters) > 0, parameters)
	op.Parameters = v.parameters(field, t, parameters)
	if op.Transaction {
		op.Statements = v.statements(field, t, op.Parameters)
	} else if sql != "" {
		op.Statements = []Statement{v.statement(field, sql, op.Parameters)}
	}
	op.Access = v.access(field+".access", t.Access, op.Statements)
	return op
}

// span applies the span of a template to the parameters of a RANGE_SCAN.
func (v *resolver) span(field string, t *TemplateOp, own bool, parameters []Parameter) {
	const most = 1_000_000
	switch {
	case t.Span == 0:
	case t.Kind != RangeScan || own:
		v.found.add(field, "is %d, but has an effect only on a RANGE_SCAN without sql and parameters of its own", t.Span)
	case t.Span < 1 || t.Span > most:
		v.found.add(field, "is %d; allowed: 1 to %d keys", t.Span, most)
	default:
		parameters[1].Add = t.Span - 1
	}
}

// statement resolves the only statement of an operation: its parameters are
// bound in order.
func (v *resolver) statement(field, sql string, parameters []Parameter) Statement {
	s, count, ok := v.sql(field+".sql", sql)
	if !ok {
		return s
	}
	if count != len(parameters) {
		v.mismatch(field, count, parameters)
		return s
	}
	for i := range parameters {
		s.Bind = append(s.Bind, i)
	}
	return s
}

func (v *resolver) mismatch(field string, placeholders int, parameters []Parameter) {
	what := "too few"
	if len(parameters) > placeholders {
		what = "too many"
	}
	var names []string
	for i, p := range parameters {
		names = append(names, parameterLabel(i, p))
	}
	list := ""
	if len(names) > 0 {
		list = " (" + strings.Join(names, ", ") + ")"
	}
	v.found.add(field+".parameters", "has %d entries%s, %s for the %d placeholders of its sql", len(parameters), list, what, placeholders)
}

// parameterLabel names a parameter in a message.
func parameterLabel(i int, p Parameter) string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprintf("number %d", i+1)
}

// sql checks one statement and counts its placeholders.
func (v *resolver) sql(field, sql string) (s Statement, placeholders int, ok bool) {
	s = Statement{SQL: strings.TrimSpace(sql)}
	if len(sql) > maxSQL {
		v.found.add(field, "has %d bytes; allowed: up to %d", len(sql), maxSQL)
		return s, 0, false
	}
	err := CheckStatement(sql)
	if err == nil {
		placeholders, err = CountPlaceholders(sql)
	}
	if err != nil {
		v.found.add(field, "is wrong: %s", reasonOf(err))
		return s, 0, false
	}
	for _, part := range tableParts(sql) {
		if _, known := v.template.Table.Part(part); !known {
			parts := v.template.Table.parts(func(Table) bool { return true })
			v.found.add(field, "names {table.%.40s}; the parts of the layout are: %s%s", part, listOrNone(parts), didYouMean(part, parts))
		}
	}
	s.Query = IsQuery(sql)
	return s, placeholders, true
}

// statements resolves the statements of a transaction, which bind the
// parameters of the operation by name.
func (v *resolver) statements(field string, t *TemplateOp, parameters []Parameter) []Statement {
	if len(t.Statements) > maxStatements {
		v.found.add(field+".statements", "has %d entries; allowed: up to %d", len(t.Statements), maxStatements)
		return nil
	}
	used := make([]bool, len(parameters))
	for i, p := range parameters {
		for _, other := range parameters[i+1:] {
			used[i] = used[i] || p.Name != "" && other.Of == p.Name
		}
	}
	var statements []Statement
	complete := true
	for i := range t.Statements {
		s, ok := v.bound(indexed(field+".statements", i), &t.Statements[i], parameters)
		for _, at := range s.Bind {
			used[at] = true
		}
		statements = append(statements, s)
		complete = complete && ok
	}
	if at := slices.Index(used, false); at >= 0 && complete {
		v.found.add(indexed(field+".parameters", at), "(%s) is not used by any statement; bind it, or leave it out", parameterLabel(at, parameters[at]))
	}
	return statements
}

// bound resolves one statement of a transaction.
func (v *resolver) bound(field string, t *TemplateStatement, parameters []Parameter) (Statement, bool) {
	s, count, ok := v.sql(field+".sql", t.SQL)
	switch {
	case !ok:
		return s, false
	case len(t.Bind) == 0 && count == len(parameters):
		for i := range parameters {
			s.Bind = append(s.Bind, i)
		}
		return s, true
	case len(t.Bind) != count:
		v.found.add(field+".bind", "names %d parameters; the sql has %d placeholders", len(t.Bind), count)
		return s, false
	}
	var names []string
	for _, p := range parameters {
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	for i, name := range t.Bind {
		at := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Name == name && name != "" })
		if at < 0 {
			v.found.add(indexed(field+".bind", i), "is %q; allowed are the parameters of the operation: %s%s", name, listOrNone(names), didYouMean(name, names))
			ok = false
			continue
		}
		s.Bind = append(s.Bind, at)
	}
	return s, ok
}

func listOrNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// access is READ or WRITE: as the template says, else a WRITE if any statement
// writes.
func (v *resolver) access(field, access string, statements []Statement) string {
	derived := AccessRead
	for _, s := range statements {
		if StatementAccess(s.SQL) == AccessWrite {
			derived = AccessWrite
		}
	}
	return v.found.word(field, access, derived, []string{AccessRead, AccessWrite})
}

// insertions checks that what is deleted or read back is inserted somewhere, and
// that the inserts of a bounded number of operations find room in the range of
// keys that is reserved for the run.
func (v *resolver) insertions(operations []Operation, load ScenarioLoad) {
	weight, keys := 0, int64(insertKeys(operations))
	for _, op := range operations {
		if countType(op.Parameters, ParamInsertKey) > 0 {
			weight += op.Weight
		}
	}
	for i, op := range operations {
		if keys == 0 && countType(op.Parameters, ParamInsertedKey) > 0 {
			v.found.add(indexed("mix", i), "(%s) takes keys that were inserted before, but no operation of the mix inserts any; add an INSERT, or an operation with an insert_key", op.Kind)
		}
	}
	inserts := load.Operations / MixTotal * int64(weight)
	if keys > 0 && inserts > insertHalf/keys {
		v.found.add("load.operations", "is %d, with about %d inserts of up to %d keys; a run may insert %d keys", load.Operations, inserts, keys, insertHalf)
	}
}

func countType(parameters []Parameter, of ParameterType) int {
	count := 0
	for _, p := range parameters {
		if p.Type == of {
			count++
		}
	}
	return count
}
