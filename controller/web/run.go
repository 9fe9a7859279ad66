package web

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/report/chart"
)

// segment is one phase of the line that shows where a run stands.
type segment struct {
	Name    string
	Planned string // how long it is meant to last
	State   string // done, now or next
	Timer   string // of the present one
	Share   float64
}

// livePage is a run that has not ended.
type livePage struct {
	Run        client.Run
	Frame      client.Frame
	Scenario   core.Scenario
	Segments   []segment
	Newest     *client.Interval
	Charts     []chart.Chart
	Classes    []client.ErrorClass
	Errors     uint64
	Logs       []client.LogLine
	Driver     string // that nobody drives it, and what of that
	Startable  bool
	Stoppable  bool
	Connection int // over all workers, now
	Target     int
	Healthy    int
}

// What the page says of a run that nobody drives.
const (
	waitsText = "No orchestrator has taken this run up yet. It begins as soon as one does that has its launcher: benchfleet orchestrator, or a controller that drives runs."
	leftText  = "Nobody drives this run now: an orchestrator takes it over as soon as it can."
	// takeUpWait is how long one that was just started may take to be taken up.
	takeUpWait = 3 * time.Second
)

// Waits and Left are for the script, which goes on from the first paint.
func (livePage) Waits() string { return waitsText }

// Left is what Waits is, of a run whose owner is gone.
func (livePage) Left() string { return leftText }

// driverOf says that nobody drives a run, if so.
func driverOf(state client.RunState) string {
	switch {
	case state.EndedAt != nil || state.OwnerAlive:
		return ""
	case state.Owner != "":
		return leftText
	case state.StartedAt != nil && state.Now.Sub(*state.StartedAt) > takeUpWait:
		return waitsText
	default:
		return ""
	}
}

// showRun is the page of a run, which watches it while it goes on.
func (s *site) showRun(w http.ResponseWriter, r *http.Request) error {
	run, err := s.service.Run(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	if run.Status.Terminal() {
		return s.showEnded(w, r, run)
	}
	p, err := s.live(r.Context(), run)
	if err != nil {
		return err
	}
	if p.Frame.Run.Status.Terminal() { // it has ended meanwhile
		return s.showEnded(w, r, run)
	}
	return s.show(w, r, http.StatusOK, "live", frame{Title: title(run), Section: "runs", Scripts: []string{"chart.js", "logs.js", "live.js"}, Body: p})
}

func title(run client.Run) string {
	if run.Name == "" {
		return run.ID
	}
	return report.Clean(run.Name)
}

// live reads everything that the page of a run that goes on shows at first. The
// frame is read first: the stream goes on from it, and what is read after it may
// come again.
func (s *site) live(ctx context.Context, run client.Run) (livePage, error) {
	var p livePage
	var err error
	p.Run = run
	if p.Frame, err = s.service.Look(ctx, run.ID); err != nil {
		return p, err
	}
	if p.Scenario, err = s.service.Scenario(ctx, run.ID); err != nil {
		return p, err
	}
	course, err := s.service.Course(ctx, run.ID)
	if err != nil {
		return p, err
	}
	state := p.Frame.Run
	p.Classes = course.Classes
	for _, c := range p.Classes {
		p.Errors += c.Count
	}
	if n := len(p.Frame.Intervals); n > 0 {
		p.Newest = &p.Frame.Intervals[n-1]
	}
	p.Charts = []chart.Chart{report.ThroughputChart(course.Points, nil), report.LatencyChart(course.Points, nil)}
	for i := range p.Charts {
		p.Charts[i].Empty = "nothing is measured yet"
	}
	p.Logs, p.Driver = p.Frame.Logs, driverOf(state)
	p.Startable = state.Status == core.Prepared && state.StartedAt == nil
	p.Stoppable = !state.Status.Terminal()
	for _, w := range p.Frame.Workers {
		p.Connection, p.Target = p.Connection+w.Connections, p.Target+cmp.Or(w.Target, w.Connections)
		if w.Health == core.Healthy {
			p.Healthy++
		}
	}
	p.Segments = segments(p.Scenario.Load, state)
	return p, nil
}

// segments is the line of phases of a run.
func segments(load core.ScenarioLoad, state client.RunState) []segment {
	planned := func(d core.Duration) string {
		if d <= 0 {
			return ""
		}
		return report.Span(d.Std())
	}
	measure := planned(load.Duration)
	if load.Operations > 0 {
		measure = report.Count(load.Operations) + " operations"
	}
	list := []segment{{Name: string(core.Preparing)}}
	if load.Warmup > 0 {
		list = append(list, segment{Name: string(core.Warmup), Planned: planned(load.Warmup)})
	}
	list = append(list, segment{Name: string(core.Measurement), Planned: measure})
	if load.Cooldown > 0 {
		list = append(list, segment{Name: string(core.Cooldown), Planned: planned(load.Cooldown)})
	}
	list = append(list, segment{Name: string(core.Processing)})
	now := slices.IndexFunc(list, func(x segment) bool { return x.Name == phaseNow(state) })
	for i := range list {
		switch {
		case i < now:
			list[i].State = "done"
		case i == now:
			list[i].State = "now"
			list[i].Timer, list[i].Share = timer(state)
		default:
			list[i].State = "next"
		}
	}
	return list
}

// phaseNow is the phase that holds now: one that is published and not yet in effect
// has not begun.
func phaseNow(state client.RunState) string {
	switch phase := state.Phase; {
	case state.StartedAt == nil:
		return ""
	case phase == core.Warmup, phase == core.Measurement, phase == core.Cooldown:
		if name := core.Phase(state.Stage); name == core.Warmup || name == core.Measurement || name == core.Cooldown {
			return state.Stage
		}
		return string(phase)
	case phase == "":
		return string(core.Preparing)
	default:
		return string(phase)
	}
}

// timer is how long the present stage lasts, and how much of it is over.
func timer(state client.RunState) (text string, share float64) {
	if state.StageFrom == nil {
		return "", 0
	}
	gone := max(0, state.Now.Sub(*state.StageFrom))
	text = minutes(gone)
	if state.StopAt != nil {
		text = "stopping " + text
	}
	if state.StageUntil != nil && !state.StageByDeadline {
		if whole := state.StageUntil.Sub(*state.StageFrom); whole > 0 {
			return text + " / " + minutes(whole), min(1, gone.Seconds()/whole.Seconds())
		}
	}
	return text, 0
}

// minutes is a length of time as 1:05 or 1:00:05.
func minutes(d time.Duration) string {
	s := int(d / time.Second)
	two := func(n int) string { return string(rune('0'+n/10)) + string(rune('0'+n%10)) }
	if s >= 3600 {
		return report.Count(s/3600) + ":" + two(s/60%60) + ":" + two(s%60)
	}
	return report.Count(s/60) + ":" + two(s%60)
}

// endedPage is a run that has ended.
type endedPage struct {
	Run     client.Run
	Verdict core.VerdictLevel
	Lead    []string
	Inside  report.Inside
	Result  bool // there is one
	Body    template.HTML
}

func (s *site) showEnded(w http.ResponseWriter, r *http.Request, run client.Run) error {
	p, err := s.results.of(run.ID, func() (*endedPage, error) { return s.ended(r.Context(), run.ID) })
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "ended", frame{Title: title(p.Run), Section: "runs", Scripts: []string{"ended.js"}, Body: p})
}

func (s *site) ended(ctx context.Context, id string) (*endedPage, error) {
	run, err := s.service.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	result, err := s.service.Whole(ctx, id)
	if err != nil {
		return nil, err
	}
	inside, err := report.InsideResult(result)
	if err != nil {
		return nil, err
	}
	p := &endedPage{Run: run, Lead: inside.Lead[1:], Inside: inside, Body: inside.HTML}
	if result.Parent != nil {
		p.Verdict, p.Result = result.Parent.Verdict.Level, true
	}
	return p, nil
}
