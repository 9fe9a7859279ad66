package snowflake

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

const (
	// DefaultDatabase, DefaultConfigSchema and DefaultResultsSchema are where a
	// store keeps its tables unless the address says otherwise.
	DefaultDatabase      = "UNISTORE_BENCHMARK"
	DefaultConfigSchema  = "CONFIG"
	DefaultResultsSchema = "TEST_RESULTS"
	// DefaultLoginTimeout bounds a login with everything that it needs.
	DefaultLoginTimeout = 60 * time.Second
)

// Config is an address that was read: where Snowflake is, and how to log in.
// Printing one shows no secret.
type Config struct {
	// Account and Host name the same place; Host is made of Account where only
	// that is given.
	Account  string
	Host     string
	Port     int
	Protocol string // https or http

	User      string // may be empty with an OAuth token
	Role      string
	Warehouse string
	Database  string
	Schema    string

	// ObserverWarehouse is used by what describes, loads, counts and cancels;
	// Warehouse when empty. With an interactive warehouse it should be a standard
	// one.
	ObserverWarehouse string

	// Of a store.
	StoreDatabase string
	ConfigSchema  string
	ResultsSchema string

	LoginTimeout time.Duration

	auth       auth
	parameters map[string]string // session parameters, in upper case
}

// String shows where an address leads, and no secret.
func (c Config) String() string {
	return fmt.Sprintf("snowflake account %s at %s as %q with role %q, warehouse %q, %s.%s, by %s",
		c.Account, c.address(), c.User, c.Role, c.Warehouse, c.Database, c.Schema, c.auth.kind)
}

// GoString is String: %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// address is the host and port, for texts.
func (c Config) address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// connectionPrefix begins an address that names an entry of connections.toml.
const connectionPrefix = "connection:"

// ParseAddress reads an address: a DSN or connection:NAME, as the package
// describes them. environ is the environment to look into, as os.Environ returns
// it. It reads files and asks no network. Errors: Invalid with the field, Denied
// for a file that may not be read.
func ParseAddress(address string, environ []string) (Config, error) {
	c, err := parseConfig(strings.TrimPrefix(address, "snowflake:"), environ)
	if err != nil {
		return Config{}, fmt.Errorf("%w; an address is user:password@account/database/schema?key=value or connection:NAME", err)
	}
	return *c, nil
}

func parseConfig(address string, environ []string) (*Config, error) {
	env := environment(environ)
	var given *settings
	var err error
	if name, found := strings.CutPrefix(address, connectionPrefix); found {
		given, err = connectionSettings(name, env)
	} else {
		given, err = dsnSettings(address)
	}
	if err != nil {
		return nil, err
	}
	return given.config(env)
}

// invalid is an error that names a field of an address. It never holds the value
// of a secret.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: snowflake: %s", core.ErrInvalid, fmt.Sprintf(format, args...))
}

// settings are what an address gives, by key in lower case without underscores;
// session parameters apart.
type settings struct {
	values     map[string]string
	parameters map[string]string
	connection bool // connections.toml: errors may name its keys as they stand there
}

// dsnSettings reads [user[:password]@][host[:port]|account][/database[/schema]][?key=value&…].
func dsnSettings(dsn string) (*settings, error) {
	s := &settings{values: map[string]string{}, parameters: map[string]string{}}
	if strings.Contains(dsn, "://") {
		return nil, invalid("the address begins with a scheme; write user:password@account/database/schema")
	}
	main, query, _ := strings.Cut(dsn, "?")
	login, place := "", main
	if at := strings.LastIndexByte(main, '@'); at >= 0 {
		login, place = main[:at], main[at+1:]
	}
	user, password, _ := strings.Cut(login, ":")
	parts := strings.Split(place, "/")
	if len(parts) > 3 {
		return nil, invalid("the address has %d parts between slashes; allowed: account/database/schema", len(parts))
	}
	parts = append(parts, "", "")
	for i, part := range []struct{ key, value string }{{"user", user}, {"password", password}, {"place", parts[0]}, {"database", parts[1]}, {"schema", parts[2]}} {
		value, err := url.QueryUnescape(part.value)
		if err != nil {
			return nil, invalid("%s is malformed: write %% as %%25", part.key)
		}
		if value != "" || i == 2 {
			s.values[part.key] = value
		}
	}
	for i, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		key, escaped, found := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(escaped)
		if err == nil && found {
			err = s.set(key, value)
		}
		switch {
		case err == nil && found:
		case strings.Contains(query, "@"): // the rest of a password, it seems: its text is not shown
			return nil, invalid("parameter %d of the address cannot be taken; in a password write ? as %%3F, and in any value @ as %%40", i+1)
		case !found || core.CodeOf(err) != core.Invalid:
			return nil, invalid("parameter %d of the address is malformed: each is key=value, with %% as %%25", i+1)
		default:
			return nil, err
		}
	}
	return s, nil
}

// set takes one key and its value.
func (s *settings) set(key, value string) error {
	if upper := strings.ToUpper(key); slices.Contains(sessionParameters(), upper) {
		s.parameters[upper] = value
		return nil
	}
	name := strings.ReplaceAll(strings.ToLower(key), "_", "")
	if alias, ok := aliases()[name]; ok {
		name = alias
	}
	switch {
	case slices.Contains(knownKeys(), name):
	case slices.Contains(ownParameters(), strings.ToUpper(key)):
		return invalid("%s is set by benchfleet and cannot be given", strings.ToUpper(key))
	default:
		if why, refused := refusedKeys()[name]; refused {
			return invalid("%s is not supported: %s", key, why)
		}
		return invalid("%.40q is not known; allowed: %s; session parameters: %s", key, strings.Join(shownKeys(), ", "), strings.Join(sessionParameters(), ", "))
	}
	if _, twice := s.values[name]; twice {
		return invalid("%s is given twice", key)
	}
	s.values[name] = value
	return nil
}

// shownKeys are the keys of an address, as its errors show them.
func shownKeys() []string {
	return []string{
		"account", "host", "port", "protocol", "region", "user", "password", "password_file", "role", "warehouse", "observer_warehouse",
		"database", "schema", "authenticator", "token", "token_file", "private_key", "private_key_file", "private_key_passphrase",
		"private_key_passphrase_file", "login_timeout", "store_database", "store_config_schema", "store_results_schema",
	}
}

// knownKeys are the same in lower case without underscores.
func knownKeys() []string {
	keys := shownKeys()
	for i, key := range keys {
		keys[i] = strings.ReplaceAll(key, "_", "")
	}
	return keys
}

// aliases are other spellings, of the driver and of Snowflake's other clients.
func aliases() map[string]string {
	return map[string]string{
		"username": "user", "tokenfilepath": "tokenfile", "privatekeypath": "privatekeyfile", "privatekeyfilepwd": "privatekeypassphrase",
		"privatekeyfilepassphrase": "privatekeypassphrase",
	}
}

// refusedKeys are keys of the driver that would change what is measured or shown,
// or that no unattended worker could use.
func refusedKeys() map[string]string {
	const proxy = "set HTTPS_PROXY and NO_PROXY in the environment"
	const retries = "each pool has its own"
	return map[string]string{
		"proxyhost": proxy, "proxyport": proxy, "proxyuser": proxy, "proxypassword": proxy, "proxyprotocol": proxy, "noproxy": proxy,
		"maxretrycount": retries, "requesttimeout": retries, "clienttimeout": retries,
		"tracing": "the driver's log is off", "logquerytext": "the driver's log is off", "logqueryparameters": "the driver's log is off",
		"clientconfigfile": "the driver's log is off", "application": "it is benchfleet",
		"passcode": "nobody is there to type one", "passcodeinpassword": "nobody is there to type one",
		"connectiondiagnosticsenabled": "it ends the process", "validatedefaultparameters": "it is always on",
		"serversessionkeepalive": "it would leave sessions behind", "ocspfailopen": "revocation is not checked", "disableocspchecks": "it is so",
	}
}

// sessionParameters are those that an address may set.
func sessionParameters() []string {
	return []string{
		"ABORT_DETACHED_QUERY", "CLIENT_SESSION_KEEP_ALIVE", "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY",
		"ERROR_ON_NONDETERMINISTIC_MERGE", "ERROR_ON_NONDETERMINISTIC_UPDATE", "GO_QUERY_RESULT_FORMAT", "HYBRID_TABLE_LOCK_TIMEOUT",
		"LOCK_TIMEOUT", "READ_LATEST_WRITES", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "STATEMENT_TIMEOUT_IN_SECONDS",
		"TRANSACTION_ABORT_ON_ERROR",
	}
}

// ownParameters are those that this package needs as they are.
func ownParameters() []string {
	return []string{
		"AUTOCOMMIT", "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "CLIENT_TELEMETRY_ENABLED", "MULTI_STATEMENT_COUNT", "QUERY_TAG", "TIMEZONE",
		"TIMESTAMP_INPUT_FORMAT", "TIMESTAMP_TYPE_MAPPING", "USE_CACHED_RESULT", // the last by target.result_cache of a template
	}
}

// config makes a Config of what was given.
func (s *settings) config(env map[string]string) (*Config, error) {
	c := &Config{
		User: s.values["user"], Role: s.values["role"], Warehouse: s.values["warehouse"], ObserverWarehouse: s.values["observerwarehouse"],
		Database: s.values["database"], Schema: s.values["schema"], LoginTimeout: DefaultLoginTimeout, parameters: s.parameters,
		StoreDatabase: s.values["storedatabase"], ConfigSchema: s.values["storeconfigschema"], ResultsSchema: s.values["storeresultsschema"],
	}
	c.StoreDatabase = firstOf(c.StoreDatabase, c.Database, DefaultDatabase)
	c.ConfigSchema, c.ResultsSchema = firstOf(c.ConfigSchema, DefaultConfigSchema), firstOf(c.ResultsSchema, DefaultResultsSchema)
	if c.Warehouse == "" && c.ObserverWarehouse != "" {
		return nil, invalid("warehouse is missing besides observer_warehouse: which one the load would run on could not be told")
	}
	c.ObserverWarehouse = firstOf(c.ObserverWarehouse, c.Warehouse)
	if text := s.values["logintimeout"]; text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds <= 0 {
			return nil, invalid("login_timeout is %q; allowed: seconds above 0", text)
		}
		c.LoginTimeout = time.Duration(seconds) * time.Second
	}
	var err error
	if c.auth, err = s.auth(env); err != nil {
		return nil, err
	}
	if c.User == "" && c.auth.kind != oauthToken {
		return nil, invalid("user is missing")
	}
	if err := s.place(c, env); err != nil {
		return nil, err
	}
	return c, nil
}

// place finds the host and the account.
func (s *settings) place(c *Config, env map[string]string) error {
	c.Account, c.Host = s.values["account"], s.values["host"]
	port := s.values["port"]
	if place := s.values["place"]; place != "" {
		host, number, ported := strings.Cut(place, ":")
		switch {
		case ported:
			c.Host, port = host, number
		case c.Account != "" || snowflakeHost(host):
			c.Host = host
		default:
			c.Account = host
		}
	}
	if c.Host == "" && c.Account == "" && c.auth.kind == oauthToken { // inside Snowpark Container Services
		c.Host, c.Account, port = env["SNOWFLAKE_HOST"], env["SNOWFLAKE_ACCOUNT"], firstOf(port, env["SNOWFLAKE_PORT"])
	}
	account, region, _ := strings.Cut(c.Account, ".")
	region = firstOf(region, s.values["region"])
	switch {
	case c.Host == "" && account == "":
		return invalid("account is missing")
	case c.Host == "" && region != "":
		c.Host = account + "." + region + domain(region)
	case c.Host == "":
		c.Host = account + domain("")
	case account == "":
		account, _, _ = strings.Cut(c.Host, ".")
	}
	c.Account = account
	if strings.ContainsAny(c.Account+c.Host, " /@:?#\"'") {
		return invalid("account or host has a character that no name has")
	}
	c.Protocol = firstOf(s.values["protocol"], "https")
	if c.Protocol != "https" && c.Protocol != "http" {
		return invalid("protocol is %q; allowed: https, http", c.Protocol)
	}
	number, err := strconv.Atoi(firstOf(port, "443"))
	if err != nil || number < 1 || number > 65535 {
		return invalid("port is %q; allowed: 1 to 65535", port)
	}
	c.Port = number
	return nil
}

func snowflakeHost(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, domain("")) || strings.HasSuffix(name, domain("cn-"))
}

// domain is where the accounts of a region are.
func domain(region string) string {
	if strings.HasPrefix(strings.ToLower(region), "cn-") {
		return ".snowflakecomputing.cn"
	}
	return ".snowflakecomputing.com"
}

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// environment makes a map of what os.Environ returns.
func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env
}
