package templatefile

import (
	"errors"

	"github.com/benchfleet/benchfleet/core"
)

// judge asks core what of the template can never work, and leaves out what may
// only follow from something that was refused before.
func (d *decoder) judge(t core.Template) {
	err := t.Validate()
	if err == nil {
		return
	}
	var invalid *core.ValidationError
	if !errors.As(err, &invalid) {
		d.found.add(d.placeOf(""), "", err.Error())
		return
	}
	for _, p := range invalid.Problems {
		if !d.suspect(p.Field) {
			d.found.add(d.placeOf(p.Field), p.Field, p.String())
		}
	}
}
