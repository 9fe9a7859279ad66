package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/benchfleet/benchfleet/core"
)

// maxSteps is how many steps of a run one call returns.
const maxSteps = 1000

type stepKey struct {
	kind   string
	number int
}

// AppendSteps stores steps; the first of a run, type and number stays.
func (s *Store) AppendSteps(ctx context.Context, steps []core.ControllerStep) error {
	return s.do(ctx, func(d *data) error {
		for _, step := range steps {
			if _, err := d.find(step.RunID); err != nil {
				return err
			}
		}
		for _, step := range steps {
			stored, key := d.runs[step.RunID].steps, stepKey{step.Type, step.Number}
			if _, found := stored[key]; found {
				continue
			}
			step.Start, step.End = plainTime(step.Start), plainTime(step.End)
			value, err := freeze(step)
			if err != nil {
				return err
			}
			stored[key] = value
		}
		return nil
	})
}

// Steps returns the steps of a run of one type after another, in order.
func (s *Store) Steps(ctx context.Context, runID string) (list []core.ControllerStep, err error) {
	err = s.do(ctx, func(d *data) error {
		r := d.runs[runID]
		if r == nil {
			return nil
		}
		for _, value := range r.steps {
			step, err := value.thaw()
			if err != nil {
				return err
			}
			list = append(list, step)
		}
		slices.SortFunc(list, func(a, b core.ControllerStep) int {
			return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Number, b.Number))
		})
		list = slices.Clone(list[:min(maxSteps, len(list))])
		return nil
	})
	return list, err
}
