package spcs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Bounds, as documented where Snowflake has one.
const (
	maxServices     = 5000
	maxIntegrations = 10  // of a service
	maxKeptLogs     = 500 // of ended jobs; of older ones the node is gone
	maxViews        = 64  // that a service remembers, for answers that are late
)

// What Snowflake does unless it is told otherwise.
const (
	DefaultGrace  = 30 * time.Second // from SIGTERM to SIGKILL
	DefaultToken  = time.Hour
	DefaultRotate = 3 * time.Minute
)

// Options of the services.
type Options struct {
	// Folder is this stand-in's own: tokens are in it, and its lock tells that the
	// stand-in lives.
	Folder string
	// Account is the name that containers are told.
	Account string
	// Grace, Token and Rotate are how long a container has between SIGTERM and
	// SIGKILL, how long a token is valid, and how often it is replaced; 0: as
	// Snowflake does.
	Grace, Token, Rotate time.Duration
	// Visitor is the user whose browser comes to public endpoints: nobody here asks
	// for a login. "": only those come in who show a token.
	Visitor string
	// Log is told what nobody waits for; nil: nobody is.
	Log func(format string, args ...any)
}

// Manager is the container services of one stand-in.
type Manager struct {
	options Options
	docker  *docker
	engine  *engine.Engine
	port    int // at which containers reach the stand-in

	ctx  context.Context // ends with the manager
	stop context.CancelFunc
	work sync.WaitGroup

	files sync.Mutex // held while tokens are written or removed

	mu       sync.Mutex
	closed   bool
	changed  chan struct{} // closed, and made anew, when something has changed
	pools    map[string]*pool
	services map[string]*service
	tokens   map[string]ticket
	faults   []*Fault
	serial   int
	ended    []*service // jobs, the oldest first, whose logs are kept
}

// New connects to the Docker Engine. Nothing is served before Open.
func New(ctx context.Context, o Options) (*Manager, error) {
	for d, otherwise := range map[*time.Duration]time.Duration{&o.Grace: DefaultGrace, &o.Token: DefaultToken, &o.Rotate: DefaultRotate} {
		if *d < 0 {
			return nil, errors.New("times of services cannot be negative")
		}
		if *d == 0 {
			*d = otherwise
		}
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if err := os.MkdirAll(filepath.Join(o.Folder, sessionsFolder), 0o700); err != nil {
		return nil, err
	}
	d, err := openDocker(ctx, o.Folder)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		options: o, docker: d, changed: make(chan struct{}), pools: map[string]*pool{}, services: map[string]*service{}, tokens: map[string]ticket{},
	}
	m.ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	return m, nil
}

// Gateway is the address at which containers reach this machine.
func (m *Manager) Gateway() string { return m.docker.gateway }

// Open begins to serve an engine, which was given the manager's Handlers. Port is
// the port of Gateway at which the stand-in listens.
func (m *Manager) Open(ctx context.Context, e *engine.Engine, port int) error {
	m.engine, m.port = e, port
	if err := m.loadPools(ctx); err != nil {
		return err
	}
	if err := m.loadServices(ctx); err != nil {
		return err
	}
	m.spawn(m.tend)
	return nil
}

// Close ends every container at once and removes it.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.stop()
	m.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), dockerTimeout)
	defer cancel()
	err := m.docker.sweep(ctx)
	return errors.Join(err, os.RemoveAll(filepath.Join(m.options.Folder, sessionsFolder)), m.docker.close())
}

// spawn runs something that Close waits for. It does not after Close.
func (m *Manager) spawn(what func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spawnLocked(what)
}

func (m *Manager) spawnLocked(what func()) bool {
	if m.closed {
		return false
	}
	m.work.Go(what)
	return true
}

// tell wakes those who wait for a change; the lock is held.
func (m *Manager) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// waitFor waits until a condition, which is asked with the lock held, holds: at
// each change, and from time to time.
func (m *Manager) waitFor(ctx context.Context, stop <-chan struct{}, holds func() bool) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		m.mu.Lock()
		done, changed := holds(), m.changed
		m.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		case <-m.ctx.Done():
			return false
		}
	}
}

// tendEvery is how often pools and tokens are looked after.
const tendEvery = time.Second

// tend suspends idle pools, and replaces tokens.
func (m *Manager) tend() {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	rotate := time.NewTicker(m.options.Rotate)
	defer rotate.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-rotate.C:
			if err := m.rotate(); err != nil {
				m.options.Log("replacing tokens: %v", err)
			}
		case <-ticker.C:
			m.mu.Lock()
			now := time.Now()
			for _, p := range m.pools {
				p.idle(now)
			}
			m.mu.Unlock()
		}
	}
}

// Handlers are the statements that the manager executes.
func (m *Manager) Handlers() map[string]engine.Handler {
	return map[string]engine.Handler{
		"EXECUTE JOB SERVICE": m.executeJob,
		"CREATE SERVICE":      m.createService,
		"ALTER SERVICE":       m.alterService,
		"DROP SERVICE":        m.dropService,
		"GRANT SERVICE ROLE":  m.grantServiceRole, "REVOKE SERVICE ROLE": m.grantServiceRole,
		"SHOW SERVICES": m.showServices, "SHOW JOB SERVICES": m.showServices,
		"SHOW SERVICE INSTANCES":  m.showInstances,
		"SHOW SERVICE CONTAINERS": m.showContainers,
		"SHOW ENDPOINTS":          m.showEndpoints,
		"DESCRIBE SERVICE":        m.describeService, "DESC SERVICE": m.describeService,
		"! SPCS_CANCEL_JOB":                  m.cancelJob,
		"! SPCS_WAIT_FOR":                    m.waitForService,
		"CREATE COMPUTE POOL":                m.createPool,
		"ALTER COMPUTE POOL":                 m.alterPool,
		"DROP COMPUTE POOL":                  m.dropPool,
		"SHOW COMPUTE POOLS":                 m.showPools,
		"DESCRIBE COMPUTE POOL":              m.describePool,
		"CREATE IMAGE REPOSITORY":            m.createRepository,
		"DROP IMAGE REPOSITORY":              m.dropRepository,
		"SHOW IMAGE REPOSITORIES":            m.showRepositories,
		"SHOW IMAGES":                        m.showImages,
		"CREATE NETWORK RULE":                m.createRule,
		"DROP NETWORK RULE":                  m.dropRule,
		"SHOW NETWORK RULES":                 m.showRules,
		"CREATE EXTERNAL ACCESS INTEGRATION": m.createIntegration,
		"DROP EXTERNAL ACCESS INTEGRATION":   m.dropIntegration,
		"DROP INTEGRATION":                   m.dropIntegration,
		"SHOW EXTERNAL ACCESS INTEGRATIONS":  m.showIntegrations,
		"SHOW INTEGRATIONS":                  m.showIntegrations,
		"CREATE SECRET":                      m.createSecret,
		"ALTER SECRET":                       m.alterSecret,
		"DROP SECRET":                        m.dropSecret,
		"SHOW SECRETS":                       m.showSecrets,
		"DESCRIBE SECRET":                    m.describeSecret,
	}
}

// Functions are the SYSTEM$ functions that the manager executes.
func (m *Manager) Functions() map[string]engine.Function {
	return map[string]engine.Function{
		"SYSTEM$GET_SERVICE_LOGS":   m.serviceLogs,
		"SYSTEM$GET_SERVICE_STATUS": m.serviceStatus,
		"SYSTEM$WAIT_FOR_SERVICES":  m.waitForServices,
	}
}

// replacing is CREATE of an object that may be there: done says that nothing is to
// be made.
func (m *Manager) replacing(ctx context.Context, kind, full string, orReplace, ifNotExists bool) (done *engine.Result, err error) {
	_, there, err := m.engine.KeptOne(ctx, kind, full)
	short := full[lastDot(full)+1:]
	switch {
	case err != nil || !there || orReplace:
		return nil, err
	case ifNotExists:
		return engine.Status(short + " already exists, statement succeeded."), nil
	}
	return nil, engine.Exists(short)
}

func lastDot(full string) int {
	for i := len(full) - 1; i >= 0; i-- {
		if full[i] == '.' {
			return i
		}
	}
	return -1
}

// successfully is what a statement says that has made or dropped something.
func successfully(kind, full, what string) *engine.Result {
	return engine.Status(fmt.Sprintf("%s %s successfully %s.", kind, full[lastDot(full)+1:], what))
}
