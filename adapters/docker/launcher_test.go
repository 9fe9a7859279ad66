//go:build linux || darwin

package docker

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
	"github.com/matryer/is"
)

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"cpus":       {CPUs: -1},
		"memory":     {Memory: -1},
		"too little": {Memory: 6<<20 - 1},
		"contract":   {Env: []string{"BENCHFLEET_STORE=sqlite:/elsewhere"}},
		"endpoint":   {Env: []string{"BENCHFLEET_ENDPOINT_LOCAL_FILE=/elsewhere"}},
		"health":     {Env: []string{"BENCHFLEET_HEALTH=nonsense"}},
		"health at":  {Env: []string{"BENCHFLEET_HEALTH=somewhere:80"}},
		"big health": {Env: []string{"BENCHFLEET_HEALTH=127.0.0.1:65536"}},
		"grace":      {Grace: -time.Second},
		"user":       {User: "nobody"},
		"group":      {User: "1:users"},
		"big user":   {User: "99999999999"},
		"env":        {Env: []string{"no-value"}},
		"mount":      {Mounts: []Mount{{Source: "relative", Target: "/x"}}},
		"target":     {Mounts: []Mount{{Source: "/x", Target: "relative"}}},
		"extra host": {ExtraHosts: []string{"name"}},
		"label":      {Labels: map[string]string{"benchfleet.run": "x"}},
		"ssh":        {Host: "ssh://somewhere"},
		"scheme":     {Host: "gopher://somewhere"},
		"no scheme":  {Host: "somewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := New(o)
			is.Equal(core.CodeOf(err), core.Invalid)
		})
	}
}

// What New refuses it names, with its value and what is allowed.
func TestRefusalsOfNewSayWhatIsAllowed(t *testing.T) {
	for _, tc := range []struct {
		options Options
		says    string
	}{
		{Options{Memory: 1 << 20}, "memory is 1048576 bytes; allowed: 0 (no limit), or 6 MiB and more"},
		{Options{Env: []string{"BENCHFLEET_EPOCH=7"}}, "BENCHFLEET_EPOCH; those that begin with BENCHFLEET_ are the worker contract's, and only BENCHFLEET_HEALTH may be set"},
		{Options{Env: []string{"BENCHFLEET_HEALTH=nonsense"}}, `BENCHFLEET_HEALTH is "nonsense"; allowed: IP:PORT`},
	} {
		t.Run(tc.says, func(t *testing.T) {
			is := is.New(t)
			_, err := New(tc.options)
			is.Equal(core.CodeOf(err), core.Invalid)
			is.True(strings.Contains(err.Error(), tc.says)) // err
		})
	}
	is := is.New(t)
	open(t, Options{Memory: 6 << 20, Env: []string{"BENCHFLEET_HEALTH=[::]:0", "PGAPPNAME=x"}})
	is.True(validHealth("localhost:9464"))
}

func TestCapabilities(t *testing.T) {
	is := is.New(t)
	is.Equal(open(t, Options{}).Capabilities(), ports.Capabilities{Name: "docker", HostBound: true, StartTimeout: time.Minute})
	is.Equal(open(t, Options{Host: "tcp://192.0.2.1:2375"}).Capabilities().HostBound, false)
	_, err := open(t, Options{Host: "tcp://192.0.2.1:2375"}).Reach(t.Context()) // without a word to it
	is.Equal(core.CodeOf(err), core.Unsupported)
}

// Different keys have different names, all of which Docker allows.
func TestNameOf(t *testing.T) {
	is := is.New(t)
	allowed := regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$`)
	ids := []string{"a", "A", "a-b", "b", "a_b", "a b", "a/b", "ü", "..", "-", strings.Repeat("x", 100), strings.Repeat("x", 200), "ü" + strings.Repeat("ü", 90)}
	seen := map[string]core.WorkerKey{}
	for _, run := range ids {
		for _, worker := range ids {
			for _, epoch := range []int{0, 1, 11} {
				key := core.WorkerKey{RunID: run, WorkerID: worker, Epoch: epoch}
				name := nameOf(key)
				is.True(allowed.MatchString(name)) // name
				if other, twice := seen[name]; twice {
					t.Errorf("%+v and %+v are both %s", key, other, name)
				}
				seen[name] = key
				back, ok := keyOf(labelsOf(ports.WorkerSpec{Key: key}))
				is.True(ok)
				is.Equal(back, key)
			}
		}
	}
	is.True(strings.HasPrefix(nameOf(core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 2}), "benchfleet-run-1-worker-0-2-"))
}

func TestLabels(t *testing.T) {
	is := is.New(t)
	good := labelsOf(spec("run", 0, ""))
	is.Equal(expiryOf(good), time.Time{})
	for _, label := range []string{labelVersion, labelRun, labelWorker, labelEpoch} {
		bad := labelsOf(spec("run", 0, ""))
		delete(bad, label)
		_, ok := keyOf(bad)
		is.True(!ok) // label
	}
}

func TestInvalidSpecs(t *testing.T) {
	is := is.New(t)
	l := open(t, Options{Host: "unix:///no/such/socket"})
	for _, change := range []func(*ports.WorkerSpec){
		func(s *ports.WorkerSpec) { s.Key.RunID = "\xff" }, // JSON would change it
		func(s *ports.WorkerSpec) { s.Key.WorkerID = strings.Repeat("x", 256) },
		func(s *ports.WorkerSpec) { s.Key.Epoch = -1 },
		func(s *ports.WorkerSpec) { s.Environment = []ports.EnvVar{{Name: "A=B"}} },
		func(s *ports.WorkerSpec) { s.Environment = []ports.EnvVar{{Name: "A", Value: "\x00"}} },
		func(s *ports.WorkerSpec) { s.Environment = []ports.EnvVar{{Name: "A", Value: "\xff"}} },
	} {
		s := spec("run", 0, "")
		change(&s)
		_, err := l.Launch(t.Context(), s)
		is.Equal(core.CodeOf(err), core.Invalid)
	}
}

func TestDecode(t *testing.T) {
	is := is.New(t)
	h, err := decode(someHandle)
	is.NoErr(err)
	is.Equal(h.encode(), someHandle)
	for _, data := range []string{``, `{}`, `{"daemon":"x","container":"../../info"}`, `{"daemon":"x","container":"name"}`, `{"daemon":"","container":"` + h.Container + `"}`} {
		bad := someHandle
		bad.Data = json.RawMessage(data)
		_, err := decode(bad)
		is.Equal(core.CodeOf(err), core.Invalid) // data
	}
	bad := someHandle
	bad.Launcher = "local"
	_, err = decode(bad)
	is.Equal(core.CodeOf(err), core.Invalid)
}

func TestCauseOf(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct {
		state container.State
		limit int64
		want  string
	}{
		{container.State{ExitCode: 0}, 0, "exited with code 0"},
		{container.State{ExitCode: 3}, 0, "exited with code 3"},
		{container.State{ExitCode: 137}, 0, "killed by signal 9 (code 137)"},
		{container.State{ExitCode: 137}, 64 << 20, "killed by signal 9 (code 137), perhaps out of memory (limit 64 MiB)"},
		{container.State{ExitCode: 143}, 64 << 20, "killed by signal 15 (code 143)"},
		{container.State{ExitCode: 255}, 0, "exited with code 255"},
		{container.State{ExitCode: 137, OOMKilled: true}, 64 << 20, "killed by the kernel: out of memory (limit 64 MiB)"},
		{container.State{ExitCode: 137, OOMKilled: true}, 3 << 19, "killed by the kernel: out of memory (limit 1.5 MiB)"},
		{container.State{ExitCode: 137, OOMKilled: true}, 0, "killed by the kernel: out of memory (no limit of its own)"},
		{container.State{ExitCode: 0, OOMKilled: true}, 64 << 20, "exited with code 0"}, // another process of it was killed
		{container.State{ExitCode: 127, Error: "no such program"}, 0, "exited with code 127: no such program"},
	} {
		is.Equal(causeOf(&c.state, c.limit), c.want)
	}
}

// Docker gives a container that never ran the exit code 0, also while it is
// removed; one that could not be started has another, and did not run either.
func TestEndOf(t *testing.T) {
	const never, then = "0001-01-01T00:00:00Z", "2026-05-04T03:02:01.5Z"
	for _, c := range []struct {
		name  string
		state container.State
		code  int
		cause string
	}{
		{"removed before it ran", container.State{Status: container.StateRemoving, StartedAt: never}, -1, "never started"},
		{"dead before it ran", container.State{Status: container.StateDead, StartedAt: never}, -1, "never started"},
		{"without any time", container.State{Status: container.StateRemoving}, -1, "never started"},
		{"could not be started", container.State{StartedAt: never, ExitCode: 127, Error: "no such program"}, -1, "never started: no such program"},
		{"ran", container.State{Status: container.StateExited, StartedAt: then}, 0, "exited with code 0"},
		{"ran, is removed", container.State{Status: container.StateRemoving, StartedAt: then, ExitCode: 3}, 3, "exited with code 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(endOf(&c.state, 0), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: c.code, Cause: c.cause})
		})
	}
}

// What is kept of a log is its end, whatever the pieces it comes in.
func TestTail(t *testing.T) {
	is := is.New(t)
	whole := strings.Repeat("0123456789", 100)
	for _, piece := range []int{1, 3, 7, 20, 41, 1000} {
		kept := tail{limit: 20}
		for at := 0; at < len(whole); at += piece {
			n, err := kept.Write([]byte(whole[at:min(at+piece, len(whole))]))
			is.NoErr(err)
			is.True(n > 0)
			is.True(len(kept.data) <= 2*kept.limit)
		}
		is.True(len(kept.data) >= 20)
		is.True(strings.HasSuffix(whole, string(kept.data)))
	}
	for _, c := range []struct {
		data  string
		limit int
		want  string
	}{{"", 5, ""}, {"a\nb\n", 4, "a\nb\n"}, {"a\nb\n", 3, "b\n"}, {"a\nb\n", 2, "b\n"}, {"a\nlong", 3, "ong"}, {"one\ntwo\nthree", 8, "three"}} {
		is.Equal(string(ports.NewestLines([]byte(c.data), c.limit)), c.want) // c.data, c.limit
	}
}
