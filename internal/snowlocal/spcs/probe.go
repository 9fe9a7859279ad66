package spcs

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// probe learns the address of a container, and asks it whether it is ready. The
// readiness probe says so once; a liveness probe that fails too often ends the
// container of a service, which is started again.
func (m *Manager) probe(ctx context.Context, s *service, in *instance, b *box) {
	address, err := m.docker.address(ctx, b.id)
	if err != nil && ctx.Err() == nil {
		m.options.Log("%v", err)
	}
	m.mu.Lock()
	b.address = address
	if in.address == "" {
		in.address = address
	}
	m.settle(s)
	m.mu.Unlock()
	if p := b.spec.ReadinessProbe; p != nil && !m.untilReady(ctx, s, in, b, p) {
		return
	}
	if p := b.spec.LivenessProbe; p != nil && !s.Job {
		m.whileAlive(ctx, b, p)
	}
}

// untilReady asks until a container says that it is ready.
func (m *Manager) untilReady(ctx context.Context, s *service, in *instance, b *box, p *probe) bool {
	every := probeEvery
	if p.PeriodSeconds > 0 {
		every = min(every, time.Duration(p.PeriodSeconds)*time.Second)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ready := ask(ctx, b.address, p)
		m.mu.Lock()
		if in.why != "" {
			m.mu.Unlock()
			return false
		}
		message := textRunning
		if !ready {
			message = fmt.Sprintf("Readiness probe is failing at path: %s, port: %d", p.Path, p.Port)
		}
		if ready {
			b.status = statusReady
		}
		if b.message != message {
			b.message = message
			m.settle(s)
		}
		m.mu.Unlock()
		if ready {
			return true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}

// Defaults of a liveness probe.
const (
	livePeriod   = 10 * time.Second
	liveFailures = 3
)

// whileAlive ends a container that has failed too often in a row.
func (m *Manager) whileAlive(ctx context.Context, b *box, p *probe) {
	every, most := livePeriod, liveFailures
	if p.PeriodSeconds > 0 {
		every = time.Duration(p.PeriodSeconds) * time.Second
	}
	if p.FailureThreshold > 0 {
		most = p.FailureThreshold
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for failed := 0; failed < most; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if failed++; ask(ctx, b.address, p) {
			failed = 0
		}
	}
	if err := m.docker.signal(ctx, b.id, "SIGKILL"); err != nil {
		m.options.Log("%v", err)
	}
}

// ask reports whether a container answers with 2xx.
func ask(ctx context.Context, address string, p *probe) bool {
	if address == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(address, strconv.Itoa(p.Port))+p.Path, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // only its status counts
	return answer.StatusCode/100 == 2
}
