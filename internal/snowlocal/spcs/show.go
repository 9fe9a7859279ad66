package spcs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// maxShown bounds the rows of a SHOW, as documented.
const maxShown = 10000

// filter is what a SHOW asks for.
type filter struct {
	like, starts, from string
	hasLike            bool
	limit              int
	database, schema   string // "": any
	pool               string
	noJobs             bool
}

// filters reads LIKE, IN, STARTS WITH and LIMIT in any order. Without IN it is the
// current schema or database, or the account.
func (m *Manager) filters(ctx context.Context, session *engine.Session, w *words, inSchema bool) (filter, error) {
	info := session.Info()
	f := filter{limit: maxShown}
	if inSchema {
		f.database, f.schema = info.Database, info.Schema
	}
	for w.err == nil {
		switch {
		case w.word("EXCLUDE", "JOBS"):
			f.noJobs = true
		case w.word("LIKE"):
			f.like, f.hasLike = w.value(), true
		case w.word("STARTS", "WITH"):
			f.starts = w.value()
		case w.word("LIMIT"):
			f.limit = w.integer(0, maxShown)
			if w.word("FROM") {
				f.from = w.value()
			}
		case inSchema && w.word("IN"):
			if err := m.scope(ctx, session, w, &f); err != nil {
				return f, err
			}
		default:
			return f, w.end()
		}
	}
	return f, w.err
}

// scope reads what follows IN.
func (m *Manager) scope(ctx context.Context, session *engine.Session, w *words, f *filter) error {
	info := session.Info()
	named := func() bool { return w.peek().Kind != 0 && !w.is("LIMIT") && !w.is("STARTS") && !w.is("LIKE") }
	switch {
	case w.word("ACCOUNT"):
		f.database, f.schema = "", ""
	case w.word("COMPUTE", "POOL"):
		f.database, f.schema, f.pool = "", "", w.single()
	case w.word("DATABASE"):
		if f.database, f.schema = info.Database, ""; named() {
			f.database = w.single()
		}
		return session.SeesDatabase(ctx, f.database)
	default:
		w.word("SCHEMA")
		if named() {
			switch parts := w.name(); {
			case w.err != nil:
				return w.err
			case len(parts) == 2:
				f.database, f.schema = parts[0].Text, parts[1].Text
			case len(parts) == 1:
				f.database, f.schema = info.Database, parts[0].Text
			default:
				w.unexpected()
				return w.err
			}
		}
		return session.SeesSchema(ctx, f.database+"."+f.schema)
	}
	return w.err
}

// keeps reports whether a listing has an object.
func (f *filter) keeps(full string) bool {
	name := full[lastDot(full)+1:]
	if f.database != "" {
		database, schema, _ := split(full)
		if database != f.database || f.schema != "" && schema != f.schema {
			return false
		}
	}
	return (!f.hasLike || engine.Like(name, f.like)) && strings.HasPrefix(name, f.starts) && (f.from == "" || name > f.from)
}

const serviceColumns = "name, status, database_name, schema_name, owner, compute_pool, dns_name, current_instances:n, target_instances:n, min_ready_instances:n, " +
	"min_instances:n, max_instances:n, auto_resume, external_access_integrations, created_on:t, updated_on:t, resumed_on:t, suspended_on:t, auto_suspend_secs:n, " +
	"comment, owner_role_type, query_warehouse, is_job, is_async_job, spec_digest, is_upgrading, managing_object_domain, managing_object_name"

// row is a service as SHOW SERVICES has it. The lock is held.
func (m *Manager) row(s *service) []any {
	v := m.seen(s)
	target := s.Instances
	if s.Suspended || s.Job && s.over {
		target = 0
	}
	var integrations any
	if len(s.EAIs) > 0 {
		integrations = `["` + strings.Join(s.EAIs, `","`) + `"]`
	}
	return []any{
		s.name, v.status, s.database, s.schema, s.owner, s.pool, s.dnsName(), v.current, target, max(s.MinReady, 1), s.Instances, max(s.Most, s.Instances),
		fmt.Sprint(!s.NoResume && !s.Job), integrations, s.created, v.at, orNull(s.resumed), orNull(s.suspended), 0, orEmpty(s.Comment), "ROLE", orEmpty(s.Warehouse),
		fmt.Sprint(s.Job), fmt.Sprint(s.Job && s.Async), digest(s.SpecText), "false", nil, nil,
	}
}

// dnsName is documented in its form; nothing here resolves it.
func (s *service) dnsName() string {
	return strings.ToLower(strings.ReplaceAll(s.name, "_", "-")) + "." + digest(s.database + "." + s.schema)[:8] + ".svc.spcs.internal"
}

func orNull(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at
}

func orEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// showServices is SHOW [JOB] SERVICES.
func (m *Manager) showServices(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW")
	jobs := w.word("JOB")
	w.need("SERVICES")
	f, err := m.filters(ctx, session, w, true)
	if err != nil {
		return nil, err
	}
	sight, err := session.Sight(ctx, kindService)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*service
	for full, s := range m.services {
		if f.keeps(full) && sight.Sees(full, s.owner) && (!jobs || s.Job) && (!f.noJobs || !s.Job) && (f.pool == "" || s.pool == f.pool) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *service) int { return strings.Compare(a.full, b.full) })
	rows := make([][]any, 0, len(all))
	for _, s := range all[:min(f.limit, len(all))] {
		rows = append(rows, m.row(s))
	}
	return engine.Listing(engine.TypeShow, serviceColumns, rows), nil
}

// describeService is DESCRIBE SERVICE; its owner sees the specification.
func (m *Manager) describeService(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.next() // DESCRIBE or DESC
	w.need("SERVICE")
	name := w.name()
	if err := w.end(); err != nil {
		return nil, err
	}
	s, err := m.find(ctx, session, name, "USAGE", "MONITOR", "OPERATE")
	if err != nil {
		return nil, err
	}
	owner, err := session.MayAny(ctx, kindService, s.full, "OWNERSHIP")
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var text any
	if owner {
		text = s.SpecText
	}
	columns := strings.Replace(serviceColumns, "dns_name", "spec, dns_name", 1)
	return engine.Listing(engine.TypeDescribe, columns, [][]any{slices.Insert(m.row(s), 6, text)}), nil
}

// ofService reads SHOW … IN SERVICE name.
func (m *Manager) ofService(ctx context.Context, session *engine.Session, q engine.Query, show ...string) (*service, error) {
	w := read(q)
	w.need(append([]string{"SHOW"}, show...)...)
	w.need("IN", "SERVICE")
	name := w.name()
	if err := w.end(); err != nil {
		return nil, err
	}
	return m.find(ctx, session, name, "MONITOR")
}

func (m *Manager) showInstances(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	s, err := m.ofService(ctx, session, q, "SERVICE", "INSTANCES")
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.seen(s)
	var rows [][]any
	for _, in := range v.instances {
		rows = append(rows, []any{
			s.database, s.schema, s.name, v.status, in.id, in.status, digest(s.SpecText), orNull(in.created), orNull(in.started), orEmpty(in.address),
		})
	}
	return engine.Listing(engine.TypeShow, "database_name, schema_name, service_name, service_status, instance_id, status, spec_digest, creation_time, start_time, ip_address", times(rows, 7, 8)), nil
}

func (m *Manager) showContainers(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	s, err := m.ofService(ctx, session, q, "SERVICE", "CONTAINERS")
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.seen(s)
	var rows [][]any
	for _, in := range v.instances {
		for _, b := range in.boxes {
			var exit any
			if b.exit != nil {
				exit = *b.exit
			}
			rows = append(rows, []any{
				s.database, s.schema, s.name, v.status, in.id, in.status, b.name, b.status, b.message, b.image, orEmpty(b.digest), b.restarts, orNull(b.started),
				exit, orNull(b.lastRestart),
			})
		}
	}
	return engine.Listing(engine.TypeShow, "database_name, schema_name, service_name, service_status, instance_id, instance_status, container_name, status, message, "+
		"image_name, image_digest, restart_count:n, start_time, last_exit_code:n, last_restart_time", times(rows, 12, 14)), nil
}

// times writes columns of times as texts, as these listings have them.
func times(rows [][]any, columns ...int) [][]any {
	for _, row := range rows {
		for _, i := range columns {
			if at, ok := row[i].(time.Time); ok {
				row[i] = at.UTC().Format("2006-01-02T15:04:05Z")
			}
		}
	}
	return rows
}

func (m *Manager) showEndpoints(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	s, err := m.ofService(ctx, session, q, "ENDPOINTS")
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows [][]any
	for _, e := range s.spec.Spec.Endpoints {
		var port, portRange, url any
		if e.PortRange == "" {
			port = e.Port
		} else {
			portRange = e.PortRange
		}
		if e.Public {
			url = s.ingress.url(e.Name)
		}
		protocol := strings.ToUpper(e.Protocol)
		if protocol == "" {
			protocol = "HTTP"
		}
		rows = append(rows, []any{e.Name, port, portRange, protocol, fmt.Sprint(e.Public), url})
	}
	return engine.Listing(engine.TypeShow, "name, port:n, port_range, protocol, is_public, ingress_url", rows), nil
}
