package spcs

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// visitor is the user who comes to a public endpoint: by a token that a program
// shows, and otherwise the one whose browser it is. Whoever has neither the role
// that owns the service nor one of its service roles with that endpoint stays out.
// A status other than 0 is a refusal.
func (m *Manager) visitor(s *service, endpoint string, r *http.Request) (user string, status int, why string) {
	user = m.options.Visitor
	if sent := r.Header.Get("Authorization"); sent != "" {
		token, ok := strings.CutPrefix(sent, `Snowflake Token="`)
		token, closed := strings.CutSuffix(token, `"`)
		if !ok || !closed || token == "" {
			return "", http.StatusUnauthorized, `the header Authorization is not Snowflake Token="…"`
		}
		u, found, err := m.engine.UserByToken(r.Context(), token)
		switch {
		case err != nil:
			return "", http.StatusServiceUnavailable, err.Error()
		case !found:
			return "", http.StatusUnauthorized, "the token is not valid"
		}
		user = u.Name
	}
	if user == "" {
		return "", http.StatusUnauthorized, "nobody has logged in"
	}
	ok, err := m.engine.UserHolds(r.Context(), user, m.admitted(s, endpoint)...)
	switch {
	case err != nil:
		return "", http.StatusServiceUnavailable, err.Error()
	case !ok:
		return "", http.StatusForbidden, "user " + user + " has no service role with the endpoint " + endpoint
	}
	return user, 0, ""
}

// admitted are the roles that may use an endpoint.
func (m *Manager) admitted(s *service, endpoint string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	roles := []string{s.owner}
	for _, role := range s.spec.ServiceRoles {
		if slices.Contains(role.Endpoints, endpoint) {
			roles = append(roles, s.Granted[strings.ToUpper(role.Name)]...)
		}
	}
	return roles
}

// grantServiceRole is GRANT SERVICE ROLE service!role TO ROLE role, and REVOKE.
func (m *Manager) grantServiceRole(ctx context.Context, session *engine.Session, q engine.Query) (*engine.Result, error) {
	w := read(q)
	revoke := !w.word("GRANT")
	if revoke {
		w.need("REVOKE")
	}
	w.need("SERVICE", "ROLE")
	name := w.name()
	w.needOp("!")
	role := w.single()
	if revoke {
		w.need("FROM")
	} else {
		w.need("TO")
	}
	w.need("ROLE")
	to := w.single()
	if err := w.end(); err != nil {
		return nil, err
	}
	s, err := m.find(ctx, session, name, "OWNERSHIP")
	if err != nil {
		return nil, err
	}
	there, err := m.engine.HasRole(ctx, to)
	if err == nil && !there {
		err = engine.Missing("Role", to)
	}
	if err != nil {
		return nil, err
	}
	return m.giveServiceRole(ctx, s, role, to, revoke)
}

// giveServiceRole changes who has a role of a service, and keeps that.
func (m *Manager) giveServiceRole(ctx context.Context, s *service, role, to string, revoke bool) (*engine.Result, error) {
	m.mu.Lock()
	d := s.serviceDef
	known := slices.ContainsFunc(s.spec.ServiceRoles, func(r serviceRole) bool { return strings.EqualFold(r.Name, role) })
	m.mu.Unlock()
	if !known {
		return nil, engine.Missing("Service role", s.full+"!"+role)
	}
	granted := map[string][]string{}
	for name, roles := range d.Granted {
		granted[name] = slices.Clone(roles)
	}
	granted[role] = slices.DeleteFunc(granted[role], func(r string) bool { return r == to })
	if !revoke {
		granted[role] = append(granted[role], to)
	}
	d.Granted = granted
	if err := m.keepService(ctx, &service{serviceDef: d, full: s.full, owner: s.owner}); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Granted = granted
	return engine.Status("Statement executed successfully."), nil
}
