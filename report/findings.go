package report

import (
	"fmt"
	"io"

	"github.com/benchfleet/benchfleet/core"
)

// FindingsDocument is what FindingsJSON writes.
type FindingsDocument struct {
	Refused  bool           `json:"refused"` // a run would be refused
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Findings []core.Finding `json:"findings"` // in the order of the checks
}

// FindingsJSON writes findings as a FindingsDocument.
func FindingsJSON(w io.Writer, findings []core.Finding) error {
	d := FindingsDocument{Refused: core.Refusal(findings) != "", Findings: append([]core.Finding{}, findings...)}
	for _, f := range findings {
		switch f.Severity {
		case core.SeverityOK:
		case core.SeverityWarning:
			d.Warnings++
		default:
			d.Errors++
		}
	}
	return writeJSON(w, d)
}

// FindingsText writes findings for people: errors first, then warnings, each
// with how to mend it, then what is in order.
func FindingsText(w io.Writer, findings []core.Finding, options ...Option) error {
	p := newPage(w, options)
	errors, warnings, fine := bySeverity(findings)
	p.findingGroup(errors)
	p.findingGroup(warnings)
	p.findingGroup(fine)
	switch {
	case len(errors) > 0:
		p.line("%s", p.paint(bad, fmt.Sprintf("refused: %s, %s, %d in order", plural(len(errors), "error"), plural(len(warnings), "warning"), len(fine))))
	case len(findings) == 0:
		p.line("no check was made")
	default:
		p.line("%s", p.paint(good, fmt.Sprintf("passed: %s, %d in order", plural(len(warnings), "warning"), len(fine))))
	}
	return p.err
}

// bySeverity keeps the order within each group. An unknown severity is an
// error, as it is to the preflight gate.
func bySeverity(findings []core.Finding) (errors, warnings, fine []core.Finding) {
	for _, f := range findings {
		switch f.Severity {
		case core.SeverityOK:
			fine = append(fine, f)
		case core.SeverityWarning:
			warnings = append(warnings, f)
		default:
			errors = append(errors, f)
		}
	}
	return errors, warnings, fine
}

func (p *page) findingGroup(findings []core.Finding) {
	for _, f := range findings {
		tone := bad
		switch f.Severity {
		case core.SeverityOK:
			tone = good
		case core.SeverityWarning:
			tone = doubtful
		}
		mark := fmt.Sprintf("%-7s  ", Clean(string(f.Severity)))
		p.prose(p.paint(tone, mark), Clean(f.ID)+": "+Clean(f.Message))
		if f.Mend != "" {
			p.prose("         to mend it: ", Clean(f.Mend))
		}
	}
}

// findings writes, below a result, those that are not in order.
func (p *page) findings(findings []core.Finding) {
	errors, warnings, _ := bySeverity(findings)
	if len(errors)+len(warnings) > 0 {
		p.print("\n")
		p.findingGroup(errors)
		p.findingGroup(warnings)
	}
}
