package snowflake

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
)

// poolUse is what connections are for.
type poolUse int

const (
	// controlPool is for a store at run time. It names whole tables, and its login
	// no database: one that is missing is found when it is looked for.
	controlPool poolUse = iota
	// applyPool is for a store's DDL.
	applyPool
	// observerPool is for questions about a target, and for preparing it.
	observerPool
	// launcherPool is for a launcher's statements, which need no database and no
	// warehouse.
	launcherPool
	// measuredPool is for the load. There is no pool of these: each benchmark
	// connection has its own.
	measuredPool
)

const (
	// maxLifetime and maxIdle are below what Snowflake allows: a session token
	// lasts an hour, an idle session four.
	maxLifetime = 30 * time.Minute
	maxIdle     = 10 * time.Minute
	// roundTripTimeout bounds one exchange over HTTP. The server answers within 45
	// seconds, if only to say that a statement still runs.
	roundTripTimeout = 90 * time.Second

	controlRetries  = 7 // the driver's default
	observerRetries = 3
	// measuredRetries is 1: a repeated request hides a failure in a latency of
	// more than a second. The driver takes 0 for its default.
	measuredRetries = 1

	controlLockTimeout = 10 * time.Second // for a row of a hybrid table
	tableLockTimeout   = 30 * time.Second // for a standard table
	controlStatement   = 60 * time.Second
	applyStatement     = 15 * time.Minute
	observerStatement  = 60 * time.Minute // loading a table is one of them
)

// openPool makes a pool of at most limit connections. It opens none yet.
// Columns of results are mapped to fields in upper case.
func openPool(config *Config, use poolUse, limit int) (*sqlx.DB, error) {
	if use == measuredPool {
		return nil, fmt.Errorf("%w: snowflake: measured connections have no pool", core.ErrInternal)
	}
	if limit <= 0 {
		return nil, fmt.Errorf("%w: snowflake: a pool of %d connections", core.ErrInternal, limit)
	}
	pool := sql.OpenDB(newConnector(config, use, "benchfleet "+use.String()))
	pool.SetMaxOpenConns(limit)
	pool.SetMaxIdleConns(limit)
	pool.SetConnMaxLifetime(maxLifetime)
	pool.SetConnMaxIdleTime(maxIdle)
	x := sqlx.NewDb(pool, "snowflake")
	x.MapperFunc(strings.ToUpper)
	return x, nil
}

// String is the name of the use, as it stands in QUERY_TAG.
func (u poolUse) String() string {
	switch u {
	case controlPool:
		return "store"
	case applyPool:
		return "schema"
	case observerPool:
		return "observer"
	case launcherPool:
		return "launcher"
	default:
		return "load"
	}
}

// parametersOf are the session parameters of a use: those of this package, and
// over them those of the address.
func parametersOf(use poolUse, given map[string]string) map[string]string {
	p := map[string]string{
		"TIMEZONE": "UTC", "AUTOCOMMIT": "true", "MULTI_STATEMENT_COUNT": "1",
		"CLIENT_TELEMETRY_ENABLED": "false", "ABORT_DETACHED_QUERY": "true",
		"GO_QUERY_RESULT_FORMAT": "JSON", "USE_CACHED_RESULT": "false", "TIMESTAMP_INPUT_FORMAT": "AUTO",
	}
	switch use {
	case controlPool, applyPool:
		p["READ_LATEST_WRITES"] = "true"
		p["HYBRID_TABLE_LOCK_TIMEOUT"], p["LOCK_TIMEOUT"] = seconds(controlLockTimeout), seconds(tableLockTimeout)
		p["ERROR_ON_NONDETERMINISTIC_MERGE"] = "true"
		p["STATEMENT_TIMEOUT_IN_SECONDS"] = seconds(controlStatement)
		p["CLIENT_SESSION_KEEP_ALIVE"] = "true"
		if use == applyPool {
			p["STATEMENT_TIMEOUT_IN_SECONDS"] = seconds(applyStatement)
		}
	case launcherPool:
		p["STATEMENT_TIMEOUT_IN_SECONDS"] = seconds(controlStatement)
	case observerPool:
		p["READ_LATEST_WRITES"] = "true"
		p["STATEMENT_TIMEOUT_IN_SECONDS"] = seconds(observerStatement)
	}
	for name, value := range given {
		if use == measuredPool || name != "GO_QUERY_RESULT_FORMAT" { // meant for the load alone
			p[name] = value
		}
	}
	return p
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// connector opens connections of one use.
type connector struct {
	config *Config
	use    poolUse
	base   sf.Config // not to be changed
}

var _ driver.Connector = (*connector)(nil)

// newConnector makes a connector whose sessions carry a tag.
func newConnector(config *Config, use poolUse, tag string) *connector {
	quieten()
	c := &connector{config: config, use: use, base: sf.Config{
		Account: config.Account, User: config.User, Role: config.Role, Warehouse: config.Warehouse,
		Database: config.Database, Schema: config.Schema,
		Host: config.Host, Port: config.Port, Protocol: config.Protocol, Application: "benchfleet",
		//lint:ignore SA1019 of this version of the driver there is no other way
		LoginTimeout: config.LoginTimeout, ClientTimeout: roundTripTimeout, JWTClientTimeout: roundTripTimeout,
		ValidateDefaultParameters: sf.ConfigBoolTrue, MaxRetryCount: measuredRetries,
		ClientStoreTemporaryCredential: sf.ConfigBoolFalse, ClientRequestMfaToken: sf.ConfigBoolFalse,
		DisableOCSPChecks: true,
	}}
	switch use {
	case controlPool, applyPool, launcherPool:
		c.base.MaxRetryCount, c.base.Database, c.base.Schema = controlRetries, "", ""
	case observerPool:
		c.base.MaxRetryCount, c.base.Warehouse = observerRetries, config.ObserverWarehouse
	}
	c.base.Params = map[string]*string{"QUERY_TAG": &tag}
	c.set(parametersOf(use, config.parameters))
	return c
}

// set adds session parameters to those of the login.
func (c *connector) set(parameters map[string]string) {
	for name, value := range parameters {
		c.base.Params[name] = &value
	}
}

// quieten turns off what the driver logs, and what it does for a log that nobody
// reads, which is two fifths of the cost of a statement. Both are settings of the
// whole process.
func quieten() {
	sf.SetLogKeys()
	_ = sf.GetLogger().SetLogLevel("off") // a level that there is
}

// Connect logs in, within the login timeout.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{session: inner}, nil
}

// Driver is the driver beneath.
func (c *connector) Driver() driver.Driver { return sf.SnowflakeDriver{} }

// login opens a connection of the driver. Errors have their code.
func (c *connector) login(ctx context.Context) (driverConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault(ctx, "logging in to "+c.config.address(), err, true)
	}
	bounded, cancel := context.WithTimeout(ctx, c.config.LoginTimeout)
	defer cancel()
	config := c.base
	config.Params = maps.Clone(c.base.Params)
	config.Transporter = newWire()
	if err := c.config.auth.apply(&config); err != nil {
		return nil, err
	}
	opened, err := sf.NewConnector(sf.SnowflakeDriver{}, config).Connect(detached{bounded})
	if err != nil {
		return nil, c.loginFault(ctx, err)
	}
	inner, ok := opened.(driverConn)
	if !ok {
		_ = opened.Close()
		return nil, fmt.Errorf("%w: snowflake: the driver's connection is a %T", core.ErrInternal, opened)
	}
	return inner, nil
}

// detached is a context whose values are not kept: the driver keeps the context
// of a login for as long as the connection lives.
type detached struct{ context.Context }

// Value is nil for every key.
func (detached) Value(any) any { return nil }

// driverConn is what the driver's connections can do.
type driverConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
	driver.NamedValueChecker
}

// loginFault gives an error of a login its code, and says what mends it.
func (c *connector) loginFault(ctx context.Context, err error) error {
	what := "logging in to " + c.config.address()
	if c.config.User != "" {
		what += " as " + c.config.User
	}
	err = fault(ctx, what, err, ctx.Err() != nil)
	switch number := numberOf(err); number {
	case 390100, 390144, 390186, 390422, 394304:
		return fmt.Errorf("%w; check the account, the user and its %s", err, c.config.auth.kind)
	case 390303, 390318:
		return fmt.Errorf("%w; renew the %s", err, c.config.auth.kind)
	case 390189:
		return fmt.Errorf("%w; GRANT ROLE %s TO USER %s, or name another role", err, c.config.Role, c.config.User)
	case 390201:
		return fmt.Errorf("%w; check its name in the address, and that the role may use what the address names: %s", err, c.usage())
	case 395092:
		return fmt.Errorf("%w; inside Snowpark Container Services leave host and account out of the address", err)
	case sf.ErrCodeFailedToConnect:
		return fmt.Errorf("%w; check account %q", err, c.config.Account)
	}
	return err
}

// usage are the grants of what a login names.
func (c *connector) usage() string {
	var grants []string
	grant := func(kind, name string) {
		if name != "" {
			grants = append(grants, fmt.Sprintf("GRANT USAGE ON %s %s TO ROLE %s", kind, name, firstOf(c.config.Role, "(the user's default)")))
		}
	}
	grant("WAREHOUSE", c.base.Warehouse)
	grant("DATABASE", c.base.Database)
	if c.base.Database != "" && c.base.Schema != "" {
		grant("SCHEMA", c.base.Database+"."+c.base.Schema)
	}
	return strings.Join(grants, "; ")
}
