package snowflaketest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"
)

// sqlTimeout bounds one statement of this package.
const sqlTimeout = 60 * time.Second

// In says where a DSN leads; what is empty is as the server says.
type In struct {
	User, Password, Role, Warehouse, Database, Schema string
	// More parameters: session parameters, or keys of the adapter.
	More map[string]string
}

// account reads the DSN of a real account.
func account(dsn string) (*Server, error) {
	config, err := sf.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("%s is not a DSN of the gosnowflake driver", accountVariable) // its text may hold the password
	}
	_, query, _ := strings.Cut(dsn, "?")
	return &Server{
		Account: config.Account, User: config.User, Password: config.Password, Role: config.Role, Warehouse: config.Warehouse,
		Database: config.Database, Host: config.Host, Port: config.Port, query: query,
	}, nil
}

// DSN makes an address of the driver, and of the adapter.
func (s *Server) DSN(in In) string {
	login := url.QueryEscape(either(in.User, s.User))
	if password := either(in.Password, s.Password); password != "" {
		login += ":" + url.QueryEscape(password)
	}
	query, err := url.ParseQuery(s.query)
	if err != nil {
		query = url.Values{}
	}
	query.Set("account", s.Account)
	if s.Admin != "" {
		query.Set("protocol", "http")
	}
	for key, value := range map[string]string{"role": either(in.Role, s.Role), "warehouse": either(in.Warehouse, s.Warehouse)} {
		if value != "" {
			query.Set(key, value)
		}
	}
	for key, value := range maps.All(in.More) {
		query.Set(key, value)
	}
	path := "/" + url.QueryEscape(either(in.Database, s.Database))
	if in.Schema != "" {
		path += "/" + url.QueryEscape(in.Schema)
	}
	return login + "@" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) + path + "?" + query.Encode()
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// Schema makes an empty schema in the server's database, and drops it at the end
// of the test.
func (s *Server) Schema(tb testing.TB) string {
	tb.Helper()
	name := "T_" + rand.Text()[:16]
	s.SQL(tb, "CREATE SCHEMA "+s.Database+"."+name)
	tb.Cleanup(func() {
		if err := s.execute(context.Background(), In{}, "DROP SCHEMA IF EXISTS "+s.Database+"."+name); err != nil {
			tb.Errorf("dropping schema %s: %v", name, err)
		}
	})
	return name
}

// SQL executes statements as the server's user.
func (s *Server) SQL(tb testing.TB, statements ...string) {
	tb.Helper()
	s.SQLIn(tb, In{}, statements...)
}

// SQLIn executes statements somewhere else, or as another.
func (s *Server) SQLIn(tb testing.TB, in In, statements ...string) {
	tb.Helper()
	if err := s.execute(tb.Context(), in, statements...); err != nil {
		tb.Fatal(err)
	}
}

// Value is the only value of the only row of a query.
func (s *Server) Value(tb testing.TB, in In, query string, args ...any) (value string) {
	tb.Helper()
	err := s.use(tb.Context(), in, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, query, args...).Scan(&value)
	})
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return value
}

func (s *Server) execute(ctx context.Context, in In, statements ...string) error {
	return s.use(ctx, in, func(ctx context.Context, db *sql.DB) error {
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}

// use does something on one connection of its own.
func (s *Server) use(ctx context.Context, in In, do func(context.Context, *sql.DB) error) (err error) {
	config, err := sf.ParseDSN(s.DSN(in))
	if err != nil {
		return fmt.Errorf("the DSN of the tests is malformed: %w", err)
	}
	off := "false"
	config.Params["CLIENT_TELEMETRY_ENABLED"] = &off
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, *config))
	db.SetMaxOpenConns(1)
	defer func() {
		if closed := db.Close(); err == nil {
			err = closed
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, sqlTimeout)
	defer cancel()
	return do(ctx, db)
}
