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

func (c *lineConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
	return &lineTx{tx, c.line}, err
}

type lineTx struct {
	driver.Tx
	line *line
}

func (t *lineTx) Commit() error {
	err := t.line.pass("COMMIT", t.Tx.Commit)
	if errors.Is(err, errLost) {
		_ = t.Tx.Rollback() // as a server does with the transaction of a lost connection
	}
	return err
}

// remoteDialect is SQLite as if it were a network away.
func remoteDialect(path string) sqlstore.Dialect {
	const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
	d := storeDialect(path, nil)
	d.Clock, d.Now, d.Harden, d.Relax = nil, now, "", ""
	standard := sqlstore.StandardInsert("?", now)
	d.Insert = func(i sqlstore.Insert) string {
		if i.OnlyIf == "" || len(i.Now) > 0 {
			return standard(i)
		}
		only, rows := i.OnlyIf, i.Rows
		if i.Within != "" { // the key is enforced here
			only = "? IS NOT NULL AND " + only
		}
		i.OnlyIf = ""
		text := standard(i)
		row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(i.Columns)), ", ") + ")"
		values := "VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
		return strings.Replace(text, values, "SELECT * FROM ("+values+") WHERE "+only, 1)
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

// remoteFile has the column that stores a network away have.
func remoteFile(t testing.TB) string {
	t.Helper()
	path := storeFile(t)
	if _, err := rawDB(t, path).Exec("ALTER TABLE RUN_STATUS ADD COLUMN COMMIT_ID TEXT"); err != nil {
		t.Fatal(err)
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
	const update, commit = "UPDATE RUN_STATUS SET VERSION", "COMMIT"
	for _, tt := range []struct {
		name           string
		events         bool
		statement      string
		before, behind bool
		others         int       // commits of others before the reply is known to be lost
		want           core.Code // "" for success
		version        int64     // that is stored then
	}{
		{"a reply without events", false, update, false, true, 0, "", 2},
		{"a request without events", false, update, true, false, 0, core.Unavailable, 1},
		{"a reply without events, and others since", false, update, false, true, 1, core.Unavailable, 3},
		{"a reply with events", true, commit, false, true, 0, "", 2},
		{"a request with events", true, commit, true, false, 0, core.Unavailable, 1},
		{"a reply with events, and others since", true, commit, false, true, 3, "", 5},
		{"a request in a transaction", true, update, true, false, 0, core.Unavailable, 1},
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
			lost := false
			l.lose = func(statement string) (before, behind bool) {
				if lost || !strings.HasPrefix(statement, tt.statement) {
					return false, false
				}
				lost = true
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
			is.True(lost)
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
		})
	}
}

// TestLostRequestOfALoser: the version that is there is another's.
func TestLostRequestOfALoser(t *testing.T) {
	for _, events := range []bool{false, true} {
		is := is.New(t)
		path := remoteFile(t)
		l, clear := &line{}, openRemote(t, path, &line{})
		store := openRemote(t, path, l)
		record := createRun(t, clear)
		next, mine := renewed(record.Run, time.Now()), []core.ControlEvent(nil)
		statement := "UPDATE RUN_STATUS SET VERSION"
		if events {
			next, mine = withEvent(record.Run, "mine")
			statement = "COMMIT"
		}
		l.lose = func(s string) (before, behind bool) { return strings.HasPrefix(s, statement), false }
		l.mu.Lock()
		read := l.lose
		other := false
		l.lose = func(s string) (before, behind bool) {
			if strings.HasPrefix(s, "SELECT VERSION, NEXT") && !other { // it looks what became of it
				other = true
				run, events := withEvent(record.Run, "another's")
				_, err := clear.Commit(context.Background(), record.Version, run, events, ports.Progress{})
				is.NoErr(err)
			}
			return read(s)
		}
		l.mu.Unlock()
		_, err := store.Commit(t.Context(), record.Version, next, mine, ports.Progress{})
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
	l.lose = func(statement string) (before, behind bool) { return false, statement == "COMMIT" }
	record, err := store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
	is.True(record.Scenario.InsertBase > 0)
	_, err = store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.Equal(core.CodeOf(err), core.Conflict)
	l.lose = func(statement string) (before, behind bool) { return statement == "COMMIT", false }
	_, err = store.Create(t.Context(), core.Run{ID: "run-2"}, core.Scenario{}, ports.Home{})
	is.Equal(core.CodeOf(err), core.Unavailable)
}
