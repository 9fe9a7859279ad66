package porttest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/benchfleet/benchfleet/ports"
)

// EnvScript holds what a helper process does instead of a worker's work: steps
// with blanks between them, done in order.
//
//	print=TEXT      write a line; TEXT as in a URL query
//	lines=N         write "line 1" to "line N"
//	env=NAME        write "env NAME=" and the quoted value, or "env NAME unset"
//	digest=NAME     write "digest NAME " and SHA-256 of the value in hex
//	record=CAUSE    leave an exit record with this cause; CAUSE as in a URL query
//	term=CODE       on a gentle stop end with this code; before: 0
//	ignore=TERM     ignore gentle stops
//	spawn=SCRIPT    start another process with this script, as in a URL query
//	hold=DURATION   wait, then go on
//	die=KILL        kill itself
//	exit=CODE       end now
//
// Its first line is "pid N", written once it obeys gentle stops. After the last
// step it ends with code 0.
const EnvScript = "BENCHFLEET_PORTTEST_SCRIPT"

// helperLife bounds every wait of a helper, so that none outlives a broken test
// for long.
const helperLife = time.Minute

// HelperMain is the first call of TestMain in the tests of a launcher that
// starts this very executable. In a process with a script it does the script's
// steps and exits; in any other it returns at once.
//
//	func TestMain(m *testing.M) {
//		porttest.HelperMain(os.LookupEnv)
//		os.Exit(m.Run())
//	}
func HelperMain(lookup func(name string) (string, bool)) {
	if _, ok := lookup(EnvScript); !ok {
		return
	}
	stops := make(chan os.Signal, 8)
	signal.Notify(stops, syscall.SIGTERM)
	terminate := make(chan struct{}, 1)
	go func() { // ends with the process
		for range stops {
			select {
			case terminate <- struct{}{}:
			default:
			}
		}
	}()
	os.Exit(RunScript(context.Background(), lookup, os.Stdout, terminate))
}

// RunScript does the steps of EnvScript and returns the exit code. A launcher
// whose workers are no processes calls it in their place: terminate is its
// gentle stop, the end of ctx its hard one, for which the code is -1.
func RunScript(ctx context.Context, lookup func(name string) (string, bool), out io.Writer, terminate <-chan struct{}) int {
	s := script{lookup: lookup, out: out, terminate: terminate, life: time.Now().Add(helperLife)}
	text, _ := lookup(EnvScript)
	s.printf("pid %d\n", os.Getpid())
	code := 0
	for _, step := range strings.Fields(text) {
		name, value, _ := strings.Cut(step, "=")
		done, err := s.step(ctx, name, value)
		if err != nil {
			s.printf("step %s: %v\n", name, err)
			code = 99
			break
		}
		if done {
			code = s.code
			break
		}
	}
	if code >= 0 && s.record {
		if err := s.leaveRecord(code); err != nil {
			s.printf("exit record: %v\n", err)
			return 98
		}
	}
	return code
}

type script struct {
	lookup    func(string) (string, bool)
	out       io.Writer
	terminate <-chan struct{}
	life      time.Time
	ignore    bool
	term      int // code after a gentle stop
	record    bool
	cause     string
	code      int // of the end
}

func (s *script) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }

// step does one step; done means that the script ends with s.code.
func (s *script) step(ctx context.Context, name, value string) (done bool, err error) {
	switch name {
	case "print":
		text, err := url.QueryUnescape(value)
		s.printf("%s\n", text)
		return false, err
	case "lines":
		n, err := strconv.Atoi(value)
		for i := range n {
			s.printf("line %d\n", i+1)
		}
		return false, err
	case "env":
		if v, ok := s.lookup(value); ok {
			s.printf("env %s=%q\n", value, v)
		} else {
			s.printf("env %s unset\n", value)
		}
	case "digest":
		v, _ := s.lookup(value)
		s.printf("digest %s %s\n", value, digest(v))
	case "record":
		s.record = true
		s.cause, err = url.QueryUnescape(value)
	case "term":
		s.term, err = strconv.Atoi(value)
	case "ignore":
		s.ignore = true
	case "spawn":
		err = s.spawn(value)
	case "hold":
		d, err := time.ParseDuration(value)
		if err != nil {
			return false, err
		}
		return s.hold(ctx, d), nil
	case "die":
		err = die()
	case "exit":
		s.code, err = strconv.Atoi(value)
		return true, err
	default:
		err = fmt.Errorf("unknown step %q", name)
	}
	return false, err
}

// hold waits for d, but for a gentle stop that is not ignored, a hard one, and
// the end of the helper's life.
func (s *script) hold(ctx context.Context, d time.Duration) (done bool) {
	timer := time.NewTimer(min(d, time.Until(s.life)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return false
		case <-ctx.Done():
			s.code = -1
			return true
		case <-s.terminate:
			if !s.ignore {
				s.printf("terminated\n")
				s.code = s.term
				return true
			}
			s.printf("ignored\n")
		}
	}
}

// spawn starts this executable with another script; its output goes where this
// one's goes.
func (s *script) spawn(query string) error {
	text, err := url.QueryUnescape(query)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(exe) //nolint:noctx // it shall outlive this process if nobody ends it
	child.Env = append(os.Environ(), EnvScript+"="+text)
	child.Stdout, child.Stderr = s.out, s.out
	if err := child.Start(); err != nil {
		return err
	}
	s.printf("spawned %d\n", child.Process.Pid)
	return nil
}

// leaveRecord writes the exit record by rename, as a worker does.
func (s *script) leaveRecord(code int) error {
	path, ok := s.lookup(ports.EnvExitRecord)
	if !ok {
		return nil // this platform knows by itself
	}
	data, err := json.Marshal(ports.ExitRecord{Code: code, Cause: s.cause})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func die() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {} // until the signal arrives
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return fmt.Sprintf("%x", sum[:])
}
