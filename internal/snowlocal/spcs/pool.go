package spcs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// States of a compute pool.
const (
	stateOfStarting  = "STARTING"
	stateOfActive    = "ACTIVE"
	stateOfIdle      = "IDLE"
	stateOfResizing  = "RESIZING"
	stateOfStopping  = "STOPPING"
	stateOfSuspended = "SUSPENDED"
)

// poolDef is what a pool was made of.
type poolDef struct {
	MinNodes    int
	MaxNodes    int
	Family      string
	AutoResume  bool
	AutoSuspend int // seconds; 0 is never
	Suspended   bool
	Comment     string
}

// pool is a compute pool. The manager's lock guards it.
type pool struct {
	poolDef
	name, owner               string
	created, resumed, updated time.Time
	nodes                     []*node
	nextStart                 time.Time
	idleSince                 time.Time
}

// node is one node of a pool.
type node struct {
	readyAt   time.Time
	cpu       float64 // that is requested
	memory    int64
	instances int
}

func (n *node) ready(now time.Time) bool { return !now.Before(n.readyAt) }

func (p *pool) family() family { return families[p.Family] }

// state is the pool's; the lock is held.
func (p *pool) state(now time.Time) string {
	ready, starting, used := 0, 0, 0
	for _, n := range p.nodes {
		if n.ready(now) {
			ready++
		} else {
			starting++
		}
		used += n.instances
	}
	switch {
	case p.Suspended && used > 0:
		return stateOfStopping
	case p.Suspended:
		return stateOfSuspended
	case ready == 0:
		return stateOfStarting
	case starting > 0:
		return stateOfResizing
	case used > 0:
		return stateOfActive
	}
	return stateOfIdle
}

// count is how many nodes have instances, have none, and are wanted.
func (p *pool) count(now time.Time) (active, idle, target int) {
	for _, n := range p.nodes {
		switch {
		case !n.ready(now):
		case n.instances > 0:
			active++
		default:
			idle++
		}
	}
	return active, idle, len(p.nodes)
}

// idle suspends a pool that nobody has used for as long as it was told. Its nodes
// stay until then: when Snowflake takes some of them back is not confirmed.
func (p *pool) idle(now time.Time) {
	used := false
	for _, n := range p.nodes {
		used = used || n.instances > 0
	}
	switch {
	case used || p.Suspended:
		p.idleSince = time.Time{}
	case p.idleSince.IsZero():
		p.idleSince = now
	case p.AutoSuspend > 0 && now.Sub(p.idleSince) >= time.Duration(p.AutoSuspend)*time.Second:
		p.Suspended, p.nodes, p.updated = true, nil, now
	}
}

// grow adds nodes until the pool has what it must have.
func (p *pool) grow(readyAt time.Time) {
	for !p.Suspended && len(p.nodes) < p.MinNodes {
		p.nodes = append(p.nodes, &node{readyAt: readyAt})
	}
}

// loadPools reads the pools that were kept.
func (m *Manager) loadPools(ctx context.Context) error {
	all, err := m.engine.Kept(ctx, kindPool)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range all {
		p := &pool{name: k.Name, owner: k.Owner, created: k.Created, resumed: k.Created, updated: k.Created}
		if err := json.Unmarshal(k.Def, &p.poolDef); err != nil {
			return err
		}
		p.grow(time.Now())
		m.pools[p.name] = p
	}
	return nil
}

const kindPool = "COMPUTE POOL"

// keepPool makes a pool, or keeps what has changed of it.
func (m *Manager) keepPool(ctx context.Context, name, owner string, def poolDef) error {
	text, err := json.Marshal(def)
	if err != nil {
		return err
	}
	if err := m.engine.Keep(ctx, engine.Kept{Kind: kindPool, Name: name, Owner: owner, Comment: def.Comment, Def: text}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	p := m.pools[name]
	if p == nil {
		p = &pool{name: name, owner: owner, created: now, resumed: now}
		m.pools[name] = p
	}
	if p.Suspended && !def.Suspended {
		p.resumed = now
	}
	p.poolDef, p.updated = def, now
	m.settlePool(p)
	m.tell()
	return nil
}

// settlePool gives a pool the nodes that its definition wants.
func (m *Manager) settlePool(p *pool) {
	if p.Suspended {
		kept := p.nodes[:0]
		for _, n := range p.nodes {
			if n.instances > 0 {
				kept = append(kept, n)
			}
		}
		p.nodes = kept
		return
	}
	m.shrink(p)
	p.grow(m.nodeReady(p.name))
}

// shrink takes away the nodes that are more than the pool may have: first those that
// are idle, then those that are not, with what runs there.
func (m *Manager) shrink(p *pool) {
	kept := p.nodes[:0]
	more := len(p.nodes) - p.MaxNodes
	for _, n := range p.nodes {
		if more > 0 && n.instances == 0 {
			more--
			continue
		}
		kept = append(kept, n)
	}
	p.nodes = kept
	for ; more > 0; more-- {
		last := p.nodes[len(p.nodes)-1]
		p.nodes = p.nodes[:len(p.nodes)-1]
		for _, s := range m.services {
			for _, in := range s.instances {
				if in.node == last {
					in.end(stopEvict)
				}
			}
		}
	}
}

// EnsurePool and EnsureRepository make what a stand-in has at its start, unless it
// is there.
func (m *Manager) EnsurePool(ctx context.Context, name, family string, least, most int) error {
	m.mu.Lock()
	_, there := m.pools[name]
	m.mu.Unlock()
	if there {
		return nil
	}
	return m.keepPool(ctx, name, "SYSADMIN", poolDef{MinNodes: least, MaxNodes: most, Family: family, AutoResume: true, AutoSuspend: 3600})
}
