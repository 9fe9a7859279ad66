package engine

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// Session is a session. Execute is called by one goroutine at a time; Close and
// the others by any.
type Session struct {
	engine *Engine
	id     int64

	service       *Service // nil for a user
	copied        bool     // it is a copy, for one query
	inTransaction atomic.Bool

	run sync.Mutex // held by what uses the connection, and what follows

	conn       *pgconn.PgConn
	applied    settings
	plans      *plans
	variables  map[string]sqltext.Expr
	temporary  map[string]bool
	tx         *transaction
	saved      bool      // a savepoint of a statement is open
	results    []*record // the last ones that have a result
	lastIDs    []string
	lastTables []string          // of the statement that runs
	changed    map[string]string // parameters changed by the statement

	signals   sync.Mutex // held while a signal is sent
	current   *record    // what may be cancelled
	interrupt func()     // cancels a handler that runs; nil without

	mu         sync.Mutex // guards what follows
	info       SessionInfo
	parameters map[string]string
	closed     bool
	hybridIn   []string // the databases whose hybrid tables it has used
}

// settings are what PostgreSQL's session has been told.
type settings struct{ role, zone, statement, lock string }

// NewSession opens a session of a user who has proved to be one. A role that the
// user does not have is 390189. A database, schema or warehouse that is missing
// is left out, or is 390201 when CLIENT_VALIDATE_DEFAULT_PARAMETERS is true.
func (e *Engine) NewSession(ctx context.Context, o SessionOptions) (*Session, error) {
	s, err := e.newSession(ctx, o)
	if err != nil {
		return nil, asError(err)
	}
	return s, nil
}

func (e *Engine) newSession(ctx context.Context, o SessionOptions) (*Session, error) {
	var user User
	if o.Service != nil {
		user = o.Service.user()
	} else {
		var ok bool
		var err error
		if user, ok, err = e.User(ctx, o.User); err != nil {
			return nil, err
		}
		if !ok {
			return nil, failure(390100, "08001", "Incorrect username or password was specified.")
		}
	}
	s := &Session{
		engine: e, service: o.Service, id: e.nextID.Add(1), plans: newPlans(), variables: map[string]sqltext.Expr{}, temporary: map[string]bool{}, parameters: map[string]string{},
	}
	s.info.User = user.Name
	if err := s.loginRole(ctx, o, user); err != nil {
		return nil, err
	}
	for name, value := range o.Parameters {
		name = strings.ToUpper(name)
		checked, bad := checkParameter(name, value)
		if bad != nil {
			if _, known := parameters[name]; known {
				return nil, bad
			}
			continue // a driver sends what it likes at login
		}
		s.parameters[name] = checked
	}
	if err := s.loginObjects(ctx, o, user); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		_ = s.conn.Close(ctx)
		return nil, failure(390111, "08001", "The engine is closed.")
	}
	e.sessions[s.id] = s
	return s, nil
}

func (s *Session) loginRole(ctx context.Context, o SessionOptions, user User) error {
	role := nameOf(o.Role)
	if role == "" {
		role = strings.ToUpper(user.DefaultRole)
	}
	if role == "" {
		role = public
	}
	roles, err := s.roles(ctx)
	if err != nil {
		return err
	}
	if !roles[role] {
		return failure(390189, "08001", "Role '%s' specified in the connect string does not exist or not authorized. Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC.", role)
	}
	s.info.Role = role
	return nil
}

// loginObjects takes on database, schema and warehouse as far as they are there.
func (s *Session) loginObjects(ctx context.Context, o SessionOptions, user User) error {
	validate := false
	for name, value := range o.Parameters {
		validate = validate || strings.EqualFold(name, "CLIENT_VALIDATE_DEFAULT_PARAMETERS") && strings.EqualFold(value, "true")
	}
	database, schema, _ := strings.Cut(strings.ToUpper(user.DefaultNamespace), ".")
	if o.Database != "" {
		database, schema = nameOf(o.Database), ""
	}
	if o.Schema != "" {
		schema = nameOf(o.Schema)
	}
	warehouse := nameOf(o.Warehouse)
	if warehouse == "" {
		warehouse = strings.ToUpper(user.DefaultWarehouse)
	}
	for _, step := range []struct {
		name string
		use  func(ctx context.Context, name string) error
	}{{database, s.useDatabase}, {schema, s.useSchema}, {warehouse, s.useWarehouse}} {
		if step.name == "" {
			continue
		}
		err := step.use(ctx, step.name)
		if err == nil {
			continue
		}
		own, ok := err.(*Error)
		if !ok {
			return err
		}
		if validate {
			return failure(390201, "08004", "The requested object does not exist or not authorized: %s (%s)", step.name, oneLine(own.Message))
		}
	}
	return nil
}

// nameOf reads a name of a login: upper case unless it is quoted.
func nameOf(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return strings.ToUpper(s)
}

// connect opens the session's connection.
func (s *Session) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	config := s.engine.config.Copy()
	config.RuntimeParams["application_name"] = "snowlocal " + strconv.FormatInt(s.id, 10)
	config.RuntimeParams["search_path"] = "pg_catalog"
	config.RuntimeParams["datestyle"] = "ISO, YMD"
	config.RuntimeParams["intervalstyle"] = "postgres"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return failure(603, "XX000", "SQL execution internal error:\nthe stand-in's PostgreSQL takes no connection: %s", oneLine(err.Error()))
	}
	s.noTransaction()
	s.conn, s.applied = conn, settings{}
	s.plans.forget()
	return s.apply(ctx, nil)
}

// apply tells PostgreSQL what has changed of role, time zone and timeouts.
func (s *Session) apply(ctx context.Context, request map[string]string) error {
	want := settings{
		role: s.engine.pgRole(s.info.Role), zone: s.parameter("TIMEZONE", request),
		statement: strconv.FormatInt(s.statementTimeout(request)*1000, 10), lock: strconv.FormatInt(s.lockTimeout(request), 10),
	}
	if want == s.applied {
		return nil
	}
	var b strings.Builder
	for _, set := range []struct{ name, have, want string }{
		{"role", s.applied.role, want.role}, {"timezone", s.applied.zone, want.zone}, {"statement_timeout", s.applied.statement, want.statement},
		{"lock_timeout", s.applied.lock, want.lock},
	} {
		if set.have != set.want {
			b.WriteString("SET " + set.name + " = " + pgtext.String(set.want) + ";")
		}
	}
	if _, err := s.conn.Exec(context.WithoutCancel(ctx), b.String()).ReadAll(); err != nil {
		return err
	}
	s.applied = want
	return nil
}

// parameter is the value of a parameter, of the request first.
func (s *Session) parameter(name string, request map[string]string) string {
	if value, ok := request[name]; ok {
		return value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.parameters[name]; ok {
		return value
	}
	return parameters[name].value
}

const maxStatementTimeout = 604800

// statementTimeout is the lower of session's and warehouse's, in seconds.
func (s *Session) statementTimeout(request map[string]string) int64 {
	limit, _ := strconv.ParseInt(s.parameter("STATEMENT_TIMEOUT_IN_SECONDS", request), 10, 64) // it was checked
	if limit <= 0 || limit > maxStatementTimeout {
		limit = maxStatementTimeout
	}
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if w, ok := s.engine.warehouses[s.info.Warehouse]; ok {
		if w.StatementTimeout > 0 {
			limit = min(limit, w.StatementTimeout)
		}
		if w.Type == Interactive {
			limit = min(limit, interactiveCap)
		}
	}
	return limit
}

// lockTimeout is for row locks, in milliseconds; not to wait is to wait for one.
func (s *Session) lockTimeout(request map[string]string) int64 {
	limit, _ := strconv.ParseInt(s.parameter("HYBRID_TABLE_LOCK_TIMEOUT", request), 10, 64) // it was checked
	return max(limit*1000, 1)
}

// ID is the session's number.
func (s *Session) ID() int64 { return s.id }

// Info is what the session uses now.
func (s *Session) Info() SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// use changes what the session uses; what was written for it before is stale.
func (s *Session) use(change func(*SessionInfo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.info)
	s.plans.stale()
}

// Parameters are the session's parameters with their values, for the reply to a
// login.
func (s *Session) Parameters() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]string, len(parameters))
	for name, p := range parameters {
		all[name] = p.value
	}
	maps.Copy(all, s.parameters)
	return all
}

// Close rolls back what is open, cancels what runs, and ends the session.
func (s *Session) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	for _, info := range s.engine.history.list(maxHistoryRows, func(i *QueryInfo) bool { return i.Status == StatusRunning && i.SessionID == s.id }) {
		s.engine.Cancel(info.ID)
	}
	s.run.Lock()
	defer s.run.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if s.tx != nil && !s.conn.IsClosed() { // at once: PostgreSQL itself does when it notices that the connection has ended
		_, _ = s.conn.Exec(ctx, "ROLLBACK").ReadAll()
	}
	_ = s.conn.Close(ctx)
	for _, r := range s.results {
		r.forgetResult()
	}
	s.results = nil
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	delete(s.engine.sessions, s.id)
}

// signal tells PostgreSQL to cancel what runs, if it is that query.
func (s *Session) signal(r *record) {
	s.signals.Lock()
	defer s.signals.Unlock()
	if s.current != r {
		return
	}
	if s.interrupt != nil {
		s.interrupt()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_ = s.conn.CancelRequest(ctx) // it is sent again
}
