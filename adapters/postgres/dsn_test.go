package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestDSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://me:pass@db:6000/bench?sslmode=disable":              "me:pass@db:6000/bench",
		"postgresql://me@localhost":                                     "me:@localhost:5432/",
		"postgres://me:p%40ss%2F%3A@127.0.0.1/b%20d":                    "me:p@ss/:@127.0.0.1:5432/b d",
		"postgres://me:a:b@[::1]:7000/bench":                            "me:a:b@::1:7000/bench",
		"postgres://me@%2Fvar%2Frun/bench":                              "me:@/var/run:5432/bench",
		"postgres:///bench?host=/tmp/socket&user=me&port=1&password=it": "me:it@/tmp/socket:1/bench",
		"host=localhost user=me password='it''s' dbname=x":              "", // '' ends a quote here
		`host=localhost user=me password='it\'s \\ x' dbname = bench`:   `me:it's \ x@localhost:5432/bench`,
		"host=localhost\tuser=me\npassword=a://b":                       "me:a://b@localhost:5432/",
	} {
		t.Run(dsn, func(t *testing.T) {
			is := is.New(t)
			target, err := New(dsn, Options{})
			if want == "" {
				is.Equal(core.CodeOf(err), core.Invalid)
				return
			}
			is.NoErr(err)
			c := target.config
			is.Equal(strings.Join([]string{c.User, ":", c.Password, "@", strings.Trim(target.address(), "[]"), "/", c.Database}, ""), strings.Replace(want, "::1:7000", "::1]:7000", 1))
		})
	}
}

// A DSN is no pairs because a parameter of it has a =.
func TestDSNOfAnotherDatabase(t *testing.T) {
	for _, dsn := range []string{"mysql://me:hunter22@db/x", "mysql://me:hunter22@db/x?y=z", " mysql://me:hunter22@db/x?y=z"} {
		t.Run(dsn, func(t *testing.T) {
			is := is.New(t)
			_, err := New(dsn, Options{})
			is.Equal(core.CodeOf(err), core.Invalid)
			is.True(strings.Contains(err.Error(), "begins with neither postgres:// nor name=value")) // err
		})
	}
}

// The same DSN gives the same configuration on every machine.
func TestEnvironmentIsNotRead(t *testing.T) {
	is := is.New(t)
	for name, value := range map[string]string{
		"PGHOST": "elsewhere", "PGPORT": "1", "PGUSER": "other", "PGPASSWORD": "other", "PGDATABASE": "other", "PGSSLMODE": "disable",
		"PGAPPNAME": "other", "PGOPTIONS": "-c fsync=off", "PGTZ": "Asia/Tokyo", "PGCONNECT_TIMEOUT": "1", "PGSSLROOTCERT": "/nowhere",
		"PGSSLCERT": "/nowhere", "PGSSLKEY": "/nowhere", "PGTARGETSESSIONATTRS": "standby", "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "require",
		"PGPASSFILE": "/nowhere", "PGSERVICEFILE": "/nowhere", "PGMINPROTOCOLVERSION": "3.2", "PGSSLSNI": "0", "PGSSLNEGOTIATION": "direct", "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	target, err := New("postgres://me@db.example", Options{})
	is.NoErr(err)
	c := target.config
	is.Equal([]string{c.Host, c.User, c.Password, c.Database}, []string{"db.example", "me", "", ""})
	is.Equal(c.Port, uint16(5432))
	is.Equal(len(c.RuntimeParams), 0)
	is.Equal(c.ConnectTimeout, DefaultConnectTimeout)
	is.True(c.ValidateConnect == nil)
	is.Equal([]string{c.RequireAuth, c.ChannelBinding, c.MinProtocolVersion, c.SSLNegotiation}, []string{"", "prefer", "3.0", ""})
	is.Equal(c.TLSConfig.ServerName, "db.example") // verified, whatever PGSSLMODE says
	is.True(!c.TLSConfig.InsecureSkipVerify)
	is.True(c.TLSConfig.RootCAs == nil && len(c.TLSConfig.Certificates) == 0)

	t.Setenv("PGSERVICE", "one")
	_, err = New("postgres://me@db.example", Options{})
	is.Equal(core.CodeOf(err), core.Invalid)
	is.True(strings.Contains(err.Error(), "PGSERVICE"))
}

func TestTLSByDefault(t *testing.T) {
	for _, tc := range []struct {
		dsn               string
		tls, verify, also bool // also: with a way around TLS
	}{
		{"postgres://me@db.example/x", true, true, false},
		{"postgres://me@10.0.0.1/x", true, true, false},
		{"host=db user=me", true, true, false},
		{"postgres://me@localhost/x", false, false, false},
		{"postgres://me@127.1.2.3/x", false, false, false},
		{"postgres://me@[::1]/x", false, false, false},
		{"postgres://me@LOCALHOST/x", false, false, false},
		{"host=/tmp user=me", false, false, false},
		{"postgres://me@localhost/x?sslmode=verify-full", true, true, false},
		{"postgres://me@db.example/x?sslmode=disable", false, false, false},
		{"postgres://me@db.example/x?sslmode=require", true, false, false},
		{"postgres://me@db.example/x?sslmode=prefer", true, false, true},
	} {
		t.Run(tc.dsn, func(t *testing.T) {
			is := is.New(t)
			target, err := New(tc.dsn, Options{})
			is.NoErr(err)
			c := target.config
			is.Equal(c.TLSConfig != nil, tc.tls)
			is.Equal(c.TLSConfig != nil && !c.TLSConfig.InsecureSkipVerify, tc.verify)
			plain := func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil }
			is.Equal(len(c.Fallbacks) > 0 && plain(c.Fallbacks[0]), tc.also)
		})
	}
}

func TestRefusedDSNs(t *testing.T) {
	const secret = "hunter22"
	for _, dsn := range []string{
		"", "   ", "nonsense hunter22", "mysql://me:hunter22@db/x", "postgres://", "postgres://me:hunter22@/x", "postgres://:hunter22@db/x",
		"postgres://me:hunter22@one,two/x", "postgres://me:hunter22@db:port/x", "postgres://me:hunter22@db:70000/x", "postgres://me:hun:ter22@db:hunter22/x",
		"postgres://me:hunter22%zz@db/x", "postgres://me:hunter22@[::1/x", "postgres://me:hunter22@db/x?sslmode", "postgres://me:hunter22@db/x?sslmode=hunter22",
		"postgres://me:hunter22@db/x?service=hunter22", "postgres://me:hunter22@db/x?passfile=/x", "host=db user=me password='hunter22",
		"postgres://me:hunter22@db/x?pgbouncer=hunter22", "postgres://me:hunter22@db/x?connect_timeout=hunter22",
		"postgres://me:hunter22@db/x?sslrootcert=/nowhere", "postgres://me:hunter22@db/x?target_session_attrs=hunter22",
		"host=@abstract user=me password=hunter22",
		"host=db user=me password=hunter22 sslkey=/nowhere", "host=db user=me password=hunter22\x00",
	} {
		t.Run(dsn, func(t *testing.T) {
			is := is.New(t)
			_, err := New(dsn, Options{})
			is.Equal(core.CodeOf(err), core.Invalid)
			is.True(!strings.Contains(err.Error(), secret))
		})
	}
}

func TestTag(t *testing.T) {
	run := "benchfleet:" + strings.Repeat("r", 36)
	for text, want := range map[string]string{
		"benchfleet:run/w1/7":                 "benchfleet:run/w1/7",
		"":                                    "",
		"tab\tünï":                            "tab??n?",
		run + "/worker-with-a-long-name/1234": run + "/w..ng-name/1234",
	} {
		t.Run(text, func(t *testing.T) {
			is := is.New(t)
			is.Equal(tag(text), want)
			is.True(len(want) <= 63)
		})
	}
}

func TestTableNames(t *testing.T) {
	for name, want := range map[string]string{
		"BENCH_ROWS": `"BENCH_ROWS"`, "shop.rows": `"shop"."rows"`, "db.shop.rows": `"db"."shop"."rows"`, `a"b`: `"a""b"`,
		"": "", "a..b": "", "a.b.c.d": "", strings.Repeat("x", 64): "",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := quoteTable(core.TemplateTable{Name: name})
			is.Equal(got, want)
			if want == "" {
				is.Equal(core.CodeOf(err), core.Invalid)
			}
		})
	}
}

// What a DSN names beyond what the driver knows is a setting of the session.
func TestSettingsOfSessions(t *testing.T) {
	is := is.New(t)
	target, err := New("postgres://me@localhost/x?search_path=shop&pgbouncer=true&options=-c%20jit%3Doff", Options{})
	is.NoErr(err)
	is.True(target.pooled)
	is.Equal(target.config.RuntimeParams, map[string]string{"search_path": "shop", "options": "-c jit=off"})
	is.Equal(target.config.DefaultQueryExecMode, pgx.QueryExecModeExec)
}
