package core

import "slices"

// Outstanding returns every effect that is still owed, from the state alone. A
// shell that has crashed loads the run and executes what is outstanding.
func (r Run) Outstanding() []Command {
	switch {
	case r.Status.Terminal():
		return nil
	case r.Status == Prepared:
		if r.StartedAt.IsZero() && r.CheckAt.IsZero() {
			return nil
		}
		return []Command{RunPreflight{}}
	case r.Step == counting:
		return []Command{CountSessions{}}
	case r.Step == storing:
		return []Command{StoreRollup{}}
	case r.Step == releasing:
		return []Command{ReleaseResources{}}
	}
	var owed []Command
	if r.Rung >= Cancel {
		owed = append(owed, CancelSessions{})
	}
	for i := range r.Workers {
		if cmd := r.owedTo(i); cmd != nil {
			owed = append(owed, cmd)
		}
	}
	return owed
}

// owedTo is the one effect that is owed to a worker, or nil.
func (r Run) owedTo(i int) Command {
	w := &r.Workers[i]
	switch {
	case !w.Life.Alive():
		return nil
	case w.Life == Launching && (r.Status == Starting || r.Status == Running && !w.Silent):
		return LaunchWorker{Worker: i, Epoch: w.Epoch}
	case w.Life == Launching:
		return LocateWorker{Worker: i, Epoch: w.Epoch}
	case w.Silent || r.Rung >= Kill:
		return KillWorker{Worker: i, Epoch: w.Epoch}
	case r.Rung >= Terminate, r.Rung >= Drain && w.Pending: // it has nothing to drain
		return TerminateWorker{Worker: i, Epoch: w.Epoch}
	default:
		return nil
	}
}

// newlyOwed is what is in after and was not in before. Both name the same commands in
// the same order, so each is looked for behind the one before it first: with a
// thousand workers everything else would be a million comparisons for each fact.
func newlyOwed(before, after []Command) []Command {
	var cmds []Command
	next := 0
	for _, c := range after {
		if at := slices.Index(before[next:], c); at >= 0 {
			next += at + 1
		} else if !slices.Contains(before[:next], c) {
			cmds = append(cmds, c)
		}
	}
	return cmds
}
