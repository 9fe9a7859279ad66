package controller

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Gate decides who comes in. The zero Gate lets everybody in as an operator, which
// is for loopback alone.
type Gate struct {
	// Tokens, where there are some, are asked for.
	Tokens *Tokens
	// Ingress trusts the header with which the ingress of Snowpark Container Services
	// names its user. It must be set there only: elsewhere anybody can send it.
	Ingress bool
	// Operators are the users of the ingress who may write; "*" is all of them.
	Operators []string
	// Hosts are the names by which requests may ask for this server, without ports;
	// nil: any. Where no token is asked for they keep pages of other sites out,
	// which can have their own name lead here.
	Hosts []string

	open sessions
}

// ingressUser is the header of the ingress. Requests from outside cannot set it
// there.
const ingressUser = "Sf-Context-Current-User"

// maxUser bounds the name of a user.
const maxUser = 255

// LoopbackHosts are the names of a server on loopback.
func LoopbackHosts() []string { return []string{"localhost", "127.0.0.1", "::1"} }

// knows reports whether a request asks for this server by a name of its own.
func (g *Gate) knows(r *http.Request) bool {
	if g.Hosts == nil {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")
	}
	return slices.ContainsFunc(g.Hosts, func(own string) bool { return strings.EqualFold(own, host) })
}

// caller is who asks; false: nobody that may come in.
func (g *Gate) caller(r *http.Request) (Caller, bool) {
	switch {
	case g.Tokens != nil:
		return g.byToken(r)
	case g.Ingress:
		return g.byIngress(r)
	default:
		return Caller{Name: "local", Role: Operator}, true
	}
}

func (g *Gate) byToken(r *http.Request) (Caller, bool) {
	if sent := r.Header.Get("Authorization"); sent != "" {
		scheme, token, _ := strings.Cut(sent, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Caller{}, false
		}
		return g.Tokens.find(strings.TrimSpace(token))
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return Caller{}, false
	}
	return g.open.find(cookie.Value, time.Now())
}

func (g *Gate) byIngress(r *http.Request) (Caller, bool) {
	names := r.Header.Values(ingressUser)
	if len(names) != 1 {
		return Caller{}, false
	}
	name := strings.TrimSpace(names[0])
	if name == "" || len(name) > maxUser || strings.ContainsFunc(name, unicode.IsControl) {
		return Caller{}, false
	}
	c := Caller{Name: name, Role: Viewer}
	if slices.ContainsFunc(g.Operators, func(o string) bool { return o == "*" || strings.EqualFold(o, name) }) {
		c.Role = Operator
	}
	return c, true
}
