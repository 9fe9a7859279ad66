package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/core"
)

// settings are the parameters of a DSN by their names in libpq.
type settings map[string]string

// badDSN is an error about a DSN. It never quotes values: they may be secrets.
func badDSN(format string, args ...any) error {
	return fmt.Errorf("%w: postgres: the DSN %s", core.ErrInvalid, fmt.Sprintf(format, args...))
}

// parseDSN reads postgres://user:password@host:port/database?name=value, or
// pairs name=value.
func parseDSN(dsn string) (settings, error) {
	if !strings.Contains(dsn, "://") {
		return parsePairs(dsn)
	}
	rest, isURL := strings.CutPrefix(dsn, "postgresql://")
	if !isURL {
		if rest, isURL = strings.CutPrefix(dsn, "postgres://"); !isURL {
			if pairs, err := parsePairs(dsn); err == nil && !foreignURL(dsn) { // a password may hold ://
				return pairs, nil
			}
			return nil, badDSN("begins with neither postgres:// nor name=value")
		}
	}
	return parseURL(rest)
}

// foreignURL reports whether a DSN is a URL of another scheme, and so not pairs:
// the name of a pair is one word without a colon.
func foreignURL(dsn string) bool {
	scheme, _, _ := strings.Cut(trimSpace(dsn), "://")
	return !strings.Contains(scheme, "=")
}

// parseURL reads what stands behind the scheme.
func parseURL(rest string) (settings, error) {
	given := map[string]string{} // still escaped
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		given["user"], given["password"], _ = strings.Cut(rest[:i], ":")
		rest = rest[i+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	address, database, _ := strings.Cut(rest, "/")
	given["database"] = database
	if bracketed, found := strings.CutPrefix(address, "["); found { // IPv6
		if given["host"], address, found = strings.Cut(bracketed, "]"); !found {
			return nil, badDSN("has a [ without a ]")
		}
		given["port"] = strings.TrimPrefix(address, ":")
	} else {
		given["host"], given["port"], _ = strings.Cut(address, ":")
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, found := strings.Cut(pair, "=")
		switch {
		case pair == "":
			continue
		case !found:
			return nil, badDSN("has a parameter without a =")
		}
		given[canonical(name)] = value
	}
	read := settings{}
	for name, value := range given {
		plain, err := url.PathUnescape(value)
		if err != nil {
			return nil, badDSN("has a %% in %s that is not followed by two digits; write %%25", name)
		}
		if plain != "" {
			read[name] = plain
		}
	}
	return read, nil
}

// parsePairs reads name=value pairs; quotes and backslashes are those of libpq.
func parsePairs(text string) (settings, error) {
	read := settings{}
	for text = trimSpace(text); text != ""; text = trimSpace(text) {
		name, rest, found := strings.Cut(text, "=")
		name = trimSpace(name)
		if !found || name == "" || strings.ContainsAny(name, " \t\r\n") {
			return nil, badDSN("is neither postgres://… nor pairs name=value")
		}
		value, rest, closed := pairValue(trimSpace(rest))
		if !closed {
			return nil, badDSN("has a quote that is not closed, in %s", name)
		}
		read[canonical(name)], text = value, rest
	}
	return read, nil
}

// pairValue reads one value, and returns what stands behind it.
func pairValue(text string) (value, rest string, closed bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		case quoted && c == '\'':
			return out.String(), text[i+1:], true
		case !quoted && strings.IndexByte(" \t\r\n", c) >= 0:
			return out.String(), text[i:], true
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), "", !quoted
}

func trimSpace(text string) string { return strings.Trim(text, " \t\r\n") }

// canonical is one name for each parameter.
func canonical(name string) string {
	if name == "dbname" {
		return "database"
	}
	return name
}

// neutral are all parameters that pgx would otherwise take from the environment
// or from files of the user, with the values that stand for none.
func neutral() settings {
	return settings{
		"host": "", "port": "5432", "database": "", "user": "", "password": "", "passfile": "", "servicefile": "",
		"connect_timeout": "0", "sslmode": "", "sslkey": "", "sslcert": "", "sslcertmode": "allow", "sslsni": "1",
		"sslrootcert": "", "sslpassword": "", "sslnegotiation": "", "target_session_attrs": "any",
		"min_protocol_version": "", "max_protocol_version": "", "channel_binding": "prefer", "require_auth": "",
	}
}

// config makes pgx's configuration of a DSN.
func (s settings) config() (*pgx.ConnConfig, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	all, runtime := neutral(), map[string]string{}
	for name, value := range s {
		if _, known := all[name]; known {
			all[name] = value
		} else {
			runtime[name] = value
		}
	}
	if all["sslmode"] == "" {
		all["sslmode"] = defaultTLS(all["host"])
	}
	var pairs strings.Builder
	for name, value := range all {
		fmt.Fprintf(&pairs, "%s='%s' ", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	config, err := pgx.ParseConfig(pairs.String())
	if err != nil {
		return nil, refusedDSN(err)
	}
	config.RuntimeParams = runtime
	return config, nil
}

// refusedDSN says why pgx refuses a DSN. Its own error quotes the DSN.
func refusedDSN(err error) error {
	inner := errors.Unwrap(err)
	switch {
	case inner == nil:
		return badDSN("is refused by the driver: a parameter has a value that it does not know")
	case strings.Contains(inner.Error(), "service"):
		return badDSN("cannot be used while the environment variable PGSERVICE is set; unset it")
	default:
		return badDSN("is refused by the driver: %v", inner)
	}
}

// check refuses what would make a target depend on where its worker runs.
func (s settings) check() error {
	for _, name := range []string{"service", "servicefile", "passfile"} {
		if _, given := s[name]; given {
			return badDSN("names a %s; files of one host are not read, name everything in the DSN", name)
		}
	}
	for name, value := range s {
		if strings.IndexByte(name+value, 0) >= 0 {
			return badDSN("holds a zero byte")
		}
	}
	port, err := strconv.Atoi(s["port"])
	switch {
	case s["host"] == "":
		return badDSN("names no host")
	case strings.HasPrefix(s["host"], "@"):
		return badDSN("names a host that begins with @, an abstract socket of this host; name a host, an IP address, or the folder of a socket")
	case strings.Contains(s["host"], ","):
		return badDSN("names several hosts; a benchmark needs one")
	case s["user"] == "":
		return badDSN("names no user")
	case s["port"] != "" && (err != nil || port < 1 || port > 65535):
		return badDSN("has a port that is no number from 1 to 65535")
	}
	return nil
}

// defaultTLS is the sslmode for a host when the DSN names none.
func defaultTLS(host string) string {
	address := net.ParseIP(host)
	if strings.EqualFold(host, "localhost") || address != nil && address.IsLoopback() {
		return "disable"
	}
	return "verify-full"
}

// takeBool removes a parameter that is ours.
func (s settings) takeBool(name string) (bool, error) {
	value, given := s[name]
	delete(s, name)
	if !given {
		return false, nil
	}
	read, err := strconv.ParseBool(value)
	if err != nil {
		return false, badDSN("has a parameter %s that is neither true nor false", name)
	}
	return read, nil
}

// connectTimeout is that of the DSN, in whole seconds, or the given one.
func (s settings) connectTimeout(otherwise time.Duration) (time.Duration, error) {
	value := s["connect_timeout"]
	if value == "" {
		return otherwise, nil
	}
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 1 || seconds > 3600 {
		return 0, badDSN("has a connect_timeout that is no number of seconds from 1 to 3600")
	}
	return time.Duration(seconds) * time.Second, nil
}

// tag shortens a tag to what the server keeps of an application_name. The
// beginning names the run, the end the connection: the middle goes.
func tag(text string) string {
	const limit, end = 63, 12
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	return text[:limit-end-2] + ".." + text[len(text)-end:]
}

// fillTables replaces {table} and {table.PART} by the identifiers of the tables.
func fillTables(sql string, table core.TemplateTable) (string, error) {
	return core.FillTables(sql, table, quoteTable)
}

// quoteTable makes the identifier of a benchmark table: up to three names with
// dots between, each taken literally.
func quoteTable(table core.TemplateTable) (string, error) {
	parts := strings.Split(table.Name, ".")
	if table.Name == "" {
		return "", fmt.Errorf("%w: postgres: the benchmark table has no name", core.ErrInvalid)
	}
	if len(parts) > 3 || slices.ContainsFunc(parts, func(p string) bool { return p == "" || len(p) > 63 || strings.IndexByte(p, 0) >= 0 }) {
		return "", fmt.Errorf("%w: postgres: the benchmark table is %q; allowed: table, schema.table or database.schema.table, of 63 bytes each", core.ErrInvalid, table.Name)
	}
	return pgx.Identifier(parts).Sanitize(), nil
}
