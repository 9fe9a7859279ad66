package spcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

// ingress is the public endpoints of a service, each at a port of loopback, for as
// long as the service is there: an upgrade does not change it.
type ingress struct {
	servers map[string]*http.Server
	at      map[string]string
}

func (g *ingress) url(endpoint string) any {
	if g == nil || g.at[endpoint] == "" {
		return nil
	}
	return g.at[endpoint]
}

// open opens the public endpoints of a service.
func (m *Manager) open(s *service) error {
	g := &ingress{servers: map[string]*http.Server{}, at: map[string]string{}}
	s.ingress = g
	for _, e := range s.spec.Spec.Endpoints {
		if !e.Public {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			m.shut(s)
			return fmt.Errorf("endpoint %s: %w", e.Name, err)
		}
		h := &http.Server{Handler: m.proxy(s, e.Name), ReadHeaderTimeout: 10 * time.Second}
		g.servers[e.Name], g.at[e.Name] = h, listener.Addr().String()
		if !m.spawn(func() {
			if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				m.options.Log("endpoint %s of %s: %v", e.Name, s.full, err)
			}
		}) {
			return errors.Join(errors.New("the stand-in ends"), listener.Close())
		}
		context.AfterFunc(m.ctx, func() { _ = h.Close() }) // its listener's error is Serve's
	}
	return nil
}

// shut closes the endpoints of a service.
func (m *Manager) shut(s *service) {
	if s.ingress == nil {
		return
	}
	for _, h := range s.ingress.servers {
		if err := h.Close(); err != nil {
			m.options.Log("closing an endpoint of %s: %v", s.full, err)
		}
	}
}

// ingressTimeout is how long an endpoint may be silent, as documented.
const ingressTimeout = 90 * time.Second

// proxy leads to an instance that is ready.
func (m *Manager) proxy(s *service, endpoint string) http.Handler {
	transport := &http.Transport{ResponseHeaderTimeout: ingressTimeout, IdleConnTimeout: ingressTimeout, DisableKeepAlives: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
			http.Error(w, r.Method+" is not allowed", http.StatusMethodNotAllowed)
			return
		}
		user, status, why := m.visitor(s, endpoint, r)
		if status != 0 {
			http.Error(w, why, status)
			return
		}
		address, port := m.ready(s, endpoint)
		if address == "" {
			http.Error(w, "no instance of the service is ready", http.StatusServiceUnavailable)
			return
		}
		proxy := &httputil.ReverseProxy{
			Transport: transport,
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: net.JoinHostPort(address, strconv.Itoa(port))})
				p.Out.Header.Del("Authorization") // the platform's, and not the service's
				p.Out.Header.Set("Sf-Context-Current-User", user)
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				http.Error(w, err.Error(), http.StatusBadGateway)
			},
		}
		proxy.ServeHTTP(w, r)
	})
}

// ready is the address of an instance that is ready, and the endpoint's port.
func (m *Manager) ready(s *service, endpoint string) (string, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	port := 0
	for _, e := range s.spec.Spec.Endpoints {
		if e.Name == endpoint {
			port = e.Port
		}
	}
	for _, in := range s.instances {
		if in.state() != statusReady || port == 0 {
			continue
		}
		for _, b := range in.boxes {
			if b.address != "" {
				return b.address, port
			}
		}
	}
	return "", 0
}
