package runner

import "context"

// storeSteps stores the steps that are over and not stored yet, of a search or of the
// pursuit of a rate. Those that cannot be are tried again.
func (d *driver) storeSteps(ctx context.Context) {
	if d.dirty || !d.owns() {
		return
	}
	found := d.run.ControllerSteps()
	steps := append(found[min(d.searcher.stored, len(found)):], d.unstored...)
	if len(steps) == 0 {
		return
	}
	call, cancel := d.call(ctx)
	defer cancel()
	if err := d.ports.Results.AppendSteps(call, steps); err != nil {
		d.log.Warn("the steps could not be stored", "error", err)
		return
	}
	d.searcher.stored, d.unstored = len(found), nil
}
