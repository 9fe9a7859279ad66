package core

import "fmt"

// TemplateCondition is what must hold of the template that is stored under a name
// for another to take its place. The zero value holds always. A store judges it and
// replaces the template as one, so that nothing comes between.
type TemplateCondition struct {
	// New: there is none of that name.
	New bool
	// Version, unless it is 0, is the one that is stored.
	Version int
	// Unused: it was not used, or is equal to what takes its place: the runs of a
	// template would not be what it says any more.
	Unused bool
}

// Check judges the template that is stored under a name; found is false when there
// is none. Errors: Conflict, NotFound, Refused.
func (c TemplateCondition) Check(name string, found bool, version int, used int64, equal bool) error {
	switch {
	case c.New && found:
		return fmt.Errorf("%w: there is a template %s already", ErrConflict, name)
	case c.Version != 0 && !found:
		return fmt.Errorf("%w: there is no template %s whose version %d could be replaced", ErrNotFound, name, c.Version)
	case c.Version != 0 && c.Version != version:
		return fmt.Errorf("%w: template %s has version %d by now, not %d", ErrConflict, name, version, c.Version)
	case c.Unused && found && used > 0 && !equal:
		return fmt.Errorf("%w: template %s was used by %d runs and is locked; copy it", ErrRefused, name, used)
	default:
		return nil
	}
}
