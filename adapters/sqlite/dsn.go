package sqlite

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// parse reads a DSN. Its text is not in errors: it is an endpoint.
func (t *Target) parse(dsn string) error {
	dsn = strings.TrimPrefix(dsn, "sqlite:")
	name, query, _ := strings.Cut(dsn, "?")
	if file, found := strings.CutPrefix(name, "file:"); found {
		unescaped, err := url.PathUnescape(file)
		if err != nil {
			return fmt.Errorf("%w: sqlite: the DSN's file: URI is malformed", core.ErrInvalid)
		}
		name = strings.TrimPrefix(unescaped, "//")
	}
	if name == "" || strings.HasPrefix(name, ":memory:") {
		return fmt.Errorf("%w: sqlite: the DSN must name a file; in memory every session would have a database of its own", core.ErrInvalid)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
	}
	t.path = path
	given, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("%w: sqlite: the DSN's parameters are malformed", core.ErrInvalid)
	}
	return t.parseParameters(given)
}

// busySlice is how long SQLite itself waits for a lock before it gives the
// session a chance to see that its context has ended.
const busySlice = 20 * time.Millisecond

func (t *Target) parseParameters(given url.Values) error {
	t.parameters = url.Values{
		"_pragma":       slices.Clone(given["_pragma"]),
		"_busy_timeout": {strconv.FormatInt(min(busySlice, t.busy).Milliseconds(), 10)},
		"_error_rc":     {"true"}, "_time_format": {"sqlite"},
	}
	if !slices.ContainsFunc(given["_pragma"], sets("synchronous")) {
		t.parameters.Add("_pragma", "synchronous(NORMAL)")
	}
	if slices.ContainsFunc(given["_pragma"], sets("busy_timeout")) {
		return fmt.Errorf("%w: sqlite: _pragma=busy_timeout is not allowed; write _busy_timeout=MILLISECONDS", core.ErrInvalid)
	}
	for key, values := range given {
		value := values[len(values)-1]
		switch key {
		case "_pragma":
		case "_busy_timeout":
			ms, err := strconv.Atoi(value)
			if err != nil || ms < 0 {
				return fmt.Errorf("%w: sqlite: _busy_timeout is %q; allowed: milliseconds", core.ErrInvalid, value)
			}
			t.busy = time.Duration(ms) * time.Millisecond
			t.parameters.Set("_busy_timeout", strconv.FormatInt(min(busySlice, t.busy).Milliseconds(), 10))
		case "_txlock":
			if value != "deferred" && value != "immediate" {
				return fmt.Errorf("%w: sqlite: _txlock is %q; allowed: deferred, immediate", core.ErrInvalid, value)
			}
			t.begin = "BEGIN " + strings.ToUpper(value)
		case "mode", "immutable":
			if err := t.fix(key, value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: sqlite: the DSN has a parameter %q; allowed: _pragma, _busy_timeout, _txlock, mode, immutable", core.ErrInvalid, key)
		}
	}
	return nil
}

// fix notes what of the DSN makes the target read-only.
func (t *Target) fix(key, value string) error {
	allowed := map[string][]string{"mode": {"ro", "rw"}, "immutable": {"0", "1"}}[key]
	switch {
	case !slices.Contains(allowed, value):
		return fmt.Errorf("%w: sqlite: %s is %q; allowed: %s", core.ErrInvalid, key, value, strings.Join(allowed, ", "))
	case value == "ro" && t.fixed == "", value == "1":
		t.fixed = key + "=" + value
	}
	return nil
}

// sets recognises a pragma by its name.
func sets(name string) func(pragma string) bool {
	return func(pragma string) bool { return strings.HasPrefix(strings.ToLower(strings.TrimSpace(pragma)), name) }
}

// dsn is for a connection in a mode: "rw", "rwc" to make the file, "immutable" to
// read it without a file beside it. What the DSN says goes before.
func (t *Target) dsn(mode string) string {
	parameters := url.Values{"mode": {mode}}
	switch {
	case mode == "immutable", t.fixed == "immutable=1":
		parameters = url.Values{"mode": {"ro"}, "immutable": {"1"}}
	case t.fixed == "mode=ro":
		parameters.Set("mode", "ro")
	}
	for key, values := range t.parameters {
		parameters[key] = values
	}
	return uri(t.path, parameters)
}
