package spcs

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// alterService is ALTER SERVICE: SUSPEND, RESUME, FROM SPECIFICATION and SET. Jobs
// have none of them.
func (m *Manager) alterService(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("ALTER", "SERVICE")
	ifExists := w.word("IF", "EXISTS")
	name := w.name()
	act := ""
	st := statement{}
	switch {
	case w.word("SUSPEND"):
		act = "SUSPEND"
	case w.word("RESUME"):
		act = "RESUME"
	case w.is("FROM"):
		act = "FROM"
		st.specification(w)
	default:
		w.need("SET")
		act = "SET"
	}
	if w.err != nil {
		return nil, w.err
	}
	s, err := m.find(ctx, session, name, "OPERATE")
	if own, ok := err.(*engine.Error); ok && own.Number == 2003 && ifExists { //nolint:errorlint // it is never wrapped
		return engine.Status("Statement executed successfully."), nil
	}
	if err != nil {
		return nil, err
	}
	if s.Job {
		return nil, onlyServices(s.name)
	}
	m.mu.Lock()
	d := s.serviceDef
	m.mu.Unlock()
	if act == "SET" {
		w.properties("SERVICE", func(key string) bool { return d.scale(w, key) || (&statement{def: d}).into(w, key, &d) })
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	switch act {
	case "SUSPEND":
		d.Suspended = true
	case "RESUME":
		d.Suspended = false
	case "FROM":
		d.SpecText = st.def.SpecText
	}
	if err := m.change(ctx, session, s, d, act); err != nil {
		return nil, err
	}
	return engine.Status("Statement executed successfully."), nil
}

// into reads a property that services and jobs have into a definition.
func (st *statement) into(w *words, key string, d *serviceDef) bool {
	ok := st.common(w, key)
	*d = st.def
	return ok
}

// change makes a service what a definition says.
func (m *Manager) change(ctx context.Context, session *engine.Session, s *service, d serviceDef, act string) error {
	next := &service{serviceDef: d, full: s.full, database: s.database, schema: s.schema, name: s.name, owner: s.owner, pool: s.pool}
	var err error
	if next.spec, err = parseSpec(d.SpecText); err != nil {
		return err
	}
	if act == "FROM" {
		if err := m.mayRun(ctx, session, next); err != nil {
			return err
		}
	}
	if err := m.keepService(ctx, next); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.dropping {
		return engine.Missing("Service", s.full)
	}
	s.serviceDef = d
	switch act {
	case "SUSPEND":
		for _, in := range s.instances {
			in.end(stopSuspend)
		}
		if s.allEnded() {
			s.suspended = time.Now()
		}
	case "RESUME":
		s.resumed = time.Now()
		m.fill(s)
	case "FROM":
		s.spec = next.spec
		s.pins = map[string]string{}
		for _, in := range s.instances {
			in.end(stopUpgrade)
		}
		m.fill(s)
	case "SET":
		for _, in := range s.instances {
			if in.id >= s.Instances {
				in.end(stopSuspend)
			}
		}
		m.fill(s)
	}
	m.settle(s)
	return nil
}

// fill begins the instances that a service should have and that have ended, or
// never were. The others begin anew when they end. The lock is held.
func (m *Manager) fill(s *service) {
	if s.Suspended {
		return
	}
	for id := range s.Instances {
		running := false
		for _, in := range s.instances {
			running = running || in.id == id && !in.ended
		}
		if !running {
			m.begin(s, id)
		}
	}
}
