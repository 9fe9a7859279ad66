package core

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Resolution is what a template does not say and a run needs: who launches it,
// and the defaults of the launcher and of the store. Zero durations mean the
// local defaults: 60 s to start, 50 ms between control reads, 5 s of owner
// lease, 15 s of worker lease.
type Resolution struct {
	TemplateID   string
	Launcher     string
	StartTimeout time.Duration
	// Grace is the platform's time from a gentle stop to its kill, which nobody can
	// make shorter: terminating and killing take that long. 0: it does not kill.
	Grace       time.Duration
	ControlPoll time.Duration
	OwnerLease  time.Duration
	WorkerLease time.Duration
	// MaxWorkers is how many workers the launcher starts for one run; 0: no limit.
	MaxWorkers int
}

// The bounds of a template.
const (
	maxWorkers     = 1000
	maxConnections = 100_000 // of all workers together
	maxKinds       = 64
	maxStatements  = 32 // of one transaction
	maxParameters  = 200
	maxSLOs        = 64
	maxTags        = 64
	maxName        = 100     // bytes of a name
	maxSQL         = 100_000 // bytes of one statement
	maxTime        = Duration(30 * 24 * time.Hour)
	maxOperations  = int64(1e15)
)

var (
	templateName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	endpointName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	tableIdentifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}$`)
	kindName        = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	parameterName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Validate reports everything that is wrong with a template: a *ValidationError,
// which carries ErrInvalid, or nil.
func (t Template) Validate() error {
	_, err := t.Resolve(Resolution{})
	return err
}

// Resolve fills in every default and returns the scenario for one run, which
// shares nothing with the template. The error is a *ValidationError that names
// every problem at once, each with its field, its value and what is allowed.
//
// InsertBase and what is only known from the target (host, database, user) are
// left to whoever creates the run.
func (t Template) Resolve(r Resolution) (Scenario, error) {
	v := resolver{template: &t, resolution: r}
	s := Scenario{
		Name:       t.Name,
		TemplateID: r.TemplateID,
		Launcher:   r.Launcher,
		Target:     ScenarioTarget{Kind: t.Target.Kind, Endpoint: t.Target.Endpoint, ResultCache: t.Target.ResultCache},
		Table:      v.table(),
		Tags:       maps.Clone(t.Tags),
	}
	v.names()
	s.Load = v.load()
	s.Operations = v.mix(s.Load)
	s.SLOs = v.slos(s.Operations)
	v.contradictions(s.SLOs, s.Load, s.Operations)
	v.searchObjectives(s.SLOs, s.Load)
	s.Limits = v.limits(s.Load)
	s.Budget = v.budget(&s)
	if len(v.found) > 0 {
		return Scenario{}, &ValidationError{Name: t.Name, Problems: v.inOrder()}
	}
	return s, nil
}

// resolver resolves one template and gathers its problems.
type resolver struct {
	template   *Template
	resolution Resolution
	found      problems
}

// inOrder returns the problems by the order of the template's fields.
func (v *resolver) inOrder() []Problem {
	order := []string{"name", "tags", "target", "table", "load", "mix", "slos", "limits", "budget"}
	place := func(p Problem) int {
		section := p.Field
		if end := strings.IndexAny(section, ".["); end >= 0 {
			section = section[:end]
		}
		return slices.Index(order, section)
	}
	slices.SortStableFunc(v.found, func(a, b Problem) int { return place(a) - place(b) })
	return v.found
}

func (v *resolver) names() {
	t := v.template
	switch {
	case t.Name == "":
		v.found.add("name", "is missing")
	case len(t.Name) > maxName || !templateName.MatchString(t.Name):
		v.found.add("name", "is %.120q; allowed: up to %d letters, digits, dots, dashes and underscores, the first a letter or digit", t.Name, maxName)
	}
	if len(t.Tags) > maxTags {
		v.found.add("tags", "has %d entries; allowed: up to %d", len(t.Tags), maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		if key == "" || len(key) > maxName || len(t.Tags[key]) > 10*maxName {
			v.found.add("tags", "has the entry %.120q; allowed: keys of 1 to %d bytes, values up to %d", key, maxName, 10*maxName)
		}
	}
	if t.Target.Kind == "" {
		v.found.add("target.kind", "is missing; write the kind of database, like sqlite")
	}
	if e := t.Target.Endpoint; e != "" && (len(e) > maxName || !endpointName.MatchString(e)) {
		// It may be an address with a password: it is not repeated.
		v.found.add("target.endpoint", "is not a name; allowed: up to %d letters, digits, dashes and underscores. "+
			"The address and its secret belong in BENCHFLEET_ENDPOINT_<NAME> or --endpoint NAME=FILE", maxName)
	}
}

func (v *resolver) table() TemplateTable {
	t := v.template.Table
	switch {
	case t.Name == "":
		v.found.add("table.name", "is missing")
	case len(t.Name) > 255 || !tableIdentifier.MatchString(t.Name):
		v.found.add("table.name", "is %.120q; allowed: letters, digits and underscores, not beginning with a digit, with up to two dots between schema and table", t.Name)
	}
	t.Type = v.found.word("table.type", t.Type, "STANDARD", []string{"STANDARD", "HYBRID", "INTERACTIVE"})
	if t.Layout != "" {
		v.found.word("table.layout", t.Layout, "", Layouts())
		if t.Type == "INTERACTIVE" {
			v.found.add("table.type", "is INTERACTIVE, which the layout %.40s has not; allowed with it: STANDARD, HYBRID", t.Layout)
		}
	}
	most := InsertRange
	if t.Layout == LayoutTPCB {
		most = tpcbMost // its keys are of 32 bits, as pgbench's
	}
	if t.Rows < 1 || t.Rows > most {
		v.found.add("table.rows", "is %d; allowed: 1 to %d", t.Rows, most)
	}
	return t
}

func (v *resolver) slos(operations []Operation) []SLO {
	var slos []SLO
	if len(v.template.SLOs) > maxSLOs {
		v.found.add("slos", "has %d entries; allowed: up to %d", len(v.template.SLOs), maxSLOs)
		return nil
	}
	var kinds []string
	for _, op := range operations {
		kinds = append(kinds, op.Kind)
	}
	for i, text := range v.template.SLOs {
		field := indexed("slos", i)
		slo, err := ParseSLO(text)
		switch {
		case err != nil:
			v.found.add(field, "is wrong: %s", reasonOf(err))
		case slo.Kind != "" && !slices.Contains(kinds, slo.Kind):
			v.found.add(field, "is about %q, which is not in the mix; allowed: %s%s", slo.Kind, strings.Join(kinds, ", "), didYouMean(slo.Kind, kinds))
		}
		slos = append(slos, slo)
	}
	return slos
}

// reasonOf is the text of an error without its leading code.
func reasonOf(err error) string {
	return strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ")
}
