package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// childRole makes the test binary do something else than test.
const childRole = "BENCHFLEET_SQLITE_CHILD"

func TestMain(m *testing.M) {
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := runChild(ctx, role, os.Args[1:]); err != nil {
		fmt.Println("error", core.CodeOf(err), strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(3)
	}
}

func runChild(ctx context.Context, role string, args []string) error {
	switch role {
	case "open": // path
		store, err := OpenStore(ctx, args[0], Options{})
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }()
		if _, err := store.Probe(ctx); err != nil {
			return err
		}
		fmt.Println("opened")
		return nil
	case "apply": // path
		return ApplySchema(ctx, args[0])
	case "describe": // dsn
		return describeInChild(ctx, args[0])
	case "commit": // path, name, goroutines, commits of each
		return commitInChild(ctx, args)
	case "session": // dsn, table
		return sessionInChild(ctx, args)
	default:
		return fmt.Errorf("no role %q", role)
	}
}

// describeInChild prints "writable", or why the target is not.
func describeInChild(ctx context.Context, dsn string) error {
	target, err := OpenTarget(ctx, dsn, TargetOptions{})
	if err != nil {
		return err
	}
	info, err := target.Describe(ctx, core.TemplateTable{Name: "T", Rows: 10})
	if err != nil {
		return err
	}
	if info.ReadOnly == "" {
		info.ReadOnly = "writable"
	}
	fmt.Println(info.ReadOnly)
	return target.Close()
}

// commitInChild prints "won VERSION WHO" for each commit that it wins, and at
// the end "lost N".
func commitInChild(ctx context.Context, args []string) error {
	store, err := OpenStore(ctx, args[0], Options{BusyTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	goroutines, _ := strconv.Atoi(args[2])
	each, _ := strconv.Atoi(args[3])
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	errs := make([]error, goroutines)
	var lost atomic.Int64
	var printing sync.Mutex
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			who := fmt.Sprintf("%s-%d", args[1], g)
			for n := 0; n < each && errs[g] == nil; {
				version, err := claim(ctx, store, who)
				switch {
				case err == nil:
					n++
					printing.Lock()
					fmt.Println("won", version, who)
					printing.Unlock()
				case core.CodeOf(err) == core.Conflict:
					lost.Add(1)
				default:
					errs[g] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	fmt.Println("lost", lost.Load())
	return nil
}

// claim commits one change of owner, with its event, to run-1.
func claim(ctx context.Context, store ports.Store, who string) (int64, error) {
	record, err := store.Load(ctx, "run-1")
	if err != nil {
		return 0, err
	}
	next, events, err := record.Run.Fold(core.OwnerClaimed{At: record.Now, Owner: who + "/" + strconv.FormatInt(record.Version, 10), Until: record.Now})
	if err != nil {
		return 0, err
	}
	return store.Commit(ctx, record.Version, next, events, ports.Progress{TotalOps: record.Version})
}

// sessionInChild prints the id of a session, and keeps it until it is told.
func sessionInChild(ctx context.Context, args []string) error {
	target, err := OpenTarget(ctx, args[0], TargetOptions{})
	if err != nil {
		return err
	}
	session, err := target.Open(ctx, ports.SessionOptions{Table: core.TemplateTable{Name: args[1]}})
	if err != nil {
		return err
	}
	fmt.Println("session", session.ID())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return session.Close()
}

// child is a process of this binary in another role.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func startChild(t testing.TB, binary, role string, args ...string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	return startCommand(t, cmd, role)
}

func startCommand(t testing.TB, cmd *exec.Cmd, role string) *child {
	t.Helper()
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
}

// line is the child's next line, "" when it has none any more.
func (c *child) line() string {
	if !c.lines.Scan() {
		return ""
	}
	return c.lines.Text()
}

// tell lets the child go on.
func (c *child) tell(t testing.TB) {
	t.Helper()
	if _, err := fmt.Fprintln(c.stdin, "go"); err != nil {
		t.Fatal(err)
	}
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
