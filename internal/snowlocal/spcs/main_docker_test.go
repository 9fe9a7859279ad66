package spcs_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
	"github.com/benchfleet/benchfleet/internal/snowlocal/spcs"
)

// shared is made once for all tests, and removed by TestMain.
var shared struct {
	postgrestest.Shared
	dir, host, image string // of this test binary
}

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"SF_DISABLE_MINICORE": "true", "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	if err := sf.GetLogger().SetLogLevel("off"); err != nil {
		panic(err)
	}
	workerMain()
	var err error
	if shared.dir, err = os.MkdirTemp("", "spcs-test-"); err != nil {
		panic(err)
	}
	code := shared.Run(m)
	err = os.RemoveAll(shared.dir)
	if shared.image != "" {
		err = errors.Join(err, dockertest.Remove(shared.host, shared.image))
	}
	if err != nil {
		fmt.Println(err)
		code = max(code, 1)
	}
	os.Exit(code)
}

const (
	password    = "correct horse"
	testTimeout = 60 * time.Second
	testGrace   = 2 * time.Second
)

// standIn is a stand-in with services, and a database of its own.
type standIn struct {
	manager *spcs.Manager
	address string
	host    string
	port    int
	inside  int // the port for containers
}

// start starts a stand-in for one test; change may make it another.
func start(t *testing.T, change func(*spcs.Options)) *standIn {
	t.Helper()
	host := dockertest.Require(t)
	pg := shared.Server(t)
	o := spcs.Options{Folder: t.TempDir(), Account: "STANDIN", Visitor: "BENCH", Grace: testGrace, Log: t.Logf}
	if change != nil {
		change(&o)
	}
	m, err := spcs.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Options{
		DSN: pg.DSN(postgrestest.Superuser, pg.Database(t)), Handlers: m.Handlers(), Functions: m.Functions(), Gone: m.Gone,
		Account: engine.Account{
			Name: "STANDIN", Databases: []string{"DB"}, Roles: []engine.Role{{Name: "RUNNER"}, {Name: "NOBODY"}},
			Users: []engine.User{
				{Name: "BENCH", Password: password, DefaultRole: "SYSADMIN", Roles: []string{"SYSADMIN", "ACCOUNTADMIN"}},
				{Name: "RUNS", Password: password, Tokens: []string{"runs-token"}, DefaultRole: "RUNNER", Roles: []string{"RUNNER", "NOBODY"}},
			},
			Warehouses: []engine.Warehouse{{Name: "WH"}},
		},
	})
	if err != nil {
		t.Fatal(errors.Join(err, m.Close()))
	}
	s, err := server.New(e, server.Options{Services: m})
	if err != nil {
		t.Fatal(err)
	}
	inside, err := net.Listen("tcp", net.JoinHostPort(m.Gateway(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	outer := httptest.NewServer(s.Handler())
	bridge := &httptest.Server{Listener: inside, Config: &http.Server{Handler: s.Inside()}}
	bridge.Start()
	t.Cleanup(func() {
		err := errors.Join(s.Close(), m.Close(), e.Close(context.Background()))
		for _, h := range []*httptest.Server{outer, bridge} {
			h.CloseClientConnections()
			h.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	if err := m.Open(t.Context(), e, inside.Addr().(*net.TCPAddr).Port); err != nil {
		t.Fatal(err)
	}
	if err := m.EnsureRepository(t.Context(), "DB.SERVICES.IMAGES"); err != nil {
		t.Fatal(err)
	}
	if err := m.EnsurePool(t.Context(), "POOL", "GEN_X64_G2_4", 1, 2); err != nil { // 3 vCPU and 13 GiB a node
		t.Fatal(err)
	}
	at := outer.Listener.Addr().(*net.TCPAddr)
	x := &standIn{manager: m, address: outer.URL, host: at.IP.String(), port: at.Port, inside: inside.Addr().(*net.TCPAddr).Port}
	x.push(t, host, "worker:v1")
	return x
}

// push tags the image of this test binary, as docker push would bring it.
func (x *standIn) push(t *testing.T, host, name string) {
	t.Helper()
	if shared.image == "" {
		image, err := dockertest.Build(host, dockertest.Binary(t, shared.dir, ".", true), map[string]string{dockertest.Label: "spcs"})
		if err != nil {
			t.Fatal(err)
		}
		shared.host, shared.image = host, image
	}
	tag := "db/services/images/" + name
	if out, err := exec.Command("docker", "tag", shared.image, tag).CombinedOutput(); err != nil {
		t.Fatalf("docker tag: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", tag).CombinedOutput(); err != nil && !strings.Contains(string(out), "No such image") {
			t.Errorf("docker rmi: %v: %s", err, out)
		}
	})
}

// open is a pool of one session of BENCH; change may make it another's.
func (x *standIn) open(t testing.TB, change func(*sf.Config)) *sql.DB {
	t.Helper()
	c := sf.Config{
		Account: "standin", User: "BENCH", Password: password, Host: x.host, Port: x.port, Protocol: "http", Database: "DB", Schema: "SERVICES", Warehouse: "WH",
		Params: map[string]*string{}, MaxRetryCount: 3,
		//lint:ignore SA1019 of this version of the driver there is no other way
		LoginTimeout: testTimeout,
	}
	if change != nil {
		change(&c)
	}
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, c))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

func exec1(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(within(t), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// row is one row by the names of its columns; NULL is "NULL".
type row map[string]string

func rows(t testing.TB, db *sql.DB, query string, args ...any) (all []row) {
	t.Helper()
	r, err := db.QueryContext(within(t), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	columns, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := r.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		one := row{}
		for i, name := range columns {
			one[name] = "NULL"
			if values[i].Valid {
				one[name] = values[i].String
			}
		}
		all = append(all, one)
	}
	if err := r.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

// number is that of Snowflake's error.
func number(t testing.TB, db *sql.DB, query string, args ...any) int {
	t.Helper()
	r, err := db.QueryContext(within(t), query, args...)
	if err == nil {
		_ = r.Close()
	}
	var own *sf.SnowflakeError
	if errors.As(err, &own) {
		return own.Number
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return 0
}

// until waits until a query's first row has a value in a column, and returns it.
func until(t testing.TB, db *sql.DB, query, column string, values ...string) row {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.Now().Add(testTimeout)
	for {
		all := rows(t, db, query)
		if len(all) > 0 {
			for _, value := range values {
				if strings.Contains(all[0][column], value) {
					return all[0]
				}
			}
		}
		if time.Now().After(late) {
			t.Fatalf("%s: %s is not %q: %v", query, column, values, all)
		}
		<-tick.C
	}
}

// spec is a specification of one container that plays a script; more are options of
// the container, in JSON.
func spec(script, more string) string {
	if more != "" {
		more = "," + more
	}
	env, _ := json.Marshal(map[string]string{envScript: script})
	return fmt.Sprintf(`{"spec":{"containers":[{"name":"worker","image":"/db/services/images/worker:v1","env":%s%s}]}}`, env, more)
}

func job(name, script, more string) string {
	return "EXECUTE JOB SERVICE IN COMPUTE POOL POOL NAME = DB.SERVICES." + name + " ASYNC = TRUE QUERY_WAREHOUSE = WH COMMENT = '{\"a\": 1}' FROM SPECIFICATION $$" + spec(script, more) + "$$"
}

const statusOf = "SHOW JOB SERVICES LIKE '%s' IN SCHEMA DB.SERVICES"

// left names the containers of a folder that Docker has.
func left(t testing.TB, folder string) string {
	t.Helper()
	out, err := exec.Command("docker", "ps", "-aq", "--filter", "label=snowlocal.folder="+filepath.Clean(folder)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
