package spcs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// poolProperty reads a property of a pool.
func (d *poolDef) property(w *words, key string) bool {
	switch key {
	case "MIN_NODES":
		d.MinNodes = w.integer(1, 1000)
	case "MAX_NODES":
		d.MaxNodes = w.integer(1, 1000)
	case "AUTO_RESUME":
		d.AutoResume = w.boolean()
	case "AUTO_SUSPEND_SECS":
		d.AutoSuspend = w.integer(0, 1<<30)
	case "COMMENT":
		d.Comment = w.value()
	default:
		return false
	}
	return true
}

// check refuses what no pool may be.
func (d *poolDef) check() error {
	has, ok := families[d.Family]
	switch {
	case !ok:
		return engine.NewError(1008, "22023", "SQL compilation error:\ninvalid value [%s] for parameter 'INSTANCE_FAMILY'", d.Family)
	case d.MinNodes < 1 || d.MaxNodes < d.MinNodes || d.MaxNodes > has.nodes:
		return engine.NewError(1008, "22023", "SQL compilation error:\ninvalid value [%d] for parameter 'MAX_NODES': from MIN_NODES, which is %d, to %d", d.MaxNodes, d.MinNodes, has.nodes)
	}
	return nil
}

func (m *Manager) createPool(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("CREATE", "COMPUTE", "POOL")
	ifNotExists := w.word("IF", "NOT", "EXISTS")
	name := w.single()
	d := poolDef{AutoResume: true, AutoSuspend: 3600}
	w.properties(kindPool, func(key string) bool {
		switch key {
		case "INSTANCE_FAMILY":
			d.Family = strings.ToUpper(w.value())
		case "INITIALLY_SUSPENDED":
			d.Suspended = w.boolean()
		default:
			return d.property(w, key)
		}
		return true
	})
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := session.May(ctx, "ACCOUNT", "", "CREATE COMPUTE POOL"); err != nil {
		return nil, err
	}
	if done, err := m.replacing(ctx, kindPool, name, false, ifNotExists); done != nil || err != nil {
		return done, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	return successfully("Compute Pool", name, "created"), m.keepPool(ctx, name, session.Info().Role, d)
}

// thePool finds a pool that the session's role has a privilege on.
func (m *Manager) thePool(ctx context.Context, session *engine.Session, name string, privileges ...string) (*pool, error) {
	m.mu.Lock()
	p := m.pools[name]
	m.mu.Unlock()
	sight, err := session.Sight(ctx, kindPool)
	if err != nil {
		return nil, err
	}
	if p == nil || !sight.Sees(p.name, p.owner) {
		return nil, engine.Missing("Compute pool", name)
	}
	ok, err := session.MayAny(ctx, kindPool, name, privileges...)
	if err == nil && !ok {
		err = engine.NewError(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on compute pool '%s'", name)
	}
	return p, err
}

// alterPool is ALTER COMPUTE POOL: SUSPEND lets what runs end, STOP ALL ends it.
func (m *Manager) alterPool(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("ALTER", "COMPUTE", "POOL")
	ifExists := w.word("IF", "EXISTS")
	name := w.single()
	act, privilege := "", "OPERATE"
	switch {
	case w.word("SUSPEND"):
		act = "SUSPEND"
	case w.word("RESUME"):
		act = "RESUME"
	case w.word("STOP", "ALL"):
		act = "STOP ALL"
	default:
		w.need("SET")
		act, privilege = "SET", "MODIFY"
	}
	if w.err != nil {
		return nil, w.err
	}
	p, err := m.thePool(ctx, session, name, privilege)
	if own, ok := err.(*engine.Error); ok && own.Number == 2003 && ifExists { //nolint:errorlint // it is never wrapped
		return engine.Status("Statement executed successfully."), nil
	}
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	d := p.poolDef
	m.mu.Unlock()
	switch act {
	case "SUSPEND":
		d.Suspended = true
	case "RESUME":
		d.Suspended = false
	case "SET":
		w.properties(kindPool, func(key string) bool { return d.property(w, key) })
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	if act == "STOP ALL" {
		m.stopAll(p)
		return engine.Status("Statement executed successfully."), nil
	}
	return engine.Status("Statement executed successfully."), m.keepPool(ctx, p.name, p.owner, d)
}

// stopAll drops the services of a pool, and its jobs with them.
func (m *Manager) stopAll(p *pool) {
	var all []*service
	m.mu.Lock()
	for _, s := range m.services {
		if s.pool == p.name {
			all = append(all, s)
		}
	}
	m.mu.Unlock()
	for _, s := range all {
		m.remove(s)
	}
}

func (m *Manager) dropPool(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("DROP", "COMPUTE", "POOL")
	ifExists := w.word("IF", "EXISTS")
	name := w.single()
	if err := w.end(); err != nil {
		return nil, err
	}
	_, err := m.thePool(ctx, session, name, "OWNERSHIP")
	if own, ok := err.(*engine.Error); ok && own.Number == 2003 && ifExists { //nolint:errorlint // it is never wrapped
		return engine.Status("Drop statement executed successfully (" + name + " already dropped)."), nil
	}
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	busy := false
	for _, s := range m.services {
		busy = busy || s.pool == name && !s.over
	}
	m.mu.Unlock()
	if busy {
		return nil, poolBusy(name)
	}
	if err := session.Commit(ctx); err != nil {
		return nil, err
	}
	if _, err := m.engine.Forget(ctx, kindPool, name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pools, name)
	return engine.Status(name + " successfully dropped."), nil
}

const poolColumns = "name, state, min_nodes:n, max_nodes:n, instance_family, num_services:n, num_jobs:n, auto_suspend_secs:n, auto_resume, active_nodes:n, idle_nodes:n, " +
	"target_nodes:n, created_on:t, resumed_on:t, updated_on:t, owner, comment, is_exclusive, application, placement_group, backup_instance_families"

// poolRow is a pool as SHOW COMPUTE POOLS has it. The lock is held.
func (m *Manager) poolRow(p *pool) []any {
	now := time.Now()
	active, idle, target := p.count(now)
	services, jobs := 0, 0
	for _, s := range m.services {
		if s.pool == p.name && !s.over {
			services++
			if s.Job {
				jobs++
			}
		}
	}
	return []any{
		p.name, p.state(now), p.MinNodes, p.MaxNodes, p.Family, services, jobs, p.AutoSuspend, fmt.Sprint(p.AutoResume), active, idle, target,
		p.created, p.resumed, p.updated, p.owner, orEmpty(p.Comment), "false", nil, nil, nil,
	}
}

func (m *Manager) showPools(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.need("SHOW", "COMPUTE", "POOLS")
	f, err := m.filters(ctx, session, w, false)
	if err != nil {
		return nil, err
	}
	sight, err := session.Sight(ctx, kindPool)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*pool
	for name, p := range m.pools {
		if f.keeps(name) && sight.Sees(name, p.owner) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *pool) int { return strings.Compare(a.name, b.name) })
	var rows [][]any
	for _, p := range all[:min(f.limit, len(all))] {
		rows = append(rows, m.poolRow(p))
	}
	return engine.Listing(engine.TypeShow, poolColumns, rows), nil
}

// describePool is DESCRIBE COMPUTE POOL, which also says what its services wait
// for.
func (m *Manager) describePool(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	w.next() // DESCRIBE or DESC
	w.need("COMPUTE", "POOL")
	name := w.single()
	if err := w.end(); err != nil {
		return nil, err
	}
	p, err := m.thePool(ctx, session, name, "MONITOR", "OPERATE", "MODIFY")
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var code, status any
	for _, s := range m.services {
		for _, in := range s.instances {
			if s.pool == name && in.node == nil && !in.ended && in.poolCode != "" {
				code, status = in.poolCode, in.poolStatus
			}
		}
	}
	return engine.Listing(engine.TypeDescribe, poolColumns+", budget, error_code, status_message", [][]any{append(m.poolRow(p), nil, code, status)}), nil
}
