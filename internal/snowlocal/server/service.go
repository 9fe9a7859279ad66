package server

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Services are the container services of a stand-in.
type Services interface {
	// Login finds the service that a token is of, and whether it may be used from
	// an address. It returns nil for a token that is no service's.
	Login(ctx context.Context, token, from string) (of *engine.Service, may bool)
	// Control answers those who control the stand-in, below /snowlocal/spcs.
	Control() http.Handler
}

// insideKey marks the requests of containers.
type insideKey struct{}

// Inside answers drivers in containers, which log in by their service's token and
// in no other way. The control is not there.
func (s *Server) Inside() http.Handler {
	mux := s.drivers()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), insideKey{}, true)))
	})
}

// service finds the service that logs in; nil for a user, who logs in elsewhere.
func (s *Server) service(ctx context.Context, r *http.Request, l *loginData) (*engine.Service, *refusal) {
	if s.options.Services == nil {
		return nil, nil
	}
	_, inside := r.Context().Value(insideKey{}).(bool)
	if !strings.EqualFold(l.Authenticator, "OAUTH") {
		if inside {
			return nil, refuse(codeServiceLogin, "08001", textServiceLogin)
		}
		return nil, nil
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr) // "" is nobody's
	of, may := s.options.Services.Login(ctx, l.Token, from)
	switch {
	case of == nil && inside:
		return nil, refuse(codeBadOAuth, "08001", textBadOAuth+"["+newID()+"]")
	case of == nil:
		return nil, nil
	case !inside || !may || l.LoginName != "" && !strings.EqualFold(l.LoginName, of.Name):
		return nil, refuse(codeServiceToken, "08001", textServiceToken)
	}
	return of, nil
}
