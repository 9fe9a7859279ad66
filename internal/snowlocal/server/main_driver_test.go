package server_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

var shared postgrestest.Shared

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"SF_DISABLE_MINICORE": "true", "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	if err := sf.GetLogger().SetLogLevel("off"); err != nil {
		panic(err)
	}
	os.Exit(shared.Run(m))
}

// testTimeout bounds what a test waits for.
const testTimeout = 20 * time.Second

// standIn is a server with a database of its own.
type standIn struct {
	engine  *engine.Engine
	server  *server.Server
	handler http.Handler
	address string // http://127.0.0.1:1234
	host    string
	port    int
}

const password = "correct horse"

// users are those of most tests.
func users() []engine.User {
	return []engine.User{
		{Name: "BENCH", Password: password, DefaultRole: "SYSADMIN", Roles: []string{"SYSADMIN"}, Tokens: []string{"a-token"}},
		{Name: "OTHER", Password: "other", DefaultRole: "SYSADMIN", Roles: []string{"SYSADMIN"}},
		{Name: "GONE", Password: "gone", Disabled: true},
	}
}

// start starts a server for one test.
func start(t testing.TB, o server.Options, who ...engine.User) *standIn {
	t.Helper()
	pg := shared.Server(t)
	e, err := engine.Open(t.Context(), engine.Options{DSN: pg.DSN(postgrestest.Superuser, pg.Database(t)), Account: engine.Account{
		Name: "STANDIN", Users: append(users(), who...), Databases: []string{"DB"},
		Warehouses: []engine.Warehouse{{Name: "WH"}, {Name: "SLEEPING", State: engine.Suspended, NoAutoResume: true}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(e, o)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		h.CloseClientConnections()
		h.Close()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	at := h.Listener.Addr().(*net.TCPAddr)
	return &standIn{engine: e, server: s, handler: h.Config.Handler, address: h.URL, host: at.IP.String(), port: at.Port}
}

// config is a login of BENCH; change may make it another.
func (s *standIn) config(change func(*sf.Config)) sf.Config {
	c := sf.Config{
		Account: "standin", User: "BENCH", Password: password, Host: s.host, Port: s.port, Protocol: "http", Database: "DB", Schema: "PUBLIC", Warehouse: "WH",
		Params: map[string]*string{}, MaxRetryCount: 3,
		//lint:ignore SA1019 of this version of the driver there is no other way
		LoginTimeout: testTimeout,
	}
	if change != nil {
		change(&c)
	}
	return c
}

// open is a pool of one session.
func (s *standIn) open(t testing.TB, change func(*sf.Config)) *sql.DB {
	t.Helper()
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, s.config(change)))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// within bounds what a test does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

func exec(t testing.TB, db *sql.DB, query string, args ...any) sql.Result {
	t.Helper()
	r, err := db.ExecContext(within(t), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return r
}

// one is the only value of the only row.
func one(t testing.TB, db *sql.DB, query string, args ...any) (value string) {
	t.Helper()
	if err := db.QueryRowContext(within(t), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// number is the number of Snowflake's error, 0 for another or none.
func number(err error) int {
	var own *sf.SnowflakeError
	if errors.As(err, &own) {
		return own.Number
	}
	return 0
}

// ask sends JSON and reads the answer's.
func (s *standIn) ask(t testing.TB, method, path, token string, send, answer any) int {
	t.Helper()
	var body bytes.Buffer
	if send != nil {
		if err := json.NewEncoder(&body).Encode(send); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(within(t), method, s.address+path, &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Snowflake Token=\""+token+"\"")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
	return reply.StatusCode
}

// raw is an answer of the protocol.
type raw struct {
	Success bool   `json:"success"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Token        string      `json:"token"`
		MasterToken  string      `json:"masterToken"`
		SessionToken string      `json:"sessionToken"`
		SessionID    int64       `json:"sessionId"`
		QueryID      string      `json:"queryId"`
		SQLState     string      `json:"sqlState"`
		GetResultURL string      `json:"getResultUrl"`
		RowSet       [][]*string `json:"rowset"`
		Parameters   []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"parameters"`
	} `json:"data"`
}

// login logs in without a driver.
func (s *standIn) login(t testing.TB, user, password string, parameters map[string]any) (r raw) {
	t.Helper()
	status := s.ask(t, http.MethodPost, "/session/v1/login-request?databaseName=DB&schemaName=PUBLIC&warehouse=WH", "", map[string]any{"data": map[string]any{
		"ACCOUNT_NAME": "standin", "LOGIN_NAME": user, "PASSWORD": password, "SESSION_PARAMETERS": parameters,
		"CLIENT_ENVIRONMENT": map[string]any{"APPLICATION": "a test"},
	}}, &r)
	if status != http.StatusOK {
		t.Fatalf("a login is answered with HTTP %d", status)
	}
	return r
}

// query executes a text without a driver.
func (s *standIn) query(t testing.TB, token, request, text string, more ...any) (r raw) {
	t.Helper()
	body := map[string]any{"sqlText": text}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	if status := s.ask(t, http.MethodPost, "/queries/v1/query-request?requestId="+request, token, body, &r); status != http.StatusOK {
		t.Fatalf("%s is answered with HTTP %d", text, status)
	}
	return r
}

// fault asks for something to go wrong.
func (s *standIn) fault(t testing.TB, f map[string]any) {
	t.Helper()
	if status := s.ask(t, http.MethodPost, "/snowlocal/faults", "", f, nil); status != http.StatusOK {
		t.Fatalf("a fault is answered with HTTP %d", status)
	}
}
