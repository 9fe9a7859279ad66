package spcs

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

const kindService = "SERVICE"

// serviceName is what a service may be called: its name becomes a label of DNS.
var serviceName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,62}$`)

// statement is what CREATE SERVICE and EXECUTE JOB SERVICE have in common.
type statement struct {
	def         serviceDef
	name        []sqltext.Name
	pool        string
	ifNotExists bool
}

// executeJob is EXECUTE JOB SERVICE. A job that is not asynchronous is waited for.
func (m *Manager) executeJob(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("EXECUTE", "JOB", "SERVICE", "IN", "COMPUTE", "POOL")
	st := statement{pool: w.single(), def: serviceDef{Job: true, Instances: 1}}
	w.properties("JOB SERVICE", func(key string) bool {
		switch key {
		case "NAME":
			st.name = w.name()
		case "ASYNC":
			st.def.Async = w.boolean()
		case "REPLICAS":
			st.def.Instances, st.def.Batch = w.integer(1, 1000), true
		default:
			return st.common(w, key)
		}
		return true
	})
	st.specification(w)
	if err := w.end(); err != nil {
		return nil, err
	}
	if st.name == nil {
		id := q.ID
		st.name = []sqltext.Name{{Text: "JOB_" + strings.ToUpper(strings.ReplaceAll(id, "-", "_"))}}
	}
	s, _, err := m.make(ctx, session, st)
	if err != nil {
		return nil, err
	}
	if st.def.Async {
		return engine.Status("Job " + s.name + " successfully submitted."), nil
	}
	return m.follow(ctx, s)
}

// common reads the properties that services and jobs have.
func (st *statement) common(w *words, key string) bool {
	switch key {
	case "QUERY_WAREHOUSE":
		st.def.Warehouse = w.single()
	case "COMMENT":
		st.def.Comment = w.value()
	case "EXTERNAL_ACCESS_INTEGRATIONS":
		st.def.EAIs = w.list()
	default:
		return false
	}
	return true
}

// specification reads FROM SPECIFICATION $$…$$, which is the end of a statement.
func (st *statement) specification(w *words) {
	w.need("FROM")
	if w.err == nil && (!w.is("SPECIFICATION") || w.is("SPECIFICATION_TEMPLATE")) {
		w.err = engine.Unsupported("services from stages and templates")
		return
	}
	w.need("SPECIFICATION")
	t := w.peek()
	if w.err == nil && t.Kind != sqltext.String && t.Text != "?" {
		w.unexpected()
	}
	st.def.SpecText = w.value()
}

// createService is CREATE SERVICE.
func (m *Manager) createService(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("CREATE", "SERVICE")
	st := statement{ifNotExists: w.word("IF", "NOT", "EXISTS"), name: w.name(), def: serviceDef{Instances: 1, MinReady: 1}}
	w.need("IN", "COMPUTE", "POOL")
	st.pool = w.single()
	// Here the specification may stand before the properties, as the page has it.
	before := w.is("FROM")
	if before {
		st.specification(w)
	}
	w.properties("SERVICE", func(key string) bool { return st.def.scale(w, key) || st.common(w, key) })
	if !before {
		st.specification(w)
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if st.def.Most = max(st.def.Most, st.def.Instances); st.def.MinReady > st.def.Instances {
		return nil, engine.NewError(1008, "22023", "SQL compilation error:\ninvalid value [%d] for parameter 'MIN_READY_INSTANCES'", st.def.MinReady)
	}
	s, there, err := m.make(ctx, session, st)
	if err != nil {
		return nil, err
	}
	if there {
		return engine.Status(s.name + " already exists, statement succeeded."), nil
	}
	return successfully("Service", s.full, "created"), nil
}

// scale reads the properties that only services have. As many instances run as the
// least is: nothing here makes more of them.
func (d *serviceDef) scale(w *words, key string) bool {
	switch key {
	case "MIN_INSTANCES":
		d.Instances = w.integer(1, 1000)
	case "MAX_INSTANCES":
		d.Most = w.integer(1, 1000)
	case "MIN_READY_INSTANCES":
		d.MinReady = w.integer(0, 1000)
	case "AUTO_RESUME":
		d.NoResume = !w.boolean()
	case "AUTO_SUSPEND_SECS":
		w.integer(0, 1<<30)
	default:
		return false
	}
	return true
}

// make makes a service and starts it. It may be there, when the statement allows.
func (m *Manager) make(ctx context.Context, session *engine.Session, st statement) (s *service, there bool, err error) {
	full, err := session.Full(st.name)
	if err != nil {
		return nil, false, err
	}
	s = &service{serviceDef: st.def, full: full, pool: st.pool, owner: session.Info().Role, created: time.Now(), pins: map[string]string{}, gone: make(chan struct{})}
	s.database, s.schema, s.name = split(full)
	s.Pool = st.pool
	if err := m.mayMake(ctx, session, s, st); err != nil {
		return nil, false, err
	}
	if s.spec, err = parseSpec(s.SpecText); err != nil {
		return nil, false, err
	}
	if err := m.mayRun(ctx, session, s); err != nil {
		return nil, false, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, false, err
	}
	if old, err := m.take(s, st.ifNotExists); old != nil || err != nil {
		return old, old != nil, err
	}
	if err = m.keepService(ctx, s); err == nil {
		err = m.open(s)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		delete(m.services, full)
		return nil, false, err
	}
	m.start(s)
	return s, false, nil
}

// take takes the name of a service, or returns the one that has it where that may
// be.
func (m *Manager) take(s *service, ifNotExists bool) (old *service, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old = m.services[s.full]
	switch {
	case old != nil && ifNotExists:
		return old, nil
	case old != nil:
		return nil, engine.Exists(s.name)
	case len(m.services) >= maxServices:
		return nil, tooManyServices()
	case m.closed:
		return nil, errors.New("the stand-in ends")
	}
	m.serial++
	s.serial, s.resumed, s.status = m.serial, s.created, statusPending
	s.views = []view{{at: s.created, status: statusPending}}
	m.services[s.full] = s
	return nil, nil
}

// start starts all instances of a service. The lock is held.
func (m *Manager) start(s *service) {
	s.instances = nil
	for id := range s.Instances {
		m.begin(s, id)
	}
	m.settle(s)
}

// mayMake checks names and privileges.
func (m *Manager) mayMake(ctx context.Context, session *engine.Session, s *service, st statement) error {
	for _, part := range st.name {
		if part.Quoted && !serviceName.MatchString(part.Text) || strings.Contains(part.Text, "$") {
			return engine.NewError(1003, "42000", "SQL compilation error:\ninvalid identifier '%s': a service, its schema and its database need names that are not quoted.", part.Text)
		}
	}
	if !serviceName.MatchString(s.name) {
		return engine.NewError(1003, "42000", "SQL compilation error:\ninvalid service name '%s'.", s.name)
	}
	schema := s.database + "." + s.schema
	if err := session.SeesSchema(ctx, schema); err != nil {
		return err
	}
	if err := session.May(ctx, "SCHEMA", schema, "CREATE SERVICE"); err != nil {
		return err
	}
	ok, err := session.MayAny(ctx, kindPool, s.pool, "USAGE")
	if err != nil {
		return err
	}
	m.mu.Lock()
	p := m.pools[s.pool]
	stopped := p != nil && p.Suspended && !p.AutoResume
	m.mu.Unlock()
	switch {
	case p == nil || !ok:
		return engine.Missing("Compute pool", s.pool)
	case stopped:
		return poolSuspended(s.pool)
	}
	if s.Warehouse != "" {
		there, err := session.MayAny(ctx, "WAREHOUSE", s.Warehouse, "USAGE", "OPERATE")
		if err == nil && !there {
			err = engine.Missing("Warehouse", s.Warehouse)
		}
		if err != nil {
			return err
		}
	}
	if len(s.EAIs) > maxIntegrations {
		return engine.NewError(1008, "22023", "SQL compilation error:\nmore than %d external access integrations", maxIntegrations)
	}
	for _, name := range s.EAIs {
		there, err := session.MayAny(ctx, "INTEGRATION", name, "USAGE")
		if err == nil && !there {
			err = engine.Missing("Integration", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayRun checks what the specification needs: repositories, secrets, and a node
// that is large enough.
func (m *Manager) mayRun(ctx context.Context, session *engine.Session, s *service) error {
	for _, c := range s.spec.Spec.Containers {
		ok, err := session.MayAny(ctx, kindRepository, c.repository, "READ", "WRITE")
		if err == nil && !ok {
			err = engine.Missing("Image repository", c.repository)
		}
		if err != nil {
			return err
		}
		for _, use := range c.Secrets {
			full := qualified(use.object, s)
			ok, err := session.MayAny(ctx, kindSecret, full, "READ")
			if err == nil && !ok {
				err = engine.Missing("Secret", full)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, e := range s.spec.Spec.Endpoints {
		if e.Public {
			if err := session.May(ctx, "ACCOUNT", "", "BIND SERVICE ENDPOINT"); err != nil {
				return err
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pools[s.pool]
	if p == nil {
		return engine.Missing("Compute pool", s.pool)
	}
	cpu, memory := s.spec.requests()
	switch has := p.family(); {
	case cpu > has.cpu:
		return tooLarge("cpu", p.name, p.Family)
	case memory > has.memory:
		return tooLarge("memory", p.name, p.Family)
	}
	return nil
}

// keepService keeps a service with the account.
func (m *Manager) keepService(ctx context.Context, s *service) error {
	text, err := json.Marshal(s.serviceDef)
	if err != nil {
		return err
	}
	return m.engine.Keep(ctx, engine.Kept{Kind: kindService, Name: s.full, Owner: s.owner, Comment: s.Comment, Def: text})
}

// loadServices reads the services of an earlier process. Its nodes are lost: jobs
// have failed, and services start anew.
func (m *Manager) loadServices(ctx context.Context) error {
	all, err := m.engine.Kept(ctx, kindService)
	if err != nil {
		return err
	}
	for _, k := range all {
		s := &service{full: k.Name, owner: k.Owner, created: k.Created, pins: map[string]string{}, gone: make(chan struct{})}
		if err := json.Unmarshal(k.Def, &s.serviceDef); err != nil {
			return err
		}
		s.database, s.schema, s.name = split(s.full)
		s.pool, s.resumed = s.Pool, s.created
		if s.spec, err = parseSpec(s.SpecText); err != nil {
			return err
		}
		if err := m.open(s); err != nil {
			return err
		}
		m.mu.Lock()
		m.serial++
		s.serial = m.serial
		s.views = []view{{at: time.Now(), status: statusPending}}
		m.services[s.full] = s
		if s.Job {
			s.lose()
			m.settle(s)
		} else if !s.Suspended {
			m.start(s)
		}
		m.mu.Unlock()
	}
	return nil
}

// lose makes a job one whose node is lost.
func (s *service) lose() {
	for id := range s.Instances {
		in := &instance{of: s, id: id, spec: s.spec, created: s.created, ended: true, stop: make(chan struct{})}
		for i := range s.spec.Spec.Containers {
			in.boxes = append(in.boxes, &box{spec: &s.spec.Spec.Containers[i], status: statusFailed, message: textLost, lost: true})
		}
		s.instances = append(s.instances, in)
	}
}
