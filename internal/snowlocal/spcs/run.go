package spcs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// begin makes an instance of a service and runs it. The lock is held.
func (m *Manager) begin(s *service, id int) {
	in := &instance{of: s, id: id, spec: s.spec, created: time.Now(), stop: make(chan struct{})}
	for i := range s.spec.Spec.Containers {
		in.boxes = append(in.boxes, &box{spec: &s.spec.Spec.Containers[i], status: statusPending, message: textWaiting})
	}
	for i, old := range s.instances {
		if old.id == id {
			s.instances[i] = in
			m.spawnLocked(func() { m.run(s, in) })
			return
		}
	}
	s.instances = append(s.instances, in)
	m.spawnLocked(func() { m.run(s, in) })
}

// run runs an instance to its end.
func (m *Manager) run(s *service, in *instance) {
	placed := m.waitFor(m.ctx, in.stop, func() bool {
		if in.node != nil {
			return true
		}
		found := m.place(s, in)
		m.settleIfNew(s)
		return found
	})
	if placed && !m.delayed(s, in) {
		placed = false
	}
	if placed {
		var group sync.WaitGroup
		for _, b := range in.boxes {
			group.Go(func() { m.runBox(s, in, b) })
		}
		group.Wait()
	}
	m.leave(s, in)
}

// settleIfNew notes a reason to wait when it is another than before.
func (m *Manager) settleIfNew(s *service) {
	last := s.views[len(s.views)-1]
	now := s.view(time.Now())
	for i, in := range now.instances {
		for j, b := range in.boxes {
			if i >= len(last.instances) || j >= len(last.instances[i].boxes) || last.instances[i].boxes[j].message != b.message {
				m.settle(s)
				return
			}
		}
	}
}

// leave ends an instance, and what it was the last of.
func (m *Manager) leave(s *service, in *instance) {
	m.mu.Lock()
	m.release(in)
	in.ended = true
	for _, b := range in.boxes {
		if b.status == statusPending || b.status == statusTerminating {
			b.status, b.message = statusUnknown, textNeverStarted
			if in.why == stopEvict {
				b.message = textEvicted
			}
		}
	}
	m.settle(s)
	next := ""
	switch {
	case s.dropping && s.allEnded():
		next = stopDrop
	case s.Job && s.over:
		m.remember(s)
	case !s.Job && !s.Suspended && !s.dropping && m.ctx.Err() == nil && in.id < s.Instances:
		m.begin(s, in.id) // an upgrade, or a node that was lost
		m.settle(s)
	case !s.Job && s.Suspended:
		s.suspended = time.Now()
		m.settle(s)
	}
	m.mu.Unlock()
	if next == stopDrop {
		m.finishDrop(s)
	}
	if s.Job {
		m.revoke(s)
	}
}

func (s *service) allEnded() bool {
	for _, in := range s.instances {
		if !in.ended {
			return false
		}
	}
	return true
}

// remember bounds the logs of ended jobs: the nodes of the oldest are gone. The
// lock is held.
func (m *Manager) remember(s *service) {
	m.ended = append(m.ended, s)
	if len(m.ended) <= maxKeptLogs {
		return
	}
	for _, in := range m.ended[0].instances {
		in.loseLogs()
	}
	m.ended[0] = nil
	m.ended = m.ended[1:]
}

func (in *instance) loseLogs() {
	for _, b := range in.boxes {
		b.log, b.previous, b.lost = nil, nil, true
	}
}

// How often something is tried again.
const (
	pullEvery    = 500 * time.Millisecond
	firstRestart = 500 * time.Millisecond
	lastRestart  = 10 * time.Second
	probeEvery   = 250 * time.Millisecond // at most, until a container is ready
	probeTimeout = 2 * time.Second
)

// runBox runs a container to its end; that of a long-running service again and
// again.
func (m *Manager) runBox(s *service, in *instance, b *box) {
	pause := firstRestart
	for {
		image, ok := m.pull(s, in, b)
		if !ok {
			return
		}
		begun := time.Now()
		m.once(s, in, b, image)
		m.mu.Lock()
		again := !s.Job && in.why == "" && m.ctx.Err() == nil
		m.mu.Unlock()
		if !again {
			return
		}
		if time.Since(begun) > lastRestart {
			pause = firstRestart
		}
		if !m.pause(in, pause) {
			return
		}
		pause = min(2*pause, lastRestart)
		m.mu.Lock()
		b.restarts++
		b.lastRestart = time.Now()
		b.status, b.message, b.previous = statusPending, textWaiting, b.log
		m.settle(s)
		m.mu.Unlock()
	}
}

// pause waits; false when the instance is to end meanwhile.
func (m *Manager) pause(in *instance, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-in.stop:
	case <-m.ctx.Done():
	}
	return false
}

// pull waits until the image is there.
func (m *Manager) pull(s *service, in *instance, b *box) (string, bool) {
	for {
		m.mu.Lock()
		broken := m.fault(faultPull, s.full, s.pool) != nil
		name := b.spec.image
		if pinned := s.pins[name]; pinned != "" {
			name = pinned
		}
		m.mu.Unlock()
		id, found, err := "", false, error(nil)
		if !broken {
			id, found, err = m.docker.imageID(m.ctx, name)
		}
		if found {
			m.mu.Lock()
			s.pins[b.spec.image] = id
			m.mu.Unlock()
			return id, true
		}
		message := textNoImage
		if err != nil {
			message += ": " + firstLine(err)
		}
		m.mu.Lock()
		if b.message != message {
			b.message = message
			m.settle(s)
		}
		m.mu.Unlock()
		if !m.pause(in, pullEvery) {
			return "", false
		}
	}
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text[:min(len(text), 300)]
}

// once starts a container and waits for its end.
func (m *Manager) once(s *service, in *instance, b *box, image string) {
	config, err := m.configOf(s, in, b, image)
	id := ""
	if err == nil {
		id, err = m.docker.make(m.ctx, config)
	}
	if err == nil {
		m.mu.Lock()
		b.id = id // before it runs: it may log in at once
		m.mu.Unlock()
		err = m.docker.start(m.ctx, id)
	}
	if err != nil {
		m.mu.Lock()
		b.image, b.id = image, ""
		b.status, b.message = statusFailed, textCannotStart+": "+firstLine(err)
		m.settle(s)
		m.mu.Unlock()
		return
	}
	m.mu.Lock()
	b.image, b.started, b.logged, b.lost = image, time.Now(), true, false
	if in.started.IsZero() {
		in.started = b.started
	}
	switch {
	case in.why != "":
		b.status, b.message = statusTerminating, textTerminating
	case b.spec.ReadinessProbe == nil:
		b.status, b.message = statusReady, textRunning
	}
	m.settle(s)
	m.mu.Unlock()

	watch, done := context.WithCancel(context.WithoutCancel(m.ctx))
	var group sync.WaitGroup
	group.Go(func() { m.probe(watch, s, in, b) })
	group.Go(func() { m.terminate(watch, in, id) })
	code, oom, err := m.docker.exit(watch, id)
	done()
	group.Wait()
	m.collect(s, in, b, code, oom, err)
}

// terminate ends a container when its instance is told to end: SIGTERM, and
// SIGKILL when it has not ended in time. With the manager it ends at once.
func (m *Manager) terminate(ctx context.Context, in *instance, id string) {
	say := func(signal string) {
		if err := m.docker.signal(context.WithoutCancel(ctx), id, signal); err != nil {
			m.options.Log("%v", err)
		}
	}
	select {
	case <-ctx.Done():
		return
	case <-m.ctx.Done():
		say("SIGKILL")
		return
	case <-in.stop:
	}
	say("SIGTERM")
	timer := time.NewTimer(m.options.Grace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	case <-m.ctx.Done():
	}
	say("SIGKILL")
}

// collect reads the log of a container that has ended, removes it and notes how it
// ended.
func (m *Manager) collect(s *service, in *instance, b *box, code int, oom bool, failed error) {
	ctx := context.WithoutCancel(m.ctx)
	log, _, err := m.docker.log(ctx, b.id)
	if err != nil {
		m.options.Log("%v", err)
	}
	if err := m.docker.remove(ctx, b.id); err != nil {
		m.options.Log("%v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b.id, b.address, b.log = "", "", log
	switch {
	case failed != nil:
		b.status, b.message = statusFailed, textLost+": "+firstLine(failed)
	default:
		b.exit = &code
		b.status, b.message = statusFailed, textUserError
		switch {
		case oom:
			b.message = textOOM
		case code == 0:
			b.status, b.message = statusDone, textDone
		}
	}
	if in.why == stopEvict { // whatever it made of SIGTERM
		b.status, b.message = statusFailed, textEvicted
	}
	m.settle(s)
}

// containerName is Docker's name of a container: readable, and not used twice.
func (m *Manager) containerName(s *service, in *instance, b *box) string {
	return fmt.Sprintf("snowlocal-%d-%d-%s-%d-%s-%d", m.port, s.serial, strings.ToLower(s.name), in.id, b.spec.Name, b.restarts)
}
