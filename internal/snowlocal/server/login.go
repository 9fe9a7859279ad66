package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// version is what a login is told that it talks to.
const version = "9.0.0-standin"

// loginData is what a login says.
type loginData struct {
	AccountName       string         `json:"ACCOUNT_NAME"`
	LoginName         string         `json:"LOGIN_NAME"`
	Password          string         `json:"PASSWORD"`
	Authenticator     string         `json:"AUTHENTICATOR"`
	Token             string         `json:"TOKEN"`
	SPCSToken         string         `json:"SPCS_TOKEN"`
	SessionParameters map[string]any `json:"SESSION_PARAMETERS"`
	ClientEnvironment struct {
		Application string `json:"APPLICATION"`
	} `json:"CLIENT_ENVIRONMENT"`
}

// login answers a login.
func (s *Server) login(c *call) []byte {
	var request struct {
		Data loginData `json:"data"`
	}
	if no := c.read(&request); no != nil {
		return no.encode()
	}
	if !sameAccount(s.engine.AccountName(), request.Data.AccountName) {
		c.status = http.StatusForbidden
		return refuse(codeBadAccount, "08001", textBadAccount).encode()
	}
	if s.ctx.Err() != nil {
		return refuse(codeSessionGone, "08001", textSessionGone).encode()
	}
	ctx := context.WithoutCancel(c.http.Context())
	service, no := s.service(ctx, c.http, &request.Data)
	var user engine.User
	switch {
	case no != nil:
	case service != nil:
		user.Name = service.Name
	default:
		user, no = s.prove(ctx, &request.Data)
	}
	if no != nil {
		return no.encode()
	}
	query := c.http.URL.Query()
	opened, err := s.engine.NewSession(ctx, engine.SessionOptions{
		User: user.Name, Role: query.Get("roleName"), Database: query.Get("databaseName"), Schema: query.Get("schemaName"), Warehouse: query.Get("warehouse"),
		Parameters: texts(request.Data.SessionParameters), Service: service,
	})
	if err != nil {
		return refusalOf(err, "").encode()
	}
	running, stop := context.WithCancel(s.ctx)
	first := make(chan struct{})
	close(first) // nothing is before the first statement
	x := &session{
		id: opened.ID(), user: user.Name, application: request.Data.ClientEnvironment.Application, spcs: request.Data.SPCSToken != "",
		since: time.Now(), engine: opened, gone: make(chan struct{}), tail: first, ctx: running, stop: stop,
	}
	token, master := s.sessions.add(x, s.options.Now(), s.options)
	if s.ctx.Err() != nil { // the server has ended the others already
		s.end(x, codeSessionGone)
		return refuse(codeSessionGone, "08001", textSessionGone).encode()
	}
	info := opened.Info()
	return success(map[string]any{
		"token": token, "masterToken": master, "validityInSeconds": seconds(s.options.SessionToken), "masterValidityInSeconds": seconds(s.options.MasterToken),
		"displayUserName": user.Name, "serverVersion": version, "firstLogin": false, "remMeToken": nil, "remMeValidityInSeconds": 0, "healthCheckInterval": 45,
		"newClientForUpgrade": nil, "sessionId": x.id, "parameters": json.RawMessage(x.encodedParameters()), "idToken": nil, "idTokenValidityInSeconds": 0,
		"responseData": nil, "mfaToken": nil, "mfaTokenValidityInSeconds": 0,
		"sessionInfo": map[string]any{
			"databaseName": orNull(info.Database), "schemaName": orNull(info.Schema), "warehouseName": orNull(info.Warehouse), "roleName": orNull(info.Role),
		},
	})
}

// seconds are whole seconds, at least one.
func seconds(d time.Duration) int64 { return max(int64(d/time.Second), 1) }

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// texts are parameters as the engine reads them.
func texts(parameters map[string]any) map[string]string {
	all := make(map[string]string, len(parameters))
	for name, value := range parameters {
		if value != nil {
			all[name] = fmt.Sprint(value)
		}
	}
	return all
}

// encodedParameters are the session's parameters for replies.
func (x *session) encodedParameters() []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.readParameters()
	return x.parameters
}

// queryTag is the session's QUERY_TAG.
func (x *session) queryTag() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.readParameters()
	return x.tag
}

// readParameters reads the parameters if they have changed. The caller holds mu.
func (x *session) readParameters() {
	if x.parameters != nil {
		return
	}
	type parameter struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	}
	values := x.engine.Parameters()
	list := make([]parameter, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, parameter{name, typed(name, values[name])})
	}
	x.parameters, x.tag = encode(list), values["QUERY_TAG"]
}

// typed is a parameter's value in its type.
func typed(name, value string) any {
	switch engine.ParameterKind(name) {
	case "BOOLEAN":
		return value == "true"
	case "NUMBER":
		return json.Number(value)
	}
	return value
}

// changedParameters forgets what was encoded.
func (x *session) changedParameters() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.parameters = nil
}

// authorise finds the session of a call.
func (s *Server) authorise(c *call) *refusal {
	var no *refusal
	c.session, no = s.sessions.find(tokenOf(c.http), s.options.Now())
	return no
}

// tokenOf reads the header Authorization: Snowflake Token="…".
func tokenOf(r *http.Request) string {
	text := strings.TrimPrefix(r.Header.Get("Authorization"), "Snowflake Token=")
	return strings.Trim(text, `"`)
}

// renew answers with a new session token for a master token.
func (s *Server) renew(c *call) []byte {
	var request struct {
		Type string `json:"requestType"`
	}
	if no := c.read(&request); no != nil {
		return no.encode()
	}
	if request.Type != "RENEW" {
		return refuse(codeUnsupported, "0A000", fmt.Sprintf("Unsupported feature 'token request of type %s'.", request.Type)).encode()
	}
	master := tokenOf(c.http)
	x, token, no := s.sessions.renew(master, s.options.Now(), s.options)
	if no != nil {
		if x != nil {
			s.end(x, no.code)
		}
		return no.encode()
	}
	return success(map[string]any{
		"sessionToken": token, "masterToken": master, "sessionId": x.id,
		"validityInSecondsST": seconds(s.options.SessionToken), "validityInSecondsMT": seconds(s.options.MasterToken),
	})
}

// heartbeat keeps a session alive.
func (s *Server) heartbeat(c *call) []byte {
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	s.sessions.beat(c.session, s.options.Now(), s.options)
	return success(nil)
}

// logoutLimit bounds how long a logout waits until what it ends has ended: a
// driver waits for 5 s.
const logoutLimit = 4 * time.Second

// logout ends a session; what it runs is cancelled, what is open rolled back.
func (s *Server) logout(c *call) []byte {
	if c.http.URL.Query().Get("delete") != "true" {
		return refuse(codeUnsupported, "0A000", "Unsupported feature 'POST /session without delete=true'.").encode()
	}
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	s.end(c.session, codeSessionGone)
	timer := time.NewTimer(logoutLimit)
	defer timer.Stop()
	select {
	case <-c.session.gone:
	case <-timer.C:
	}
	return success(nil)
}

// telemetry takes what a driver tells about itself, and forgets it.
func (s *Server) telemetry(c *call) []byte {
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	return success("Log Received")
}

// refusalOf is an error of the engine as an answer.
func refusalOf(err error, query string) *refusal {
	var own *engine.Error
	if !errors.As(err, &own) {
		own = &engine.Error{Number: 603, SQLState: "XX000", Message: "SQL execution internal error:\n" + err.Error()}
	}
	return &refusal{code: fmt.Sprintf("%06d", own.Number), state: own.SQLState, message: own.Message, query: query}
}

// newID makes a UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
