package main_test

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
)

const waitLimit = 60 * time.Second

// program is the command, built once.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(envStay) != "" { // a container
		time.Sleep(time.Hour)
	}
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "snowlocal-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		program = filepath.Join(folder, "snowlocal")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// process is the command while it runs.
type process struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	ended  chan error

	Host, Account, User, Password, Warehouse, Database, Role string
	Port                                                     int
	KeyFile                                                  string `json:"private_key_file"`
	TokenFile                                                string `json:"token_file"`
	ComputePool                                              string `json:"compute_pool"`
	ImageRepository                                          string `json:"image_repository"`
}

// launch starts the command, which need not get as far as to serve.
func launch(t *testing.T, args ...string) (*process, []byte) {
	t.Helper()
	if _, err := pgcluster.Find(); err != nil {
		if slices.Contains(strings.Split(os.Getenv("BENCHFLEET_REQUIRE"), ","), "postgres") {
			t.Fatalf("BENCHFLEET_REQUIRE names postgres: %v", err)
		}
		t.Skipf("no PostgreSQL server on this machine: %v", err)
	}
	p := &process{Cmd: exec.Command(program, args...), ended: make(chan error, 1)}
	p.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err == nil {
		p.stdin, err = p.StdinPipe()
	}
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // it may have ended
	lines := make(chan []byte, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadBytes('\n') // none: it has ended
		lines <- line
		p.ended <- p.Wait()
	}()
	select {
	case line := <-lines:
		return p, line
	case <-time.After(waitLimit):
		t.Fatal("it neither serves nor ends")
		return nil, nil
	}
}

// start starts the command and waits until it serves.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p, line := launch(t, args...)
	if err := json.Unmarshal(line, p); err != nil {
		t.Fatalf("it does not serve: %v: %s", p.wait(t), p.stderr.String())
	}
	return p
}

func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(waitLimit):
		t.Fatal("it does not end")
		return nil
	}
}

// open logs in as the default user, changed as asked.
func (p *process) open(t *testing.T, change func(*sf.Config)) *sql.DB {
	t.Helper()
	c := sf.Config{
		Account: p.Account, User: p.User, Password: p.Password, Host: p.Host, Port: p.Port, Protocol: "http",
		Database: p.Database, Schema: "PUBLIC", Warehouse: p.Warehouse, Role: p.Role,
		//lint:ignore SA1019 of this version of the driver there is no other way
		LoginTimeout: 20 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, c))
	t.Cleanup(func() { _ = db.Close() }) // the server may be gone
	return db
}

// postgres are the processes of PostgreSQL that have a text in their command.
func postgres(t *testing.T, text string) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(text)) && bytes.Contains(line, []byte("postgres")) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// A process that is killed leaves no server behind, and one that starts on the
// same data has them all, and the same secrets.
func TestKilledAndStartedAgain(t *testing.T) {
	is := is.New(t)
	data := t.TempDir()
	is.NoErr(os.Chmod(filepath.Dir(data), 0o755)) // the server's user comes through
	first := start(t, "--data", data)
	db := first.open(t, nil)
	for _, statement := range []string{"CREATE HYBRID TABLE kept (id NUMBER PRIMARY KEY)", "INSERT INTO kept VALUES (1), (2)", "CREATE SCHEMA other"} {
		_, err := db.ExecContext(t.Context(), statement)
		is.NoErr(err)
	}
	is.True(len(postgres(t, data)) > 0) // otherwise what follows proves nothing
	is.NoErr(first.Process.Kill())
	is.True(first.wait(t) != nil)
	for deadline := time.Now().Add(waitLimit); len(postgres(t, data)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still there: %v", postgres(t, data))
		}
	}

	second := start(t, "--data", data)
	is.Equal(second.Password, first.Password)
	db = second.open(t, nil)
	var rows, schemas int
	is.NoErr(db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM kept").Scan(&rows))
	is.Equal(rows, 2)
	is.NoErr(db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = 'OTHER'").Scan(&schemas))
	is.Equal(schemas, 1)
	_, err := db.ExecContext(t.Context(), "INSERT INTO kept VALUES (2)")
	is.Equal(numberOf(err), 200001) // keys too
	is.NoErr(second.Process.Signal(syscall.SIGTERM))
	is.NoErr(second.wait(t)) // in order
	is.Equal(postgres(t, data), nil)
	is.True(strings.Contains(second.stderr.String(), "This is not Snowflake."))
}

// Without a folder everything goes with the process, also when its parent's end
// closes its input.
func TestEndsWithItsInput(t *testing.T) {
	is := is.New(t)
	p := start(t, "--until-stdin-closes")
	is.NoErr(p.open(t, nil).PingContext(t.Context()))
	folder := filepath.Dir(p.KeyFile)
	_, err := os.Stat(folder)
	is.NoErr(err)
	is.NoErr(p.stdin.Close())
	is.NoErr(p.wait(t))
	_, err = os.Stat(folder)
	is.True(errors.Is(err, os.ErrNotExist))
}

// What the JSON line names lets one in.
func TestSecrets(t *testing.T) {
	is := is.New(t)
	p := start(t)
	for _, file := range []string{p.KeyFile, p.TokenFile} {
		info, err := os.Stat(file)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	}
	text, err := os.ReadFile(p.KeyFile)
	is.NoErr(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	is.NoErr(err)
	token, err := os.ReadFile(p.TokenFile)
	is.NoErr(err)
	for name, change := range map[string]func(*sf.Config){
		"password": func(*sf.Config) {},
		"key pair": func(c *sf.Config) {
			c.Authenticator, c.PrivateKey, c.Password = sf.AuthTypeJwt, key.(*rsa.PrivateKey), ""
		},
		"PAT":   func(c *sf.Config) { c.Authenticator, c.Token, c.Password = sf.AuthTypePat, string(token), "" },
		"OAuth": func(c *sf.Config) { c.Authenticator, c.Token, c.Password = sf.AuthTypeOAuth, string(token), "" },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var user string
			is.NoErr(p.open(t, change).QueryRowContext(t.Context(), "SELECT CURRENT_USER()").Scan(&user))
			is.Equal(user, "BENCH")
		})
	}
}

// A configuration changes the account; the default user stays.
func TestConfiguration(t *testing.T) {
	for name, text := range map[string]string{
		"JSON": `{"Name": "OTHER", "NoHybridTables": true, "Users": [{"Name": "READER", "Password": "p"}], "Warehouses": [{"Name": "ASLEEP", "State": "SUSPENDED", "NoAutoResume": true}]}`,
		"YAML": "name: OTHER\nnoHybridTables: true\nusers:\n- name: READER\n  password: p\nwarehouses:\n- {name: ASLEEP, state: SUSPENDED, noAutoResume: true}\n",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			p := start(t, "--config", file(t, text))
			is.Equal(p.Account, "other")
			db := p.open(t, nil)
			_, err := db.ExecContext(t.Context(), "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY)")
			is.True(numberOf(err) != 0)
			_, err = p.open(t, func(c *sf.Config) { c.Warehouse = "ASLEEP" }).ExecContext(t.Context(), "CREATE TABLE u AS SELECT 1 AS a FROM t")
			is.True(numberOf(err) != 0)
			var user string
			is.NoErr(p.open(t, func(c *sf.Config) {
				c.User, c.Password, c.Role, c.Database, c.Schema, c.Warehouse = "READER", "p", "", "", "", ""
			}).QueryRowContext(t.Context(), "SELECT CURRENT_USER()").Scan(&user))
			is.Equal(user, "READER")
		})
	}
}

func TestRefusals(t *testing.T) {
	taken := start(t)
	for _, tc := range []struct{ args, says string }{
		{"--listen 0.0.0.0:0", "loopback"},
		{"--listen localhost", "allowed"},
		{"--config /nowhere/x", "no such file"},
		{"--config " + file(t, `{"Userz": []}`), "Userz"},
		{"--config " + file(t, "userz: []"), "userz"},
		{"--config " + file(t, `{} {}`), "after its end"},
		{"--config " + file(t, `{"SyncSeconds": -1}`), "negative"},
		{"--postgres postgres://127.0.0.1:1/x", "connection refused"},
		{"extra", "not expected"},
		{"--listen 127.0.0.1:" + portOf(taken), "in use"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			is := is.New(t)
			p, line := launch(t, strings.Fields(tc.args)...)
			is.Equal(string(line), "")
			is.True(p.wait(t) != nil)
			if !strings.Contains(p.stderr.String(), tc.says) {
				t.Errorf("it says %q, not %q", p.stderr.String(), tc.says)
			}
		})
	}
}

func portOf(p *process) string { text, _ := json.Marshal(p.Port); return string(text) }

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func numberOf(err error) int {
	var own *sf.SnowflakeError
	if !errors.As(err, &own) {
		return 0
	}
	return own.Number
}
