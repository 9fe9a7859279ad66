package spcs

import "time"

// place finds a node for an instance. Without one it says why. The lock is held.
func (m *Manager) place(s *service, in *instance) bool {
	p, now := m.pools[s.pool], time.Now()
	if p == nil {
		in.wait(textWaiting, "", "")
		return false
	}
	if f := m.fault(faultExhausted, s.full, s.pool); f != nil {
		in.wait(textNoMemory, number392508, textFullPool)
		return false
	}
	if f := m.fault(faultCapacity, s.full, s.pool); f != nil {
		in.wait(textProvisioning, number392507, textCapacity)
		return false
	}
	if f := m.fault(faultUnschedulable, s.full, s.pool); f != nil {
		in.wait(textNoMemory, "", "")
		return false
	}
	if p.Suspended {
		if !p.AutoResume {
			in.wait(textWaiting, "", "")
			return false
		}
		p.Suspended, p.resumed, p.updated = false, now, now
		m.settlePool(p)
	}
	if !m.node(p, s, in, now) {
		return false
	}
	if at := m.gap(s); at > 0 { // jobs of a pool start one after the other
		if now.Before(p.nextStart) {
			in.wait(textWaiting, "", "")
			m.release(in)
			return false
		}
		p.nextStart = now.Add(at)
	}
	in.wait(textWaiting, "", "")
	return true
}

// node takes a node for an instance.
func (m *Manager) node(p *pool, s *service, in *instance, now time.Time) bool {
	cpu, memory := s.spec.requests()
	has := p.family()
	cpuShort, coming := false, false
	for _, n := range p.nodes {
		fitsCPU, fitsMemory := n.cpu+cpu <= has.cpu+0.001, n.memory+memory <= has.memory
		switch {
		case fitsCPU && fitsMemory && n.ready(now):
			n.cpu, n.memory, n.instances = n.cpu+cpu, n.memory+memory, n.instances+1
			in.node = n
			return true
		case fitsCPU && fitsMemory:
			coming = true
		case fitsMemory:
			cpuShort = true
		}
	}
	if !coming && len(p.nodes) < p.MaxNodes {
		n := &node{readyAt: m.nodeReady(p.name)}
		p.nodes = append(p.nodes, n)
		if n.ready(now.Add(time.Millisecond)) {
			return m.node(p, s, in, now.Add(time.Millisecond))
		}
		coming = true
	}
	switch {
	case coming:
		in.wait(textProvisioning, "", "")
	case cpuShort:
		in.wait(textNoCPU, number392508, textFullPool)
	default:
		in.wait(textNoMemory, number392508, textFullPool)
	}
	return false
}

// release gives the node of an instance back. The lock is held.
func (m *Manager) release(in *instance) {
	n := in.node
	if n == nil {
		return
	}
	cpu, memory := in.of.spec.requests()
	n.cpu, n.memory, n.instances = n.cpu-cpu, n.memory-memory, n.instances-1
	in.node = nil
	if p := m.pools[in.of.pool]; p != nil && p.Suspended {
		m.settlePool(p)
	}
}

// wait notes why an instance has no node.
func (in *instance) wait(message, code, status string) {
	in.poolCode, in.poolStatus = code, status
	for _, b := range in.boxes {
		b.message = message
	}
}
