//go:build unix

// Package acceptance runs the operations checklist: the built command, real
// worker processes, a real store, and the operating system as the witness.
package acceptance

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	_ "modernc.org/sqlite" // the tests look into the store on their own
)

// What is under test: the launcher, the kind of target that its workers load, and
// the kind of store. Containers see no file of this host, so they need a target
// that is a server.
var (
	launcherFlag = flag.String("launcher", "local", "`launcher` of the workers: local, docker, plugin, spcs")
	targetFlag   = flag.String("target", "sqlite", "`kind` of the target: sqlite, postgres, snowflake")
	allFlag      = flag.Bool("all", false, "try with every launcher what takes long and hardly depends on it; else with local workers alone")
	storeFlag    = flag.String("store", "sqlite", "`kind` of the store: sqlite, snowflake")
)

// binary is the command under test, built once.
var binary string

// fleet is where its workers run.
var fleet struct {
	witness witness
	env     []string // of every command
	image   string   // of containers
	host    string   // where workers and this host reach the server

	patience time.Duration // how much longer than elsewhere things may take
}

func TestMain(m *testing.M) {
	if os.Getenv(envSteps) != "" {
		os.Exit(m.Run())
	}
	if dsn, ok := os.LookupEnv(envSQL); ok {
		if err := executeSQL(dsn, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	code := 1
	undo, err := setUp()
	if err != nil {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
	} else {
		code = server.Run(m)
		code = max(code, cloud.Stop())
	}
	for _, f := range slices.Backward(undo) {
		f()
	}
	os.Exit(code)
}

// setUp builds what is under test, and says how to take it away again.
func setUp() (undo []func(), err error) {
	dir, err := os.MkdirTemp("", "benchfleet-acceptance")
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // other users run it too
		return undo, err
	}
	binary = filepath.Join(dir, "benchfleet")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s", "-o", binary, "../cmd/benchfleet")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return undo, fmt.Errorf("the command cannot be built: %w", err)
	}
	switch {
	case *launcherFlag == "docker" && *targetFlag == "sqlite":
		return undo, errors.New("containers see no file of this host: -launcher docker needs -target postgres")
	case *launcherFlag == "spcs" && (*storeFlag != "snowflake" || *targetFlag == "sqlite"):
		return undo, errors.New("job services see no file of this host: -launcher spcs needs -store snowflake, and -target snowflake or postgres")
	}
	fleet.witness, fleet.host = processes{}, "127.0.0.1"
	switch *launcherFlag {
	case "local":
	case "docker":
		return setUpDocker(undo)
	case "plugin":
		return setUpPlugin(dir, undo)
	case "spcs":
		return setUpSPCS(undo)
	default:
		return undo, fmt.Errorf("-launcher is %q; allowed: local, docker, plugin, spcs", *launcherFlag)
	}
	return undo, nil
}

// site is one data directory with a schema, templates and a loaded table.
type site struct {
	t   *testing.T
	dir string
	env []string

	own      *snowflaketest.Server // a Snowflake of its own; nil: that of all tests
	schema   string                // of a store in Snowflake; "": it is a file
	kind     string                // of the target
	database string                // of a target that is a server
	daemon   string                // of its containers; "": that of this machine

	services string            // schema of its job services; "": it has none
	job      map[string]string // options of their launcher
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteIn(t, t.TempDir())
}

func newSiteIn(t *testing.T, dir string) *site {
	t.Helper()
	return newSiteOf(t, dir, *targetFlag)
}

// newSiteOf is a site with that kind of target.
func newSiteOf(t *testing.T, dir, kind string) *site {
	t.Helper()
	s := emptySite(t, dir)
	s.kind = kind
	s.fill()
	return s
}

// fill makes what a site needs for a run, and loads its table.
func (s *site) fill() {
	s.t.Helper()
	switch s.kind {
	case "postgres":
		s.createDatabase()
	case "snowflake":
		s.createSchema()
	}
	if *storeFlag == "snowflake" {
		s.createStore()
	}
	if *launcherFlag == "spcs" {
		s.createJobs()
	}
	s.must("schema", "apply")
	s.must("template", "import", s.templates("short.yaml"))
	s.must("prepare", "short")
}

// emptySite is a data directory in which nothing is yet.
func emptySite(t *testing.T, dir string) *site {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to see from outside which workers live")
	}
	s := &site{t: t, dir: dir, env: fleet.env}
	t.Cleanup(func() {
		for _, id := range s.workers("") {
			t.Errorf("worker %s is still there at the end of the test", id)
			fleet.witness.kill(id)
		}
	})
	return s
}

// with sets variables of every command of the site.
func (s *site) with(variables ...string) { s.env = append(slices.Clip(s.env), variables...) }

// countUp is the statement of about a second.
var countUp = regexp.MustCompile(`sql: WITH RECURSIVE .*\n +parameters: .*`)

// templates is a file of testdata, for the kind of target that is under test.
func (s *site) templates(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), name)
	text = bytes.ReplaceAll(text, []byte("kind: sqlite"), []byte("kind: "+s.kind))
	if s.kind == "snowflake" { // no recursion of millions there
		text = countUp.ReplaceAll(text, []byte("sql: SELECT SYSTEM$$WAIT(?, 'MILLISECONDS')\n    parameters: [{type: literal, value: 1000}]"))
		text = bytes.ReplaceAll(text, []byte("cancel_timeout: 500ms"), []byte("cancel_timeout: 3s")) // its history takes time to say what still runs
		text = bytes.ReplaceAll(text, []byte("rows: 2000}"), []byte("rows: 2000, type: HYBRID}"))
	}
	if *launcherFlag == "spcs" { // which tells ends once a second, and kills half a minute after it has asked
		text = bytes.ReplaceAll(text, []byte("terminate_timeout: 500ms, kill_timeout: 3s"), []byte("terminate_timeout: 1s, kill_timeout: 45s"))
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// runs are the ids of all runs of the site.
func (s *site) runs() (ids []string) {
	s.t.Helper()
	db := s.openStore()
	defer db.Close()
	rows, err := db.Query("SELECT RUN_ID FROM RUN_STATUS")
	if err != nil {
		return nil // there is no store, so there are no runs
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// outcome is what a finished command left.
type outcome struct {
	code           int
	stdout, stderr string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", o.code, o.stdout, o.stderr)
}

// do runs a command to its end.
func (s *site) do(args ...string) outcome {
	s.t.Helper()
	return s.start(args...).wait(60 * time.Second)
}

// must runs a command that has to succeed.
func (s *site) must(args ...string) outcome {
	s.t.Helper()
	o := s.do(args...)
	if o.code != 0 {
		s.t.Fatalf("%v: %v", args, o)
	}
	return o
}

// collected is what gc says of the runs of this site. Those of others it leaves
// alone.
func (s *site) collected(args ...string) string {
	s.t.Helper()
	var ours strings.Builder
	runs := s.runs()
	for line := range strings.Lines(s.must(args...).stdout) {
		if slices.ContainsFunc(runs, func(id string) bool { return strings.Contains(line, id) }) {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

// running is a command that has been started.
type running struct {
	t              *testing.T
	cmd            *exec.Cmd
	cancel         context.CancelFunc
	stdout, stderr lockedBuffer
	ended          chan struct{}
	args           []string
}

// command is a command that has not been started.
func (s *site) command(args ...string) *running {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, append([]string{"--dir", s.dir}, args...)...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r := &running{t: s.t, cmd: cmd, cancel: cancel, ended: make(chan struct{}), args: args}
	cmd.Stdout, cmd.Stderr = &r.stdout, &r.stderr
	return r
}

func (s *site) start(args ...string) *running {
	s.t.Helper()
	return s.command(args...).begin()
}

// begin starts the command, and ends it with the test.
func (r *running) begin() *running {
	r.t.Helper()
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		r.cmd.Wait()
		close(r.ended)
	}()
	r.t.Cleanup(func() {
		r.cancel()
		<-r.ended
	})
	return r
}

func (r *running) wait(limit time.Duration) outcome {
	r.t.Helper()
	limit += fleet.patience
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-r.ended:
	case <-timer.C:
		r.t.Fatalf("%v has not ended within %s\nstdout: %s\nstderr: %s", r.args, limit, r.stdout.String(), r.stderr.String())
	}
	return outcome{r.cmd.ProcessState.ExitCode(), r.stdout.String(), r.stderr.String()}
}

// says waits until the command has written a text.
func (r *running) says(text string) {
	r.t.Helper()
	until(r.t, 30*time.Second, fmt.Sprintf("%v says %q", r.args, text), func() bool {
		return strings.Contains(r.stdout.String()+r.stderr.String(), text)
	})
}

func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Fatal(err)
	}
}

// db looks into the store beside the command.
func (s *site) db() *sql.DB {
	s.t.Helper()
	db := s.openStore()
	s.t.Cleanup(func() { db.Close() })
	return db
}

// openStore looks into the store. The caller closes it.
func (s *site) openStore() *sql.DB {
	s.t.Helper()
	if s.schema != "" {
		return s.openCloud(s.schema)
	}
	return s.open("store.db")
}

// open looks into a database of the site. The caller closes it.
func (s *site) open(name string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, name)+"?_pragma=busy_timeout(5000)&mode=ro")
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// checkFile checks that a database of the site that is a file is sound.
func (s *site) checkFile(name string) {
	s.t.Helper()
	if name == "store.db" && s.schema != "" {
		return
	}
	db := s.open(name)
	defer db.Close()
	if found := s.text(db, "PRAGMA integrity_check"); found != "ok" {
		s.t.Errorf("%s: %s", name, found)
	}
}

func (s *site) text(db *sql.DB, query string, args ...any) string {
	s.t.Helper()
	var text sql.NullString
	if err := db.QueryRow(query, args...).Scan(&text); err != nil && !errors.Is(err, sql.ErrNoRows) {
		s.t.Fatalf("%s: %v", query, err)
	}
	return text.String
}

func (s *site) number(db *sql.DB, query string, args ...any) int64 {
	s.t.Helper()
	var n sql.NullInt64
	if err := db.QueryRow(query, args...).Scan(&n); err != nil && !errors.Is(err, sql.ErrNoRows) {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n.Int64
}

// newest is the id of the run that was created last.
func (s *site) newest(db *sql.DB) string {
	s.t.Helper()
	return s.text(db, "SELECT RUN_ID FROM RUN_STATUS ORDER BY CREATED_AT DESC, RUN_ID DESC LIMIT 1")
}

// until polls until a condition holds.
func until(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	limit += fleet.patience
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	poll := time.NewTicker(3 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %s: %s", limit, what)
		case <-poll.C:
		}
	}
}

// reaches waits until the newest run has a status, and a phase unless it is "".
func (s *site) reaches(db *sql.DB, status, phase string) string {
	s.t.Helper()
	return s.reachesWithin(20*time.Second, db, status, phase)
}

func (s *site) reachesWithin(limit time.Duration, db *sql.DB, status, phase string) string {
	s.t.Helper()
	until(s.t, limit, status+" "+phase, func() bool {
		got := s.text(db, "SELECT STATUS || ' ' || COALESCE(PHASE, '') FROM RUN_STATUS ORDER BY CREATED_AT DESC, RUN_ID DESC LIMIT 1")
		return got == status+" "+phase || phase == "" && strings.HasPrefix(got, status+" ")
	})
	return s.newest(db)
}

// damage changes the store behind the command's back.
func (s *site) damage(statements ...string) {
	s.t.Helper()
	var db *sql.DB
	if s.schema != "" {
		db = s.openCloud(s.schema)
	} else {
		var err error
		if db, err = sql.Open("sqlite", "file:"+filepath.Join(s.dir, "store.db")); err != nil {
			s.t.Fatal(err)
		}
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}
