package spcs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// find finds a service that the session's role may do something with. One that it
// has no privilege on is not there.
func (m *Manager) find(ctx context.Context, session *engine.Session, name []sqltext.Name, privileges ...string) (*service, error) {
	full, err := session.Full(name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	s := m.services[full]
	m.mu.Unlock()
	if s == nil {
		return nil, engine.Missing("Service", full)
	}
	seen, err := session.Sight(ctx, kindService)
	if err != nil {
		return nil, err
	}
	if !seen.Sees(s.full, s.owner) {
		return nil, engine.Missing("Service", full)
	}
	ok, err := session.MayAny(ctx, kindService, full, privileges...)
	if err == nil && !ok {
		err = engine.NewError(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on service '%s'", s.name)
	}
	return s, err
}

// cancelJob is SELECT or CALL name!SPCS_CANCEL_JOB(). A job that has ended stays as
// it is.
func (m *Manager) cancelJob(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	name := w.method("SPCS_CANCEL_JOB")
	w.needOp("(")
	w.needOp(")")
	if err := w.end(); err != nil {
		return nil, err
	}
	s, err := m.find(ctx, session, name, "OPERATE")
	if err != nil {
		return nil, err
	}
	if !s.Job {
		return nil, onlyJobs(s.name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.over && !s.dropping {
		s.cancelling = true
		for _, in := range s.instances {
			in.end(stopCancel)
		}
		m.settle(s)
	}
	return engine.Scalar("SPCS_CANCEL_JOB", "Successfully submitted cancel request for job "+s.name+"."), nil
}

// method takes SELECT name!METHOD up to the arguments.
func (w *words) method(method string) []sqltext.Name {
	if !w.word("SELECT") {
		w.need("CALL")
	}
	name := w.name()
	w.needOp("!")
	w.need(method)
	return name
}

// dropService is DROP SERVICE. Its name is free when its containers have ended.
func (m *Manager) dropService(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("DROP", "SERVICE")
	ifExists := w.word("IF", "EXISTS")
	name := w.name()
	w.word("FORCE")
	if err := w.end(); err != nil {
		return nil, err
	}
	s, err := m.find(ctx, session, name, "OWNERSHIP")
	if own, ok := err.(*engine.Error); ok && own.Number == 2003 && ifExists { //nolint:errorlint // it is never wrapped
		return engine.Status("Drop statement executed successfully (" + name[len(name)-1].Text + " already dropped)."), nil
	}
	if err != nil {
		return nil, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	m.remove(s)
	return engine.Status(s.name + " successfully dropped."), nil
}

// remove drops a service: at once when nothing of it runs.
func (m *Manager) remove(s *service) {
	m.mu.Lock()
	s.dropping = true
	for _, in := range s.instances {
		in.end(stopDrop)
	}
	m.settle(s)
	over := s.allEnded()
	m.mu.Unlock()
	if over {
		m.finishDrop(s)
	}
}

// finishDrop forgets a service of which nothing runs.
func (m *Manager) finishDrop(s *service) {
	m.revoke(s)
	m.shut(s)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), dockerTimeout)
	defer cancel()
	if m.ctx.Err() == nil { // otherwise what was kept is the next one's
		if _, err := m.engine.Forget(ctx, kindService, s.full); err != nil {
			m.options.Log("forgetting service %s: %v", s.full, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.services[s.full] == s {
		m.ended = slices.DeleteFunc(m.ended, func(e *service) bool { return e == s })
		delete(m.services, s.full)
		close(s.gone)
		m.tell()
	}
}

// Gone ends the services in a database or schema that is dropped.
func (m *Manager) Gone(_ context.Context, name string) error {
	m.mu.Lock()
	var all []*service
	for full, s := range m.services {
		if strings.HasPrefix(full, name+".") {
			all = append(all, s)
		}
	}
	m.mu.Unlock()
	for _, s := range all {
		m.remove(s)
	}
	return nil
}

// follow waits for a job that is not asynchronous. Who cancels the statement
// cancels the job.
func (m *Manager) follow(ctx context.Context, s *service) (*engine.Result, error) {
	if !m.waitFor(ctx, s.gone, func() bool { return s.over }) && ctx.Err() != nil {
		m.mu.Lock()
		s.cancelling = true
		for _, in := range s.instances {
			in.end(stopCancel)
		}
		m.settle(s)
		m.mu.Unlock()
		return nil, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.status != statusDone {
		message := s.status
		for _, in := range s.instances {
			for _, b := range in.boxes {
				if b.status == statusFailed {
					message = b.message
				}
			}
		}
		return nil, jobFailed(s.name, message)
	}
	return engine.Status("Job " + s.name + " completed successfully."), nil
}

// waitForService is CALL name!SPCS_WAIT_FOR('DONE', seconds).
func (m *Manager) waitForService(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	name := w.method("SPCS_WAIT_FOR")
	w.needOp("(")
	want := strings.ToUpper(w.value())
	w.needOp(",")
	seconds := w.integer(0, 7*24*3600)
	w.needOp(")")
	if err := w.end(); err != nil {
		return nil, err
	}
	s, err := m.find(ctx, session, name, "USAGE", "MONITOR", "OPERATE")
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	have := ""
	reached := m.waitFor(limited, s.gone, func() bool {
		have = m.seen(s).status
		return have == want || s.over && s.Job
	}) && have == want
	switch {
	case reached:
		return engine.Scalar("SPCS_WAIT_FOR", "Service "+s.name+" reached status "+want+"."), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, waitedInVain(s.name, want, have)
}
