package spcs

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// arguments reads the arguments of a SYSTEM$ function.
type arguments struct {
	function string
	list     []*string
	err      error
}

func (a *arguments) text(i int) string {
	if a.err == nil && (i >= len(a.list) || a.list[i] == nil) {
		a.err = engine.NewError(938, "22023", "SQL compilation error:\nnot enough arguments for function [%s], expected %d, got %d", a.function, i+1, len(a.list))
	}
	if a.err != nil {
		return ""
	}
	return *a.list[i]
}

func (a *arguments) number(i, otherwise int) int {
	if i >= len(a.list) {
		return otherwise
	}
	text := a.text(i)
	n, err := strconv.Atoi(text)
	if a.err == nil && (err != nil || n < 0) {
		a.err = engine.NewError(1008, "22023", "SQL compilation error:\ninvalid value [%s] for parameter '%d' of %s", text, i+1, a.function)
	}
	return n
}

// named finds the service of an argument.
func (m *Manager) named(ctx context.Context, session *engine.Session, text string, privileges ...string) (*service, error) {
	path, err := sqltext.ParsePath(text)
	if err != nil {
		return nil, engine.NewError(1003, "42000", "SQL compilation error:\n%s", err)
	}
	return m.find(ctx, session, path.Parts, privileges...)
}

const defaultLines = 500 // not confirmed

// serviceLogs is SYSTEM$GET_SERVICE_LOGS(service, instance, container, lines,
// previous).
func (m *Manager) serviceLogs(ctx context.Context, session *engine.Session, list []*string) (string, error) {
	a := arguments{function: "SYSTEM$GET_SERVICE_LOGS", list: list}
	name, instance, container, lines := a.text(0), a.number(1, 0), a.text(2), a.number(3, defaultLines)
	previous := len(list) > 4 && (a.text(4) == "1" || strings.EqualFold(a.text(4), "true"))
	a.text(2)
	if a.err != nil {
		return "", a.err
	}
	s, err := m.named(ctx, session, name, "MONITOR")
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	b := s.box(instance, container)
	if b == nil {
		m.mu.Unlock()
		return "", noContainer(s.name, container, instance)
	}
	id, log, status, has := b.id, b.log, b.status, b.logged || b.lost
	if previous {
		id, log = "", b.previous
	}
	m.mu.Unlock()
	switch {
	case !has:
		return "", notStarted(container, status)
	case id != "":
		if log, err = m.logNow(ctx, b, id); err != nil {
			return "", err
		}
	}
	return lastLines(log, lines), nil
}

// endingTime bounds the wait for the log of a container that has just ended.
const endingTime = 10 * time.Second

// logNow is the log of a container that ran a moment ago. When Docker has none, or
// breaks off, because the container ends, its log is kept soon.
func (m *Manager) logNow(ctx context.Context, b *box, id string) ([]byte, error) {
	log, there, err := m.docker.log(ctx, id)
	if there && err == nil {
		return log, nil
	}
	limited, cancel := context.WithTimeout(ctx, endingTime)
	defer cancel()
	kept := m.waitFor(limited, nil, func() bool {
		log = b.log
		return b.id != id
	})
	if !kept {
		return nil, err
	}
	return log, nil
}

func (s *service) box(instance int, container string) *box {
	for _, in := range s.instances {
		if in.id != instance {
			continue
		}
		for _, b := range in.boxes {
			if b.spec.Name == container {
				return b
			}
		}
	}
	return nil
}

// lastLines is the end of a log: so many lines, and not more than 100 KB.
func lastLines(log []byte, lines int) string {
	log = bytes.TrimSuffix(log, []byte("\n"))
	at := len(log)
	for ; lines > 0 && at > 0; lines-- {
		at = max(bytes.LastIndexByte(log[:at], '\n'), 0)
	}
	return strings.ToValidUTF8(strings.TrimPrefix(string(log[at:]), "\n"), "�")
}

// serviceStatus is SYSTEM$GET_SERVICE_STATUS, which is deprecated.
func (m *Manager) serviceStatus(ctx context.Context, session *engine.Session, list []*string) (string, error) {
	a := arguments{function: "SYSTEM$GET_SERVICE_STATUS", list: list}
	name := a.text(0)
	if a.err != nil {
		return "", a.err
	}
	s, err := m.named(ctx, session, name, "USAGE", "MONITOR", "OPERATE")
	if err != nil {
		return "", err
	}
	type one struct {
		Status        string `json:"status"`
		Message       string `json:"message"`
		ContainerName string `json:"containerName"`
		InstanceID    string `json:"instanceId"`
		ServiceName   string `json:"serviceName"`
		Image         string `json:"image"`
		RestartCount  int    `json:"restartCount"`
		StartTime     string `json:"startTime"`
	}
	all := []one{}
	m.mu.Lock()
	for _, in := range m.seen(s).instances {
		for _, b := range in.boxes {
			started := ""
			if !b.started.IsZero() {
				started = b.started.UTC().Format("2006-01-02T15:04:05Z")
			}
			all = append(all, one{b.status, b.message, b.name, strconv.Itoa(in.id), s.name, b.image, b.restarts, started})
		}
	}
	m.mu.Unlock()
	text, err := json.Marshal(all)
	return string(text), err
}

// waitForServices is SYSTEM$WAIT_FOR_SERVICES(seconds, service, …): until all are
// ready, or one has failed.
func (m *Manager) waitForServices(ctx context.Context, session *engine.Session, list []*string) (string, error) {
	a := arguments{function: "SYSTEM$WAIT_FOR_SERVICES", list: list}
	seconds := a.number(0, 0)
	a.text(1)
	var all []*service
	for i := 1; i < len(list) && a.err == nil; i++ {
		s, err := m.named(ctx, session, a.text(i), "USAGE", "MONITOR", "OPERATE")
		if err != nil {
			return "", err
		}
		all = append(all, s)
	}
	if a.err != nil {
		return "", a.err
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	failed := ""
	ready := m.waitFor(limited, nil, func() bool {
		waiting := false
		for _, s := range all {
			switch m.seen(s).status {
			case statusFailed, statusCancelled, statusDeleting:
				failed = s.name
			case statusRunning, statusDone:
			default:
				waiting = true
			}
		}
		return failed != "" || !waiting
	})
	switch {
	case failed != "":
		return "Service " + failed + " has failed.", nil
	case ready:
		return "All services are ready.", nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	}
	return "Not all services are ready yet.", nil
}
