package controller

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/templatefile"
)

// CreateRun prepares a run: it makes the checks of group 1 and stores the run as
// PREPARED. A refusal stores nothing. With a key, calling again with the same key
// returns the run that was made; the key is part of its id, so that this holds for
// every controller of the store, and after a restart.
func (s *Service) CreateRun(ctx context.Context, n client.NewRun, by, key string) (client.Run, error) {
	id := s.NewRunID()
	if key != "" {
		id = keyedID(by, key)
		if made, err := s.madeBefore(ctx, id, n, by); core.CodeOf(err) != core.NotFound {
			return made, err
		}
	}
	launcher, scenario, err := s.admit(ctx, n)
	if err != nil {
		return client.Run{}, err
	}
	home := ports.Home{Host: launcher.Host}
	if launcher.Gateway != nil {
		if home.Gateway, err = launcher.Gateway(); err != nil {
			return client.Run{}, err
		}
	}
	record, err := s.store.Create(ctx, core.NewRun(id, scenario.Plan()), scenario, home)
	if key != "" && core.CodeOf(err) == core.Conflict { // the same call, at the same time
		return s.madeBefore(ctx, id, n, by)
	}
	if err != nil {
		return client.Run{}, err
	}
	s.Logger.Info("run prepared", "run_id", id, "template", n.Template, "by", by)
	if n.Start {
		return s.StartRun(ctx, id, by, key)
	}
	return runOf(record), nil
}

// timedKey is a key that begins as ids of runs do.
var timedKey = regexp.MustCompile(`^\d{8}-\d{6}-`)

// keyedID is the id of the run that a caller makes with a key. It begins with the
// time that the key begins with, if it does.
func keyedID(by, key string) string {
	hash := sha256.Sum256([]byte(by + "\x00" + key))
	if from := timedKey.FindString(key); from != "" {
		return from + hex.EncodeToString(hash[:6])
	}
	return "key-" + hex.EncodeToString(hash[:12])
}

// madeBefore is the run that the same call has made. Errors: NotFound when there is
// none; Invalid when it was another call.
func (s *Service) madeBefore(ctx context.Context, id string, n client.NewRun, by string) (client.Run, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return client.Run{}, err
	}
	if _, scenario, err := s.admit(ctx, n); err == nil && !sameScenario(record.Scenario, scenario) {
		return client.Run{}, fmt.Errorf("%w: the idempotency key was used for run %s, which is not what is asked for now", core.ErrInvalid, id)
	}
	if n.Start {
		return s.StartRun(ctx, id, by, "again")
	}
	return runOf(record), nil
}

// sameScenario compares what was asked for, without what was found or given.
func sameScenario(stored, asked core.Scenario) bool {
	stored.InsertBase, asked.InsertBase = 0, 0
	stored.Target.Host, stored.Target.Database, stored.Target.User = "", "", ""
	x, errX := json.Marshal(stored)
	y, errY := json.Marshal(asked)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// admit makes the checks of group 1: the store has what it needs, the template is
// there, and it resolves.
func (s *Service) admit(ctx context.Context, n client.NewRun) (Launcher, core.Scenario, error) {
	launcher, err := s.launcher(n.Launcher)
	if err != nil {
		return launcher, core.Scenario{}, err
	}
	findings, err := s.store.Check(ctx)
	if err != nil {
		return launcher, core.Scenario{}, err
	}
	if refusal := core.Refusal(findings); refusal != "" {
		return launcher, core.Scenario{}, fmt.Errorf("%w: the store is not ready: %s", core.ErrRefused, refusal)
	}
	scenario, err := s.resolve(ctx, n, launcher)
	return launcher, scenario, err
}

func (s *Service) launcher(name string) (Launcher, error) {
	if name == "" {
		return s.Launchers[0], nil
	}
	var names []string
	for _, l := range s.Launchers {
		if l.Launcher == name {
			return l, nil
		}
		names = append(names, l.Launcher)
	}
	return Launcher{}, fmt.Errorf("%w: launcher is %.100q; allowed: %s", core.ErrInvalid, name, strings.Join(names, ", "))
}

// resolve makes the scenario of a new run.
func (s *Service) resolve(ctx context.Context, n client.NewRun, launcher Launcher) (core.Scenario, error) {
	record, err := s.store.Templates().Get(ctx, n.Template)
	if err != nil {
		return core.Scenario{}, err
	}
	t, err := templatefile.Set(record.Template, n.Set)
	if err != nil {
		return core.Scenario{}, err
	}
	defaults := launcher.Resolution
	defaults.TemplateID = record.ID
	return t.Resolve(defaults)
}

// Preflight makes the checks of group 1 for a run, and stores nothing: the store has
// what it needs, the template is there, and it resolves. Those of group 2 need the
// target and the launcher, which are an orchestrator's: CheckRun asks it for them, and
// it makes them when the run is started, before it launches anything.
func (s *Service) Preflight(ctx context.Context, n client.NewRun) ([]core.Finding, error) {
	findings, err := s.store.Check(ctx)
	if err != nil {
		return nil, err
	}
	launcher, err := s.launcher(n.Launcher)
	if err == nil && core.Refusal(findings) == "" {
		_, err = s.resolve(ctx, n, launcher)
	}
	switch core.CodeOf(err) {
	case "":
		if core.Refusal(findings) == "" {
			findings = append(findings, core.Finding{ID: "template", Severity: core.SeverityOK, Message: "template " + n.Template + " resolves"})
		}
		return findings, nil
	case core.Invalid, core.NotFound:
		return append(findings, core.Finding{ID: "template", Severity: core.SeverityError, Message: err.Error(), Mend: "correct the template, or what changes it"}), nil
	default:
		return nil, err
	}
}

// StartRun asks for the start of a PREPARED run. An orchestrator makes the checks
// of group 2 and launches the workers. Errors: Refused for one that was started. A
// run is started once, so with a key, of a caller that may be calling again, that it
// was started is no error.
func (s *Service) StartRun(ctx context.Context, id, by, key string) (client.Run, error) {
	record, err := s.request(ctx, id, func(now time.Time) core.Event { return core.StartRequested{At: now} })
	if core.CodeOf(err) == core.Refused && key != "" && !record.Run.StartedAt.IsZero() {
		return runOf(record), nil
	}
	if err != nil {
		return client.Run{}, err
	}
	s.Logger.Info("start requested", "run_id", id, "by", by)
	return runOf(record), nil
}

// CheckRun asks for the checks of group 2 of a PREPARED run, and for nothing else: an
// orchestrator that has the run's launcher makes them, and stores what it found with
// the run, which stays PREPARED. Errors: Refused for one that was started.
func (s *Service) CheckRun(ctx context.Context, id, by string) (client.Run, error) {
	record, err := s.request(ctx, id, func(now time.Time) core.Event { return core.CheckRequested{At: now} })
	if err != nil {
		return client.Run{}, err
	}
	s.Logger.Info("checks requested", "run_id", id, "by", by)
	return runOf(record), nil
}

// StopRun publishes the stop of a run and does not wait for its end. It works in
// every state; repeating it changes nothing.
func (s *Service) StopRun(ctx context.Context, id string, stop client.StopRun, by string) (client.Run, error) {
	event := core.StopRequested{Reason: core.UserRequested, By: by, Detail: stop.Reason}
	if stop.Kill {
		event.Rung = core.Kill
	}
	record, err := s.request(ctx, id, func(now time.Time) core.Event {
		event.At = now
		return event
	})
	if err != nil {
		return client.Run{}, err
	}
	s.Logger.Info("stop requested", "run_id", id, "by", by, "kill", stop.Kill)
	return runOf(record), nil
}

// Run reads where a run stands.
func (s *Service) Run(ctx context.Context, id string) (client.Run, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return client.Run{}, err
	}
	return runOf(record), nil
}

// Runs lists runs, newest first.
func (s *Service) Runs(ctx context.Context, filter ports.RunFilter) ([]client.RunSummary, error) {
	runs, err := s.store.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	list := make([]client.RunSummary, len(runs))
	for i, r := range runs {
		list[i] = client.RunSummary{
			ID: r.ID, Name: r.Name, Status: r.Status, Phase: r.Phase, Reason: r.Reason, Detail: r.Detail,
			Launcher: r.Launcher, Workers: r.Workers, Owner: r.Owner, OwnerAlive: r.OwnerAlive,
			CreatedAt: r.CreatedAt.UTC(), StartedAt: utc(r.StartedAt), EndedAt: utc(r.EndedAt),
			Operations: r.TotalOps, Errors: r.Errors, Throughput: r.QPS,
		}
	}
	return list, nil
}

// runOf is a stored run as the API shows it: what only its orchestrator needs,
// like handles, is not in it.
func runOf(record ports.RunRecord) client.Run {
	r := record.Run
	return client.Run{
		ID: r.ID, Name: record.Scenario.Name, TemplateID: record.Scenario.TemplateID, Launcher: record.Scenario.Launcher,
		Status: r.Status, Phase: r.Phase, PhaseAt: utc(r.PhaseAt), Reason: r.Reason, Detail: r.Detail, Version: record.Version,
		Workers: r.Asked(), Connections: r.Plan.Connections,
		CreatedAt: record.CreatedAt.UTC(), UpdatedAt: record.UpdatedAt.UTC(), StartedAt: utc(r.StartedAt),
		LoadFrom: utc(r.Origin), LoadUntil: utc(r.Until), Deadline: utc(r.Deadline), EndedAt: utc(r.EndedAt), Now: record.Now.UTC(),
		StopBy: r.StopBy, StopAt: utc(r.StopAt), Rung: r.Rung.String(),
		Owner: r.Owner, OwnerEpoch: r.OwnerEpoch, OwnerAlive: r.Owner != "" && record.Now.Before(r.OwnerLeaseUntil),
		OwnerUntil: utc(r.OwnerLeaseUntil),
		Sequence:   r.Sequence, CheckAt: utc(r.CheckAt), CheckedAt: utc(r.CheckedAt), Findings: append([]core.Finding{}, r.Findings...),
	}
}

// utc is a time, or nil for none.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
