package core

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The explorer visits every state that a run can reach, breadth first, by every
// order of every event, and checks the laws of Apply on every edge. Time is
// abstracted: a state is told apart by its distances to its deadlines, never by
// the time of day, so the space is finite. Workers are interchangeable, so
// states that differ only in the order of workers are one.

// applyFunc is Apply, or a mutant of it.
type applyFunc func(Run, Event) (Run, []Command, error)

func apply(r Run, ev Event) (Run, []Command, error) { return r.Apply(ev) }

// node is one visited state with what the path to it has shown.
type node struct {
	run    Run
	now    time.Time
	stops  int // STOP events published on the way
	parent int
	via    string
}

type exploration struct {
	apply  applyFunc
	nodes  []node
	seen   map[string]int
	live   map[string]bool
	edges  int
	failed string
}

// explore searches the whole space and returns the shortest counterexample as a
// script, or "".
func explore(plan Plan, apply applyFunc) (states, edges int, counterexample string) {
	x := exploration{apply: apply, seen: map[string]int{}, live: map[string]bool{}}
	x.add(node{run: NewRun("run", plan), now: exploreEpoch, parent: -1})
	for i := 0; i < len(x.nodes) && x.failed == ""; i++ {
		for _, move := range moves(x.nodes[i]) {
			if x.visit(i, move); x.failed != "" {
				break
			}
		}
	}
	return len(x.nodes), x.edges, x.failed
}

var exploreEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type move struct {
	name string
	now  time.Time
	ev   Event
}

// moves are all events that may come next, whether they make sense or not.
func moves(n node) []move {
	at := n.now
	list := []move{
		{"start requested", at, StartRequested{At: at}},
		{"check requested", at, CheckRequested{At: at}},
		{"user stops", at, StopRequested{At: at, Reason: UserRequested, By: "u"}},
		{"user kills", at, StopRequested{At: at, Reason: UserRequested, By: "u", Rung: Kill}},
		{"guardrail stops", at, StopRequested{At: at, Reason: Guardrail}},
		{"preflight passes", at, PreflightFinished{At: at, Findings: []Finding{{ID: "a", Severity: SeverityOK}}}},
		{"preflight refuses", at, PreflightFinished{At: at, Findings: []Finding{{ID: "a", Severity: SeverityError, Message: "no"}}}},
		{"sessions counted", at, SessionsCounted{At: at, Running: RunningCount{Known: true}}},
		{"rollup stored", at, RollupStored{At: at}},
		{"released", at, ResourcesReleased{At: at}},
		{"a beat of an old epoch", at, BeatSeen{At: at, Worker: 0, Epoch: 9, State: WorkerDead}},
	}
	if deadline, ok := n.run.NextDeadline(); ok {
		due := later(at, deadline)
		list = append(list, move{"clock", due, Ticked{At: due}})
		if n.run.Status == Running { // elsewhere a late tick does what a timely one does
			late := due.Add(time.Hour)
			list = append(list, move{"clock, an hour late", late, Ticked{At: late}})
		}
	}
	if n.run.Plan.BudgetTime > 0 {
		list = append(list, boundMoves(at, len(n.run.Workers))...)
	}
	if n.run.Plan.grows() {
		for _, connections := range []int{1, n.run.Plan.Connections} {
			list = append(list, move{fmt.Sprintf("load set to %d", connections), at, LoadSet{At: at, Connections: connections}})
		}
	}
	for w := range n.run.Workers {
		list = append(list, workerMoves(at, w, n.run.Plan.Operations > 0)...)
	}
	return list
}

func workerMoves(at time.Time, w int, quota bool) []move {
	id := WorkerID(w)
	list := []move{
		{id + " launched", at, WorkerLaunched{At: at, Worker: w, Epoch: 1, Handle: Handle{Launcher: "x"}}},
		{id + " pending", at, WorkerPending{At: at, Worker: w, Epoch: 1}},
		{id + " launch fails", at, LaunchFailed{At: at, Worker: w, Epoch: 1, Detail: "d"}},
		{id + " ready", at, BeatSeen{At: at, Worker: w, Epoch: 1, State: WorkerReadyNow}},
		{id + " final report", at, BeatSeen{At: at, Worker: w, Epoch: 1, State: WorkerCompleted}},
		{id + " silent", at, WorkerSilent{At: at, Worker: w, Epoch: 1}},
		{id + " exits", at, WorkerExited{At: at, Worker: w, Epoch: 1, Exit: Exit{Code: 1, Cause: "c"}}},
	}
	if quota {
		list = append(list, move{id + " quota done", at, BeatSeen{At: at, Worker: w, Epoch: 1, State: WorkerRunning, QuotaDone: true}})
	}
	return list
}

func (x *exploration) add(n node) int {
	x.nodes = append(x.nodes, n)
	i := len(x.nodes) - 1
	x.seen[n.key()] = i
	return i
}

func (x *exploration) visit(from int, m move) {
	prev := x.nodes[from]
	before := fingerprint(&prev.run)
	next, cmds, err := x.apply(prev.run, m.ev)
	x.edges++
	after := node{run: next, now: m.now, stops: prev.stops, parent: from, via: m.name}
	for _, e := range next.Emitted() {
		if e.Type == EventStop {
			after.stops++
		}
	}
	problem := checkEdge(prev, m, after, cmds, err)
	if fingerprint(&prev.run) != before {
		problem = "the receiver was modified"
	}
	if problem == "" && err == nil {
		if _, known := x.seen[after.key()]; !known {
			x.add(after)
			problem = x.checkLive(after)
		}
	}
	if problem != "" {
		x.failed = x.script(after, problem)
	}
}

// checkLive lets only the clock run: it must end every started run.
func (x *exploration) checkLive(n node) string {
	const most = 24
	var path []string
	run, now := n.run, n.now
	for range most {
		key := (node{run: run, now: now}).key()
		if run.Status.Terminal() || x.live[key] || run.Status == Prepared && run.StartedAt.IsZero() {
			for _, k := range path {
				x.live[k] = true
			}
			return ""
		}
		path = append(path, key)
		deadline, ok := run.NextDeadline()
		if !ok {
			return "a started run without a deadline"
		}
		now = later(now, deadline)
		run, _, _ = x.apply(run, Ticked{At: now})
	}
	return fmt.Sprintf("the clock alone did not end the run in %d ticks", most)
}

// script is the path to a state, one line an event.
func (x *exploration) script(last node, problem string) string {
	var lines []string
	for n := last; ; n = x.nodes[n.parent] {
		lines = append(lines, fmt.Sprintf("%-28s → %s %s", n.via, n.run.Status, n.run.Phase))
		if n.parent < 0 {
			break
		}
	}
	slices.Reverse(lines)
	return problem + "\n" + strings.Join(lines, "\n")
}

// checkEdge holds the laws that one step must keep. "" means that all hold.
func checkEdge(prev node, m move, next node, cmds []Command, err error) string {
	a, b := prev.run, next.run
	_, isStart := m.ev.(StartRequested)
	_, isCheck := m.ev.(CheckRequested)
	switch {
	case err != nil && !isStart && !isCheck:
		return "a fact or a stop was refused: " + err.Error()
	case err != nil:
		return ""
	case a.Status.Terminal() && fingerprint(&a) != fingerprint(&b):
		return "a terminal run changed"
	case a.Reason != "" && b.Reason != a.Reason && !b.Reason.Outranks(a.Reason):
		return fmt.Sprintf("the reason went from %s to %s", a.Reason, b.Reason)
	case next.stops > 1:
		return "STOP was published twice"
	case b.Rung < a.Rung:
		return "the ladder went down"
	case !slices.Contains(follows[a.Status], b.Status):
		return fmt.Sprintf("%s cannot follow %s", b.Status, a.Status)
	case a.StartedAt.IsZero() && b.StartedAt.IsZero() && (b.Sequence != 0 || b.Reason == PreflightRefused || b.Status != Prepared && !b.Status.Terminal()):
		return "a check began something"
	case b.Sequence != a.Sequence+int64(len(b.Emitted())):
		return "the sequence has a gap"
	}
	if p := checkCommands(b, cmds); p != "" {
		return p
	}
	if p := checkWorkers(a, b); p != "" {
		return p
	}
	return checkStop(a, b, next.stops)
}

// follows is the state diagram; every status follows itself.
var follows = map[Status][]Status{
	Prepared:   {Prepared, Starting, Cancelled, Failed},
	Starting:   {Starting, Running, Cancelling},
	Running:    {Running, Stopping, Cancelling},
	Stopping:   {Stopping, Cancelling, Completed, Failed},
	Cancelling: {Cancelling, Cancelled, Failed},
	Completed:  {Completed},
	Cancelled:  {Cancelled},
	Failed:     {Failed},
}

func checkCommands(b Run, cmds []Command) string {
	owed := b.Outstanding()
	for i, c := range cmds {
		if !slices.Contains(owed, c) {
			return fmt.Sprintf("%T was returned and is not outstanding", c)
		}
		if slices.Contains(cmds[:i], c) {
			return fmt.Sprintf("%T was returned twice", c)
		}
	}
	for _, c := range owed {
		launch, ok := c.(LaunchWorker)
		if !ok || b.Status == Starting {
			continue
		}
		if w := b.Workers[launch.Worker]; b.Status != Running || !w.Joining || w.Silent {
			return "a launch is owed while " + string(b.Status)
		}
	}
	if _, ok := b.NextDeadline(); !ok && !b.Status.Terminal() && !b.StartedAt.IsZero() {
		return "a started run without a deadline"
	}
	return ""
}

func checkWorkers(a, b Run) string {
	alive, unreported, launched, needed := 0, 0, 0, 0
	for _, w := range b.Workers {
		if w.Life.Alive() {
			alive++
		}
		if w.Epoch > 0 {
			launched++
		}
		if !w.Reported && !w.Lost && !w.Joining && w.Epoch > 0 {
			unreported++
		}
		if w.Epoch > 0 && !w.Joining && !w.Life.Alive() { // it was part of the load
			needed++
		}
	}
	if p := checkJoining(a, b); p != "" {
		return p
	}
	switch {
	case b.Status.Terminal() && alive > 0:
		return "terminal while a worker lives"
	case b.Status == Completed && unreported > 0:
		return "COMPLETED without every final report"
	case b.Status == Completed && b.Plan.OnLoss == FailOnLoss && slices.ContainsFunc(b.Workers, func(w WorkerRecord) bool { return w.Lost }):
		return "COMPLETED although a worker was lost"
	case b.Status == Running && b.Plan.OnLoss == FailOnLoss && needed > 0:
		return "RUNNING goes on without a worker"
	case b.Status == Running && b.loading() == 0:
		return "RUNNING without any worker"
	case a.Status == Prepared && b.Status.Terminal() && (launched > 0 || len(b.Emitted()) > 0):
		return "a run that was never started left something behind"
	}
	return ""
}

// checkJoining holds the laws of workers that join a running load.
func checkJoining(a, b Run) string {
	asked := 0
	for i := range b.Workers {
		w, before := &b.Workers[i], &a.Workers[i]
		asked += w.Target
		switch {
		case !b.Plan.grows() && (w.Joining || w.Life == Planned && b.Status == Running):
			return "a worker joins a run that does not grow"
		case w.Joining && w.Target > 0:
			return "a worker that has not joined is asked for load"
		case w.Joining && !before.Joining && (a.Unjoined != "" || a.Status != Running):
			return "a worker was launched for a load that does not grow any more"
		case before.Joining && a.Status == Running && !w.Life.Alive() && b.Unjoined == "":
			return "a worker that could not join was forgotten"
		case w.Life == Planned && i+1 < len(b.Workers) && b.Workers[i+1].Life != Planned:
			return "a worker was passed over"
		}
	}
	if b.Plan.grows() && b.Status == Running && (asked > b.Plan.Connections || b.Aim.Workers > b.takingPart()) {
		return "more load is asked for than there is"
	}
	return ""
}

func checkStop(a, b Run, stops int) string {
	switch {
	case b.Status.Ending() && stops != 1:
		return "the run is ending and STOP was not published"
	case b.Status.Ending() && b.Rung == NotStopping:
		return "the run is ending on no rung"
	case b.Status == Completed && b.Reason.Outcome() != Completed,
		b.Status == Cancelled && b.Reason.Outcome() != Cancelled,
		b.Status.Terminal() && b.Reason == "":
		return fmt.Sprintf("%s with the reason %q", b.Status, b.Reason)
	case a.Step == notProcessing && b.Step != notProcessing && b.Phase != Processing:
		return "work after the workers outside PROCESSING"
	case b.Status.Terminal() && a.Status.Ending() && a.Step == notProcessing:
		return "terminal without PROCESSING"
	}
	return ""
}

// key identifies a state for the search: distances instead of times, workers in
// canonical order, and nothing that can no longer matter.
func (n node) key() string {
	r := &n.run
	distance := func(t time.Time) int64 {
		if t.IsZero() {
			return -1
		}
		return max(-1, int64(t.Sub(n.now)/time.Millisecond)) + 1
	}
	b := make([]byte, 0, 160)
	b = append(b, r.Status...)
	b = append(b, r.Reason...)
	if r.Status.Terminal() {
		return string(b)
	}
	b = append(b, r.Phase...)
	b = append(b, byte(r.Rung), byte(r.Step), byte(n.stops))
	if !r.CheckAt.IsZero() {
		b = append(b, 'c')
	}
	b = strconv.AppendInt(b, distance(r.Deadline), 10)
	if r.Status == Running {
		b = strconv.AppendInt(append(b, '@'), int64(r.PhaseAt.Sub(n.now)/time.Millisecond), 10)
		b = strconv.AppendInt(append(b, '@'), distance(r.Origin.Add(r.Plan.RunLimit)), 10)
	}
	if end, ok := r.budgetEnd(); ok {
		b = strconv.AppendInt(append(b, '$'), distance(end), 10)
	}
	if r.Plan.grows() && r.Status == Running { // else nobody asks any more
		b = append(b, '+', byte(r.Aim.Connections), byte(r.Aim.Wanted), byte(r.Aim.Workers))
		if r.Unjoined != "" {
			b = append(b, '!')
		}
	}
	keys := make([]string, len(r.Workers))
	for i := range r.Workers {
		keys[i] = workerKey(r, &r.Workers[i], distance)
	}
	slices.Sort(keys)
	for _, k := range keys {
		b = append(append(b, '|'), k...)
	}
	return string(b)
}

func workerKey(r *Run, w *WorkerRecord, distance func(time.Time) int64) string {
	flag := func(bits byte, set bool) byte {
		bits <<= 1
		if set {
			bits |= 1
		}
		return bits
	}
	bits := flag(flag(0, w.Reported), w.Lost)
	if !w.Life.Alive() {
		b := append([]byte(w.Life), bits)
		if w.Joining {
			b = append(b, 'j')
		}
		return string(b)
	}
	spoke := w.Life == Launching && w.State != "" && !w.State.Final()
	bits = flag(flag(flag(flag(bits, w.QuotaDone), w.Silent), spoke), w.Pending && r.Rung < Terminate)
	b := append([]byte(w.Life), bits)
	if r.Plan.BudgetTime > 0 && r.Status == Running {
		b = append(b, byte(w.Target), flag(0, w.Degraded))
	}
	if w.Silent && !r.Status.Ending() {
		b = strconv.AppendInt(b, distance(w.KillBy), 10)
	}
	if w.Joining {
		b = append(b, 'j')
		if !w.Silent && !r.Status.Ending() {
			b = strconv.AppendInt(b, distance(w.JoinBy), 10)
		}
	}
	return string(b)
}

// fingerprint is everything in a run that a step could change, times included.
func fingerprint(r *Run) string {
	b := make([]byte, 0, 256+256*len(r.Workers))
	at := func(t time.Time) { b = binary.LittleEndian.AppendUint64(b, uint64(t.UnixMilli())) }
	text := func(s string) { b = append(append(b, ' '), s...) }
	for _, s := range []string{string(r.Status), string(r.Phase), string(r.Reason), r.Detail, r.StopBy, r.Owner, r.Running.Why, r.Unjoined} {
		text(s)
	}
	for _, t := range []time.Time{r.PhaseAt, r.StartedAt, r.Origin, r.Until, r.Deadline, r.StopAt, r.ClimbedAt, r.GoneAt, r.EndedAt, r.CheckAt, r.CheckedAt, r.OwnerLeaseUntil} {
		at(t)
	}
	b = append(b, byte(r.Rung), byte(r.Step), byte(len(r.Findings)), byte(r.Sequence), byte(r.Aim.Number), byte(r.Aim.Connections), byte(r.Aim.Workers))
	at(r.Aim.At)
	for i := range r.Workers {
		w := &r.Workers[i]
		text(w.ID)
		text(string(w.Life))
		text(string(w.State))
		text(w.Message)
		b = append(b, workerKey(r, w, func(time.Time) int64 { return 0 })...)
		b = append(b, byte(w.Epoch), byte(w.EndedOn), byte(len(w.Handle.Launcher)))
		at(w.KillBy)
		at(w.JoinBy)
		at(w.Since)
		b = append(b, byte(w.Target))
		at(w.Exit.At)
	}
	return string(b)
}
