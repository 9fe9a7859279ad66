package controller

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The pace of questions whether the store is there. Anybody may ask the health, so
// the store is not asked each time.
const (
	healthFresh = 2 * time.Second
	healthWait  = 4 * time.Second
)

// health says whether the controller does its work. It is asked by platforms, which
// have no token.
type health struct {
	service *Service
	since   time.Time

	mu     sync.Mutex
	asked  time.Time
	reason string // why the store is not there; empty: it is
}

func newHealth(s *Service) *health { return &health{service: s, since: time.Now().UTC()} }

// status is what the controller says of itself. It lives as long as it answers.
func (h *health) status(ctx context.Context) client.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) > healthFresh {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthWait)
		defer cancel()
		h.reason = ""
		if _, err := h.service.store.List(ctx, ports.RunFilter{Limit: 1}); err != nil {
			h.reason = "the store cannot be read: " + string(core.CodeOf(err)) // its error belongs in the log
			h.service.Logger.Warn("the store cannot be read", "error", err.Error())
		}
		h.asked = time.Now()
	}
	s := client.Health{Role: "controller", Live: true, Ready: h.reason == "", Reasons: []string{}, Since: h.since, Version: h.service.Build.ID}
	if h.reason != "" {
		s.Reasons = append(s.Reasons, h.reason)
	}
	return s
}

// ServeHTTP answers 200 when ready and 503 when not.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.status(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if !s.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(s) // one who has gone away
}
