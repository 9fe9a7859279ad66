package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
)

// Handler executes a statement that the engine does not know. The text is the
// whole statement, without comments before it, with its binds.
type Handler func(ctx context.Context, s *Session, q Query) (*Result, error)

// Engine is the database. Its methods may be called at once.
type Engine struct {
	options  Options
	database string // PostgreSQL's
	zoned    uint32 // the OID of sf.timestamp_tz
	config   *pgconn.Config
	admin    *pgxpool.Pool
	history  *history
	nextID   atomic.Int64
	ddl      atomic.Int64 // raised by every DDL: what was found in the catalogue before may be wrong

	mu         sync.Mutex
	sessions   map[int64]*Session
	warehouses map[string]*warehouse
	columns    map[columnKey]Column // what PostgreSQL's columns are
	kinds      map[string]string    // of tables, by full name
	kindsAt    int64
	closed     bool
}

// adminConnections bounds the connections that look things up.
const adminConnections = 4

// callTimeout bounds what is not a user's statement.
const callTimeout = 30 * time.Second

// Open makes what is missing in the database and returns an engine over it.
func Open(ctx context.Context, o Options) (*Engine, error) {
	config, err := pgxpool.ParseConfig(o.DSN)
	if err != nil {
		return nil, errors.New("the DSN of the stand-in's PostgreSQL cannot be read") // the cause holds it
	}
	config.MaxConns = adminConnections
	config.ConnConfig.RuntimeParams["application_name"] = "snowlocal"
	if o.Account.Name == "" {
		o.Account.Name = "STANDIN"
	}
	if o.Account.Region == "" {
		o.Account.Region = "AWS_US_WEST_2"
	}
	e := &Engine{
		options: o, config: config.ConnConfig.Config.Copy(), history: newHistory(o.History), sessions: map[int64]*Session{},
		columns: map[columnKey]Column{}, kinds: map[string]string{},
	}
	e.nextID.Store(time.Now().UnixMilli() * 1000) // ids of an earlier process are not given out again
	if e.admin, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("connecting to the stand-in's PostgreSQL: %w", err)
	}
	if err = e.setup(ctx); err == nil {
		err = e.loadWarehouses(ctx)
	}
	if err == nil {
		err = e.admin.QueryRow(ctx, "SELECT 'sf.timestamp_tz'::regtype::oid").Scan(&e.zoned)
	}
	if err != nil {
		e.admin.Close()
		return nil, fmt.Errorf("setting the stand-in's PostgreSQL up: %w", err)
	}
	return e, nil
}

// Close ends every session.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	sessions := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		sessions = append(sessions, s)
	}
	e.mu.Unlock()
	var group sync.WaitGroup
	for _, s := range sessions {
		group.Go(s.Close)
	}
	group.Wait()
	e.admin.Close()
	return nil
}

// User returns the user of that name, in any case, as statements left it.
func (e *Engine) User(ctx context.Context, name string) (User, bool, error) {
	var def []byte
	err := e.admin.QueryRow(ctx, "SELECT def FROM sf.users WHERE name = $1 OR name = upper($1)", name).Scan(&def)
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, err
	}
	var u User
	return u, true, json.Unmarshal(def, &u)
}

// Session returns the open session with that id.
func (e *Engine) Session(id int64) (*Session, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sessions[id]
	return s, ok
}

// Cancel cancels a running query, which fails with 000604. It reports whether
// the query was running.
func (e *Engine) Cancel(queryID string) bool {
	r := e.history.find(queryID)
	if r == nil || !r.running() {
		return false
	}
	e.cancel(r)
	return true
}

// Bounds of cancelling: a signal that came before the statement reached
// PostgreSQL is sent again.
const (
	cancelTries = 50
	cancelEvery = 100 * time.Millisecond
)

// cancel signals PostgreSQL until the query has ended.
func (e *Engine) cancel(r *record) {
	r.cancelled.Store(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for range cancelTries {
		select {
		case <-r.done:
			return
		case <-timer.C:
		}
		r.where().signal(r)
		timer.Reset(cancelEvery)
	}
}

// Query is what is known of a query, running or remembered.
func (e *Engine) Query(queryID string) (QueryInfo, bool) {
	r := e.history.find(queryID)
	if r == nil {
		return QueryInfo{}, false
	}
	return r.copy(), true
}

// Result is the result of a finished query that is still remembered: the last of
// each session are.
func (e *Engine) Result(queryID string) (*Result, bool) {
	r := e.history.find(queryID)
	if r == nil {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result, r.result != nil
}

// closure is a role and those whose privileges it has.
func (e *Engine) closure(ctx context.Context, roles ...string) (map[string]bool, error) {
	rows, err := e.admin.Query(ctx, `WITH RECURSIVE c (role) AS (SELECT unnest($1::text[]) UNION
		SELECT g.object FROM sf.grants AS g JOIN c ON g.grantee = c.role WHERE g.kind = 'ROLE' AND g.grantee_kind = 'ROLE') SELECT role FROM c`, append(roles, public))
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, r := range list {
		all[r] = true
	}
	return all, err
}

// userRoles are the roles that a user may take on.
func (e *Engine) userRoles(ctx context.Context, user string) (map[string]bool, error) {
	rows, err := e.admin.Query(ctx, "SELECT object FROM sf.grants WHERE kind = 'ROLE' AND grantee_kind = 'USER' AND grantee = $1", user)
	if err != nil {
		return nil, err
	}
	direct, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	return e.closure(ctx, direct...)
}

// builtIn are privileges on the account that roles have without a grant.
var builtIn = map[string][]string{
	"CREATE DATABASE": {sysAdmin}, "CREATE WAREHOUSE": {sysAdmin}, "CREATE COMPUTE POOL": {sysAdmin}, "CREATE ROLE": {userAdmin}, "CREATE USER": {userAdmin},
	"MANAGE GRANTS": {securityAdmin},
}

// allowed reports whether a role has a privilege that PostgreSQL does not know.
func (e *Engine) allowed(ctx context.Context, role, kind, object, privilege string) (bool, error) {
	roles, err := e.closure(ctx, role)
	if err != nil || roles[accountAdmin] {
		return err == nil, err
	}
	if kind == "ACCOUNT" {
		for _, r := range builtIn[privilege] {
			if roles[r] {
				return true, nil
			}
		}
	}
	names := make([]string, 0, len(roles))
	for r := range roles {
		names = append(names, r)
	}
	var found bool
	err = e.admin.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM sf.grants WHERE kind = $1 AND object = $2 AND grantee_kind = 'ROLE' AND grantee = ANY ($3)
		AND privilege = ANY ($4))`, kind, object, names, []string{privilege, "ALL", "OWNERSHIP"}).Scan(&found)
	if err != nil || found {
		return found, err
	}
	query := map[string]string{"WAREHOUSE": "SELECT owner FROM sf.warehouses WHERE name = $1", "DATABASE": "SELECT owner FROM sf.databases WHERE name = $1",
		"SCHEMA": "SELECT owner FROM sf.schemas WHERE database || '.' || name = $1"}[kind]
	if _, kept := keptKinds[kind]; kept {
		query = "SELECT owner FROM sf.kept WHERE kind = " + pgtext.String(kind) + " AND name = $1"
	}
	if query == "" {
		return false, nil
	}
	var owner string
	if err := e.admin.QueryRow(ctx, query, object).Scan(&owner); errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return roles[owner], nil
}

// may is allowed, as the error that a statement fails with.
func (s *Session) may(ctx context.Context, kind, object, privilege string) error {
	ok, err := s.engine.allowed(ctx, s.info.Role, kind, object, privilege)
	if err != nil || ok {
		return err
	}
	name := object
	if kind == "ACCOUNT" {
		name = s.engine.options.Account.Name
	}
	return failure(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on %s '%s'", strings.ToLower(kind), name)
}
