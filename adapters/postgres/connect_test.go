package postgres

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// A server is believed only with a certificate that names it, and TLS is not
// given up silently.
func TestTLS(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{TLS: true})
	plain := shared.Server(t)
	dsn := server.DSN(postgrestest.Superuser, "")
	wrongName := strings.Replace(dsn, "127.0.0.1", "127.0.0.2", 1)
	for _, tc := range []struct {
		what, dsn string
		class     string // "" when it works
		tls       bool
	}{
		{"verified", dsn + "?sslmode=verify-full&sslrootcert=" + server.CA, "", true},
		{"verified by name", strings.Replace(dsn, "127.0.0.1", "localhost", 1) + "?sslmode=verify-full&sslrootcert=" + server.CA, "", true},
		{"unknown authority", dsn + "?sslmode=verify-full", "CERTIFICATE", false},
		{"authority unknown, name not asked", dsn + "?sslmode=require", "", true},
		{"another name", wrongName + "?sslmode=verify-full&sslrootcert=" + server.CA, "CERTIFICATE", false},
		{"another name, not asked", wrongName + "?sslmode=verify-ca&sslrootcert=" + server.CA, "", true},
		{"unknown authority, name not asked", dsn + "?sslmode=verify-ca", "CERTIFICATE", false},
		{"no TLS on the server", plain.DSN(postgrestest.Superuser, "") + "?sslmode=require", "NO_TLS", false},
		{"loopback without a word", dsn, "", false},
	} {
		t.Run(tc.what, func(t *testing.T) {
			is := is.New(t)
			target := open(t, strings.Replace(tc.dsn, "/?", "/postgres?", 1), Options{})
			if strings.Contains(tc.dsn, "127.0.0.2") {
				target.config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
			}
			info, err := target.Describe(t.Context(), benchTable)
			if tc.class != "" {
				is.Equal(core.CodeOf(err), core.Denied)
				is.Equal(core.ErrorClass(err), tc.class)
				return
			}
			is.NoErr(err)
			is.Equal(strings.HasPrefix(setting(info, "tls"), "TLS 1."), tc.tls)
		})
	}
	t.Run("a cancel goes over TLS too", func(t *testing.T) {
		is := is.New(t)
		target := open(t, dsn+"postgres?sslmode=verify-full&sslrootcert="+server.CA, Options{})
		s := begin(t, target, sleep, "SELECT 1")
		ctx, cancel := context.WithCancel(t.Context())
		ended := asleep(t, ctx, target, s)
		cancel()
		is.Equal(core.ErrorClass(<-ended), core.ClassCancelled)
		_, err := s.Exec(t.Context(), 1, nil)
		is.NoErr(err)
	})
}

// However connecting fails, no error tells the password.
func TestConnectErrors(t *testing.T) {
	server := shared.Server(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	const secret = "hunter22"
	good := server.DSN(postgrestest.Superuser, "postgres")
	for _, tc := range []struct {
		what, dsn string
		code      core.Code
		class     string
	}{
		{"wrong password", strings.Replace(good, postgrestest.Password, secret, 1), core.Denied, "LOGIN"},
		{"unknown user", strings.Replace(good, "postgres:"+postgrestest.Password, "nobody:"+secret, 1), core.Denied, "LOGIN"},
		{"no such database", server.DSN(postgrestest.Superuser, "nowhere"), core.NotFound, "SQLSTATE_3D000"},
		{"unknown setting", good + "?no_such_setting=" + secret, core.Invalid, "SQLSTATE_42704"},
		{"nobody listens", "postgres://me:hunter22@" + closed.Addr().String() + "/x", core.Unavailable, "CONNECTION"},
		{"no answer", "postgres://me:hunter22@" + silent.Addr().String() + "/x", core.Unavailable, core.ClassTimeout},
		{"no such host", "postgres://me:hunter22@no-such-host.invalid/x", core.Unavailable, "CONNECTION"},
		{"no such socket", "host=/nowhere user=me password=hunter22", core.Unavailable, "CONNECTION"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			is := is.New(t)
			limit := 30 * time.Second // a busy machine takes its time
			if tc.class == core.ClassTimeout {
				limit = 300 * time.Millisecond
			}
			target := open(t, tc.dsn, Options{ConnectTimeout: limit})
			_, opening := target.Open(t.Context(), ports.SessionOptions{Table: benchTable})
			_, describing := target.Describe(t.Context(), benchTable)
			for _, err := range []error{opening, describing} {
				is.Equal(core.CodeOf(err), tc.code)
				is.Equal(core.ErrorClass(err), tc.class)
				is.True(!strings.Contains(err.Error(), secret) && !strings.Contains(err.Error(), postgrestest.Password))
				is.True(!strings.Contains(err.Error(), "\n"))
			}
		})
	}
}

// Preparing the statements of a session waits for a lock of their table no longer than an
// attempt to connect may take.
func TestOpeningDoesNotWaitForALock(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	server.SQL(t, name, `CREATE TABLE locked (id integer)`)
	holder, err := pgx.Connect(t.Context(), dsn)
	is.NoErr(err)
	defer func() { is.NoErr(holder.Close(context.WithoutCancel(t.Context()))) }()
	_, err = holder.Exec(t.Context(), `BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE`)
	is.NoErr(err)
	target := open(t, dsn, Options{ConnectTimeout: 2 * time.Second})
	_, err = target.Open(t.Context(), ports.SessionOptions{Table: benchTable, Statements: []core.Statement{{SQL: "SELECT id FROM locked"}}})
	is.Equal(core.CodeOf(err), core.Unavailable)
	_, err = holder.Exec(t.Context(), `ROLLBACK`)
	is.NoErr(err)
	session, err := target.Open(t.Context(), ports.SessionOptions{Table: benchTable, Statements: []core.Statement{{SQL: "SELECT id FROM locked"}}})
	is.NoErr(err)
	is.NoErr(session.Close())
}

// After Close a target asks nothing any more.
func TestClosedTarget(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	described(t, target, benchTable)
	is.NoErr(target.Close())
	is.NoErr(target.Close())
	_, err := target.Describe(t.Context(), benchTable)
	is.Equal(core.CodeOf(err), core.Unavailable)
}

// The connection that a target keeps for itself is replaced when the server has
// ended it.
func TestKeptConnectionIsReplaced(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	target := open(t, dsn, Options{})
	described(t, target, benchTable)
	server.SQL(t, name, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'benchfleet' AND datname = current_database()")
	described(t, target, benchTable)
	is.Equal(server.SQL(t, name, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'benchfleet' AND datname = current_database()"), "1")
}
