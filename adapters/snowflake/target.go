package snowflake

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var (
	_ ports.Target  = (*Target)(nil)
	_ ports.Loader  = (*Target)(nil)
	_ ports.Session = (*session)(nil)
)

const (
	// DefaultObservers is how many connections a target keeps for itself.
	DefaultObservers = 4
	// maxDescribed bounds how many statements a target remembers as described.
	maxDescribed = 1024
)

// TargetOptions are options of a target.
type TargetOptions struct {
	// Environ is the environment in which addresses look for connections.toml and
	// for a container's token, as os.Environ returns it.
	Environ []string
	// Observers bounds the connections that the target keeps for itself; 0:
	// DefaultObservers.
	Observers int
}

// Target is a Snowflake account under load. Make it with OpenTarget.
type Target struct {
	config   *Config
	observer *sqlx.DB
	page     int // of the query history

	mu        sync.Mutex
	described map[string]bool // statements that Snowflake has compiled for this target
	verified  map[bool]bool   // the parameters of measured sessions
	closed    bool
}

// OpenTarget makes the target that an address leads to. It reads files and
// connects to nothing. Errors: Invalid, Denied.
func OpenTarget(address string, options TargetOptions) (*Target, error) {
	config, err := ParseAddress(address, options.Environ)
	if err != nil {
		return nil, err
	}
	if options.Observers <= 0 {
		options.Observers = DefaultObservers
	}
	observer, err := openPool(&config, observerPool, options.Observers)
	if err != nil {
		return nil, err
	}
	return &Target{config: &config, observer: observer, page: historyPage, described: map[string]bool{}, verified: map[bool]bool{}}, nil
}

// Close ends the target's own connections. It is idempotent.
func (t *Target) Close() error {
	t.mu.Lock()
	done := t.closed
	t.closed = true
	t.mu.Unlock()
	if done {
		return nil
	}
	if err := t.observer.Close(); err != nil {
		return fmt.Errorf("%w: snowflake: closing: %w", core.ErrInternal, err)
	}
	return nil
}

// observe does something on a connection of the target's own. What it does must
// be idempotent.
func (t *Target) observe(ctx context.Context, what string, do func(queryer) error) error {
	if err := ctx.Err(); err != nil {
		return fault(ctx, what, err, true)
	}
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		return fmt.Errorf("%w: snowflake: %s: the target is closed", core.ErrUnavailable, what)
	}
	return t.mend(fault(ctx, what, pinned(ctx, t.observer, do), ctx.Err() != nil))
}

// mend adds to an error what its reader can do about it.
func (t *Target) mend(err error) error {
	switch numberOf(err) {
	case 606:
		if t.config.Warehouse == "" {
			return fmt.Errorf("%w; name a warehouse in the address", err)
		}
		return fmt.Errorf("%w; run: ALTER WAREHOUSE %s RESUME, or: GRANT USAGE ON WAREHOUSE %s TO ROLE %s", err, t.config.Warehouse, t.config.Warehouse, t.config.Role)
	case 90105:
		return fmt.Errorf("%w; name a database in the address", err)
	case 90106:
		return fmt.Errorf("%w; name a schema in the address", err)
	}
	return err
}

// plainName is an identifier that may stand without quotes.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*$`)

const maxName = 255 // characters of an identifier

// names are the parts of a table's name as Snowflake stores them: an ordinary
// name in upper case; anything else, and what is in double quotes, as it is.
func names(table core.TemplateTable) ([]string, error) {
	var parts []string
	for rest := table.Name; ; {
		part, after := nextName(rest)
		parts = append(parts, part)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	for i, part := range parts {
		if quoted, ok := strings.CutPrefix(part, `"`); ok && strings.HasSuffix(quoted, `"`) {
			parts[i] = strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`)
		} else if plainName.MatchString(part) {
			parts[i] = strings.ToUpper(part)
		}
		if parts[i] == "" || len(parts[i]) > maxName || strings.IndexByte(parts[i], 0) >= 0 || len(parts) > 3 {
			return nil, invalid("the benchmark table is %q; allowed: table, schema.table or database.schema.table, of %d characters each", table.Name, maxName)
		}
	}
	return parts, nil
}

// nextName cuts the first name from a table's; after begins with the dot.
func nextName(text string) (name, after string) {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"' && (i == 0 || quoted):
			quoted = !quoted
		case text[i] == '.' && !quoted:
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// quote makes an identifier of parts of a name.
func quote(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
	}
	return strings.Join(quoted, ".")
}

// literal makes a text literal.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}

// quoteTable makes the identifier of a benchmark table.
func quoteTable(table core.TemplateTable) (string, error) {
	parts, err := names(table)
	if err != nil {
		return "", err
	}
	return quote(parts...), nil
}

// fillTables replaces {table} and {table.PART} by the identifiers of the tables.
func fillTables(sql string, table core.TemplateTable) (string, error) {
	return core.FillTables(sql, table, quoteTable)
}

// statementText checks a statement and puts the table into it.
func statementText(table core.TemplateTable, given core.Statement) (text string, parameters int, err error) {
	if _, err := quoteTable(table); err != nil {
		return "", 0, err
	}
	if err := core.CheckStatement(given.SQL); err != nil {
		return "", 0, err
	}
	parameters, err = core.CountPlaceholders(given.SQL)
	if err != nil {
		return "", 0, err
	}
	if given.Bind != nil && len(given.Bind) != parameters {
		return "", 0, invalid("%d parameters are bound to %d placeholders", len(given.Bind), parameters)
	}
	text, err = fillTables(given.SQL, table)
	return text, parameters, err
}

// Explain lets Snowflake compile a statement, with its placeholders, without
// executing it. That is the driver's describe-only request, by which Snowflake's
// clients prepare statements of every kind with parameters; EXPLAIN is not known
// to take any. Errors: Invalid with what Snowflake says, Denied without the
// privileges that the statement needs.
func (t *Target) Explain(ctx context.Context, table core.TemplateTable, given core.Statement) error {
	text, _, err := statementText(table, given)
	if err != nil {
		return err
	}
	return t.observe(ctx, "explaining a statement", func(on queryer) error { return t.describe(ctx, on, text) })
}

// describable reports whether a statement can be described without executing it.
// What is not known is asked about: it may be misspelled.
func describable(text string) bool {
	switch core.FirstKeyword(text) {
	case "SHOW", "DESCRIBE", "DESC", "CALL", "LIST", "LS", "EXPLAIN", "ALTER", "USE", "SET", "UNSET", "CREATE", "DROP", "TRUNCATE":
		return false
	}
	return true
}

// describe lets Snowflake compile a statement once for this target.
func (t *Target) describe(ctx context.Context, on queryer, text string) error {
	if !describable(text) {
		return nil
	}
	rows, err := on.QueryContext(sf.WithDescribeOnly(ctx), text, nil)
	if err != nil {
		return err
	}
	return rows.Close()
}

// describeOnce describes a statement unless this target has done so already:
// Snowflake keeps nothing of it in a session.
func (t *Target) describeOnce(ctx context.Context, on queryer, text string) error {
	t.mu.Lock()
	done := t.described[text]
	t.mu.Unlock()
	if done {
		return nil
	}
	if err := t.describe(ctx, on, text); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.described) < maxDescribed {
		t.described[text] = true
	}
	return nil
}
