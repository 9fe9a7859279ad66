package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/matryer/is"
	modernc "modernc.org/sqlite"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// errLost is the reply that did not come.
var errLost = errors.New("the reply is lost")

// line is the way to the database: what goes over it can be lost, before or
// behind the execution.
type line struct {
	mu       sync.Mutex
	lose     func(statement string) (before, behind bool)
	behind   func() // called when a reply was lost
	executed int
}

func (l *line) pass(statement string, execute func() error) error {
	l.mu.Lock()
	l.executed++
	var before, behind bool
	if l.lose != nil {
		before, behind = l.lose(statement)
	}
	call := l.behind
	l.mu.Unlock()
	if before {
		return errLost
	}
	err := execute()
	if err == nil && behind {
		if call != nil {
			call()
		}
		return errLost
	}
	return err
}

type lineConnector struct {
	driver.Connector
	line *line
}

func (c lineConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &lineConn{conn, c.line}, err
}

type lineConn struct {
	driver.Conn
	line *line
}

func (c *lineConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	return result, c.line.pass(query, func() error {
		result, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
}

func (c *lineConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	return rows, c.line.pass(query, func() error {
		rows, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return err
	})
}

// BeginTx fails: no call to a store that is remote begins a transaction.
func (c *lineConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return nil, errors.New("BEGIN, which would leave locks behind with whoever dies")
}

// remoteDialect is SQLite as if it were a network away.
func remoteDialect(path string) sqlstore.Dialect {
	const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
	d := storeDialect(path, nil)
	d.Clock, d.Now, d.Harden, d.Relax = nil, now, "", ""
	standard := sqlstore.StandardInsert(mark, now)
	d.Insert = func(i sqlstore.Insert) string {
		if i.OnlyIf == "" {
			return standard(i)
		}
		only, rows := i.OnlyIf, i.Rows
		if i.Within != "" { // the key is enforced here
			only = "? IS NOT NULL AND " + only
		}
		i.OnlyIf = ""
		text := standard(i)
		at := strings.Index(text, " VALUES ") + 1
		values, rest, _ := strings.Cut(text[at:], " ON CONFLICT ")
		if values == "" || rows == 0 {
			panic("no rows in " + text)
		}
		return text[:at] + "SELECT * FROM (" + values + ") WHERE " + only + " ON CONFLICT " + rest
	}
	code := d.Code
	d.Code = func(err error) error {
		if errors.Is(err, errLost) {
			return core.ErrUnavailable
		}
		return code(err)
	}
	d.Remote = &sqlstore.Remote{
		Again:     func(err error) bool { return isBusy(err) || errors.Is(code(err), core.ErrConflict) },
		Uncertain: func(err error) bool { return errors.Is(err, errLost) },
		Absent:    func(error) string { return "" },
	}
	return d
}

func openRemote(t testing.TB, path string, line *line) ports.Store {
	t.Helper()
	connector, err := modernc.NewConnector(uri(path, url.Values{
		"mode": {"rw"}, "_busy_timeout": {"5000"}, "_error_rc": {"true"}, "_txlock": {"immediate"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(lineConnector{connector, line})
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	x := sqlx.NewDb(db, "sqlite3")
	return sqlstore.New(remoteDialect(path), x, x)
}

// remoteFile has the columns that stores a network away have.
func remoteFile(t testing.TB) string {
	t.Helper()
	path := storeFile(t)
	for _, column := range []string{"COMMIT_ID", "PENDING_EVENTS"} {
		if _, err := rawDB(t, path).Exec("ALTER TABLE RUN_STATUS ADD COLUMN " + column + " TEXT"); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestStoreThatIsRemote: what sqlstore does to spare round trips passes the suite.
func TestStoreThatIsRemote(t *testing.T) {
	var path string
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(t testing.TB) ports.Store {
			path = remoteFile(t)
			return openRemote(t, path, &line{})
		},
		Reopen: func(t testing.TB, _ ports.Store) ports.Store { return openRemote(t, path, &line{}) },
	})
}

// renewed is a run whose owner has renewed its lease: a commit without events.
func renewed(run core.Run, at time.Time) core.Run {
	run.Owner, run.OwnerLeaseUntil = "me", at
	return run
}

// withEvent is a run with one more event.
func withEvent(run core.Run, detail string) (core.Run, []core.ControlEvent) {
	run.Sequence++
	return run, []core.ControlEvent{{RunID: run.ID, Sequence: run.Sequence, Type: core.EventSetWorkerTarget, Detail: detail}}
}

// TestLostReplies: Commit finds out what became of it.
func TestLostReplies(t *testing.T) {
	const update, insert = "UPDATE RUN_STATUS SET VERSION", "INSERT INTO RUN_CONTROL_EVENTS"
	for _, tt := range []struct {
		name           string
		events         bool
		statement      string
		before, behind bool
		times          int       // that it is lost
		others         int       // commits of others before the reply is known to be lost
		want           core.Code // "" for success
		version        int64     // that is stored then
	}{
		{"a reply without events", false, update, false, true, 1, 0, "", 2},
		{"a request without events", false, update, true, false, 1, 0, "", 2},
		{"every request without events", false, update, true, false, 9, 0, core.Unavailable, 1},
		{"a reply without events, and others since", false, update, false, true, 1, 1, core.Unavailable, 3},
		{"a reply with events", true, update, false, true, 1, 0, "", 2},
		{"a request with events", true, update, true, false, 1, 0, "", 2},
		{"every request with events", true, update, true, false, 9, 0, core.Unavailable, 1},
		{"a reply with events, and others since", true, update, false, true, 1, 3, "", 5},
		{"a reply of the copy of events", true, insert, false, true, 1, 0, "", 2},
		{"a request for the copy of events", true, insert, true, false, 1, 0, "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			path := remoteFile(t)
			l, clear := &line{}, openRemote(t, path, &line{})
			store := openRemote(t, path, l)
			defer func() { is.NoErr(errors.Join(store.Close(), clear.Close())) }()
			record := createRun(t, clear)
			next, events := renewed(record.Run, time.Now()), []core.ControlEvent(nil)
			if tt.events {
				next, events = withEvent(record.Run, "mine")
			}
			lost := 0
			l.lose = func(statement string) (before, behind bool) {
				if lost == tt.times || !strings.HasPrefix(statement, tt.statement) {
					return false, false
				}
				lost++
				return tt.before, tt.behind
			}
			l.behind = func() {
				for i := range tt.others {
					now, err := clear.Load(context.Background(), record.Run.ID)
					is.NoErr(err)
					run, events := withEvent(now.Run, fmt.Sprint("other's ", i))
					_, err = clear.Commit(context.Background(), now.Version, run, events, ports.Progress{})
					is.NoErr(err)
				}
			}
			version, err := store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
			is.True(lost > 0)
			if tt.want == "" {
				is.NoErr(err)
				is.Equal(version, int64(2))
			} else {
				is.Equal(core.CodeOf(err), tt.want)
				is.True(errors.Is(err, errLost))
			}
			now, err := clear.Load(t.Context(), record.Run.ID)
			is.NoErr(err)
			is.Equal(now.Version, tt.version)
			is.Equal(now.Run.Sequence, int64(len(wantEvents(t, clear, record.Run.ID, now.Run.Sequence))))
		})
	}
}

// wantEvents fails the test when a run has not the events 1 to n.
func wantEvents(t testing.TB, store ports.Store, runID string, n int64) []core.ControlEvent {
	t.Helper()
	events, err := store.Events(t.Context(), runID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Sequence != int64(i+1) {
			t.Fatalf("event %d has sequence %d", i, e.Sequence)
		}
	}
	if int64(len(events)) != n {
		t.Fatalf("%d events, want %d", len(events), n)
	}
	return events
}

// TestLostRequestOfALoser: the version that is there is another's.
func TestLostRequestOfALoser(t *testing.T) {
	for _, events := range []bool{false, true} {
		is := is.New(t)
		path := remoteFile(t)
		l, clear := &line{}, openRemote(t, path, &line{})
		store := openRemote(t, path, l)
		record := createRun(t, clear)
		_, err := store.Load(t.Context(), record.Run.ID)
		is.NoErr(err)
		next, mine := renewed(record.Run, time.Now()), []core.ControlEvent(nil)
		if events {
			next, mine = withEvent(record.Run, "mine")
		}
		other := false
		l.lose = func(s string) (before, behind bool) {
			if strings.HasPrefix(s, "SELECT VERSION, NEXT") && !other { // it looks what became of it
				other = true
				run, events := withEvent(record.Run, "another's")
				_, err := clear.Commit(context.Background(), record.Version, run, events, ports.Progress{})
				is.NoErr(err)
			}
			return strings.HasPrefix(s, "UPDATE RUN_STATUS SET VERSION"), false
		}
		_, err = store.Commit(t.Context(), record.Version, next, mine, ports.Progress{})
		is.True(other)
		is.Equal(core.CodeOf(err), core.Conflict)
		is.NoErr(errors.Join(store.Close(), clear.Close()))
	}
}

// TestLostReplyOfCreate: the run is there, and whose it is can be told.
func TestLostReplyOfCreate(t *testing.T) {
	is := is.New(t)
	path := remoteFile(t)
	l := &line{}
	store := openRemote(t, path, l)
	defer func() { is.NoErr(store.Close()) }()
	isRun := func(statement string) bool { return strings.HasPrefix(statement, "INSERT INTO RUN_STATUS") }
	l.lose = func(statement string) (before, behind bool) { return false, isRun(statement) }
	_, err := store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.Equal(core.CodeOf(err), core.Unavailable) // each time
	once := false
	l.lose = func(statement string) (before, behind bool) {
		behind = isRun(statement) && !once
		once = once || behind
		return false, behind
	}
	record, err := store.Create(t.Context(), core.Run{ID: "run-2"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
	is.True(once)
	is.True(record.Scenario.InsertBase > 0)
	_, err = store.Create(t.Context(), core.Run{ID: "run-2"}, core.Scenario{}, ports.Home{})
	is.Equal(core.CodeOf(err), core.Conflict)
	l.lose = func(statement string) (before, behind bool) { return isRun(statement), false }
	_, err = store.Create(t.Context(), core.Run{ID: "run-3"}, core.Scenario{}, ports.Home{})
	is.Equal(core.CodeOf(err), core.Unavailable)
	l.lose = nil
	_, err = store.Create(t.Context(), core.Run{ID: "run-3"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
}

// TestPendingEvents: events that could not be copied to their table are there all
// the same, and who commits next copies them, also without having loaded the run.
func TestPendingEvents(t *testing.T) {
	is := is.New(t)
	path := remoteFile(t)
	db := rawDB(t, path)
	copied := func() (n int) {
		is.NoErr(db.QueryRow("SELECT COUNT(*) FROM RUN_CONTROL_EVENTS").Scan(&n))
		return n
	}
	l := &line{}
	store, next := openRemote(t, path, l), openRemote(t, path, &line{})
	defer func() { is.NoErr(errors.Join(store.Close(), next.Close())) }()
	record := createRun(t, store)
	run, version := record.Run, record.Version
	commit := func(store ports.Store, n int) error {
		changed, events := run, []core.ControlEvent(nil)
		for range n {
			var more []core.ControlEvent
			changed, more = withEvent(changed, `"ü\\ <x>`)
			events = append(events, more...)
		}
		_, err := store.Commit(t.Context(), version, changed, events, ports.Progress{})
		if err == nil {
			run, version = changed, version+1
		}
		return err
	}
	l.lose = func(s string) (before, behind bool) {
		return strings.HasPrefix(s, "INSERT INTO RUN_CONTROL_EVENTS"), false
	}
	for range 5 {
		is.NoErr(commit(store, 1))
	}
	is.NoErr(commit(store, 0))
	is.Equal(copied(), 0)
	before := wantEvents(t, next, run.ID, 5)
	is.NoErr(commit(next, 2))
	is.Equal(copied(), 7)
	is.Equal(wantEvents(t, store, run.ID, 7)[:5], before)
	is.NoErr(commit(next, 0))
	var left *string
	is.NoErr(db.QueryRow("SELECT PENDING_EVENTS FROM RUN_STATUS").Scan(&left))
	is.Equal(left, nil)

	for range 11 { // of which none is copied: there is a bound
		is.NoErr(commit(store, 10))
	}
	is.Equal(core.CodeOf(commit(store, 1)), core.Unavailable)
	wantEvents(t, next, run.ID, 117)
	l.mu.Lock()
	l.lose = nil
	l.mu.Unlock()
	is.NoErr(commit(store, 1))
	is.Equal(copied(), 118)
	wantEvents(t, next, run.ID, 118)
}
