package snowflake

import (
	"errors"
	"net/url"
	"strings"

	"github.com/jmoiron/sqlx"
	sf "github.com/snowflakedb/gosnowflake/v2"
)

// PoolOptions of a pool.
type PoolOptions struct {
	// Environ is the environment that the address may refer to, as os.Environ
	// returns it.
	Environ []string
	// Connections bounds the sessions; 0: DefaultConnections.
	Connections int
}

// OpenPool opens a pool of connections for a launcher of Snowpark Container
// Services. Its sessions log in when they are needed, carry the QUERY_TAG
// "benchfleet launcher", and have no database of their own. Errors: Invalid for the
// address.
func OpenPool(address string, options PoolOptions) (*sqlx.DB, error) {
	config, err := ParseAddress(address, options.Environ)
	if err != nil {
		return nil, err
	}
	if options.Connections <= 0 {
		options.Connections = DefaultConnections
	}
	return openPool(&config, launcherPool, options.Connections)
}

// ErrorNumber is the number and the SQLSTATE of an error of Snowflake; 0 and "" for
// any other.
func ErrorNumber(err error) (int, string) {
	var said *sf.SnowflakeError
	if errors.As(err, &said) {
		return said.Number, said.SQLState
	}
	return 0, ""
}

// ErrorCode is the core's sentinel for an error of Snowflake, or of the way there;
// nil for any other.
func ErrorCode(err error) error { return codeOf(err) }

// ServiceAddress is an address for a process inside of Snowpark Container Services
// that leads to the same place. Account, host and login are left out, since the
// platform gives them, and the role: a service has that of its owner. So there is no
// secret in it. Errors: Invalid for the address.
func ServiceAddress(address string, environ []string) (string, error) {
	c, err := ParseAddress(address, environ)
	if err != nil {
		return "", err
	}
	values := url.Values{"authenticator": {"OAUTH"}}
	for key, value := range map[string]string{
		"warehouse": c.Warehouse, "store_database": c.StoreDatabase, "store_config_schema": c.ConfigSchema, "store_results_schema": c.ResultsSchema,
	} {
		if value != "" {
			values.Set(key, value)
		}
	}
	if c.ObserverWarehouse != c.Warehouse {
		values.Set("observer_warehouse", c.ObserverWarehouse)
	}
	if c.Protocol != "https" {
		values.Set("protocol", c.Protocol)
	}
	if c.LoginTimeout != DefaultLoginTimeout {
		values.Set("login_timeout", seconds(c.LoginTimeout))
	}
	for name, value := range c.parameters {
		values.Set(name, value)
	}
	path := "/" + url.QueryEscape(c.Database)
	if c.Schema != "" {
		path += "/" + url.QueryEscape(c.Schema)
	}
	return path + "?" + values.Encode(), nil
}

// SameAccount reports whether two addresses lead to one account, as far as their
// texts tell.
func SameAccount(a, b Config) bool {
	return strings.EqualFold(a.Account, b.Account) && strings.EqualFold(a.Host, b.Host) && a.Port == b.Port
}
