//go:build unix

package acceptance

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// engine runs the client of Docker, and returns what it says.
func engine(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v: %s", args, err, out)
	}
	return string(out)
}

// TestAcceptanceDockerIgnoresTerm: a process that ignores SIGTERM in a container
// that runs is killed.
func TestAcceptanceDockerIgnoresTerm(t *testing.T) {
	needs(t, launcherFlag, "docker", "it stops the process inside a container")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "1m", "--set", "limits.drain_timeout=500ms")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	id := s.worker(run, "worker-1")
	engine(t, "kill", "--signal", "STOP", id)
	is.Equal(strings.TrimSpace(engine(t, "inspect", "--format", "{{.State.Status}}", id)), "running")
	s.must("stop", run, "--no-wait")
	is.Equal(running.wait(20*time.Second).code, 3)
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.Equal(c.Workers[1].Rung, core.Kill)
	is.True(strings.Contains(c.Workers[1].Ending, "signal 9"))
	is.True(c.Workers[0].Reported && c.Workers[2].Reported)
}

// TestAcceptanceDockerOutOfMemory: the reason of a run whose workers read more
// than their memory holds says so. The value is so large that pgconn executes it, which
// keeps a whole row.
func TestAcceptanceDockerOutOfMemory(t *testing.T) {
	needs(t, launcherFlag, "docker", "it limits the memory of containers")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	o := s.do("run", "slow", "--duration", "1m", "--launcher-option", "image="+fleet.image, "--launcher-option", "memory=48m",
		"--set", "mix[0].sql=SELECT repeat(?::text, 10000)", "--set", "mix[0].parameters[0].value="+strings.Repeat("x", 20_000))
	t.Log(o)
	is.Equal(o.code, 5)
	run := s.newest(db)
	s.checkEnded(t, db, run, "FAILED", string(core.WorkerLost))
	detail := s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", run)
	is.True(strings.Contains(detail, "out of memory (limit 48 MiB)"))
}

// TestAcceptanceDockerSaturated: workers that make all the load they can of a fifth of a
// processor use it up, and the verdict says so of each.
func TestAcceptanceDockerSaturated(t *testing.T) {
	needs(t, launcherFlag, "docker", "it limits the processors of containers")
	is := is.New(t)
	s := newSite(t)
	o := s.do("run", "short", "--output", "json", "--set", "load.think_time=0s", "--connections", "8", "--warmup", "1s", "--duration", "4s",
		"--launcher-option", "image="+fleet.image, "--launcher-option", "cpus=0.1")
	is.Equal(o.code, 0)
	d := o.result(t)
	t.Log(strings.Join(d.Verdict.Reasons, "\n")) // what it says of each
	is.Equal(d.Verdict.Level, "DEGRADED")
	for _, worker := range []string{"worker-0 used ", "worker-1 used ", "worker-2 used "} {
		is.True(slices.ContainsFunc(d.Verdict.Reasons, func(reason string) bool {
			return strings.HasPrefix(reason, worker) && strings.HasSuffix(reason, " of its CPU: the load generator may have been the bottleneck")
		}))
	}
}

// TestAcceptanceDockerKilledWhileStarting: an orchestrator that dies while its
// workers start leaves containers, and gc ends them.
func TestAcceptanceDockerKilledWhileStarting(t *testing.T) {
	needs(t, launcherFlag, "docker", "subprocesses that start have a test in adapters/local")
	killWhileStarting(t)
}

// killWhileStarting kills the orchestrator of a run one of whose workers, which
// are containers, cannot get ready.
func killWhileStarting(t *testing.T) {
	t.Helper()
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running, run, _ := s.heldUp(db, shortLeases("run", "short")...)
	running.signal(syscall.SIGKILL)
	running.wait(5 * time.Second)
	is.True(len(s.workers(run)) > 0)
	until(t, 30*time.Second, "gc finds it dead", func() bool {
		s.must("gc")
		return s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run) == "FAILED"
	})
	is.Equal(len(s.workers("")), 0)
	is.Equal(len(fleet.witness.left(s, "")), 0)
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", run), int64(0)) // it never began
	is.Equal(s.collected("gc"), "")
}

// TestAcceptanceDockerFileOfThisHost: containers do not see a target that is a
// file of this host, so nothing is launched.
func TestAcceptanceDockerFileOfThisHost(t *testing.T) {
	needs(t, launcherFlag, "docker", "subprocesses see files of this host")
	is := is.New(t)
	s := newSiteOf(t, t.TempDir(), "sqlite")
	db := s.db()
	o := s.do("run", "short")
	t.Log(o)
	is.Equal(o.code, 4)
	is.True(strings.Contains(o.stderr, "a file of this host, which workers of the launcher docker cannot see"))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS"), int64(0))
	is.Equal(len(s.workers(""))+len(fleet.witness.left(s, "")), 0)
}

// TestAcceptanceDockerSecrets: the password of the target and the token of the
// store are in files of the containers, and nowhere else.
func TestAcceptanceDockerSecrets(t *testing.T) {
	needs(t, launcherFlag, "docker", "subprocesses get secrets as variables")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	run := strings.TrimSpace(s.must("run", "short", "--duration", "1m", "--detach").stdout)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	workers := s.workers(run)
	is.Equal(len(workers), 3)
	token := secretOf(t, workers[0], "BENCHFLEET_STORE_TOKEN")
	is.True(len(token) > 20)
	is.True(strings.Contains(secretOf(t, workers[0], "BENCHFLEET_ENDPOINT_LOCAL"), postgrestest.Password))
	seen := map[string]string{}
	for _, id := range workers {
		for _, look := range []string{"inspect", "logs", "top"} {
			seen["docker "+look] += engine(t, look, id)
		}
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	is.NoErr(err)
	for _, file := range lines {
		if text, err := os.ReadFile(file); err == nil {
			seen["command lines"] += string(text)
		}
	}
	is.True(strings.Contains(seen["docker inspect"], "BENCHFLEET_STORE_TOKEN_FILE"))
	is.True(strings.Contains(seen["command lines"], "orchestrator\x00--run\x00"+run))
	stop := s.must("stop", run)
	seen["stop"] = stop.stdout + stop.stderr
	seen["logs"] = s.must("logs", run).stdout
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	until(t, 10*time.Second, "its orchestrator is gone", func() bool { return len(orchestrators(t, run)) == 0 })
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	is.NoErr(err)
	for _, file := range files { // the store with its journal, and the orchestrator's log
		text, err := os.ReadFile(file)
		is.NoErr(err)
		seen[filepath.Base(file)] = string(text)
	}
	is.True(strings.Contains(seen["store.db"]+seen["store.db-wal"], run))
	is.True(seen["orchestrator-"+run+".log"] != "")
	for where, text := range seen {
		for _, secret := range []string{postgrestest.Password, token} {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells a secret", where)
			}
		}
	}
}

// TestAcceptanceDockerHealth: a worker in a container is asked from inside, by a
// person and by the health check of the image, which finds it healthy.
func TestAcceptanceDockerHealth(t *testing.T) {
	needs(t, launcherFlag, "docker", "TestAcceptanceHealth asks subprocesses")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--duration", "2m")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	id := s.worker(run, "worker-1")
	is.Equal(engine(t, "exec", id, "/benchfleet", "health"), "worker RUNNING: live true, ready true\n")
	h := page{http.StatusOK, engine(t, "exec", id, "/benchfleet", "health", "--output", "json")}.health(t)
	is.Equal([]string{h.Role, h.RunID, h.WorkerID}, []string{"worker", run, "worker-1"})
	until(t, 75*time.Second, "the image's health check has passed", func() bool { // which is made every 30 s
		status := strings.TrimSpace(engine(t, "inspect", "--format", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}", id))
		return status == "healthy 0"
	})
	s.must("stop", run)
	is.Equal(running.wait(30*time.Second).code, 3)
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
}

// secretOf reads a file of a container's secrets.
func secretOf(t *testing.T, container, name string) string {
	t.Helper()
	out, err := exec.Command("docker", "cp", container+":/benchfleet-secrets/"+name, "-").Output()
	if err != nil {
		t.Fatal("docker cp:", err)
	}
	archive := tar.NewReader(bytes.NewReader(out))
	_, err = archive.Next()
	text, readErr := io.ReadAll(archive)
	if err := errors.Join(err, readErr); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAcceptanceDockerBuilds: an image of another build is refused in preflight,
// and when its labels lie, its workers are refused when they register.
func TestAcceptanceDockerBuilds(t *testing.T) {
	needs(t, launcherFlag, "docker", "subprocesses are this very binary")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	own, err := buildOf(binary)
	is.NoErr(err)
	other := otherBinary(t)
	build, err := buildOf(other)
	is.NoErr(err)
	is.True(build.ID != own.ID)
	is.True(build.Stamped)
	run := func(label core.Build) outcome {
		image, err := dockertest.Product("", dockerfile, other, label.ID)
		t.Cleanup(func() { engine(t, "image", "rm", "--force", image) })
		is.NoErr(err)
		s.with("BENCHFLEET_LAUNCHER_OPTION=image=" + image)
		o := s.do("run", "short")
		t.Log(o)
		return o
	}
	honest := run(build)
	is.Equal(honest.code, 4)
	is.True(strings.Contains(honest.stderr, own.ID) && strings.Contains(honest.stderr, build.ID))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS"), int64(0))

	is.Equal(run(own).code, 5)
	id := s.newest(db)
	s.checkEnded(t, db, id, "FAILED", string(core.LaunchRefused))
	detail := s.text(db, "SELECT REASON_DETAIL FROM RUN_STATUS WHERE RUN_ID = ?", id)
	is.True(strings.Contains(detail, own.ID) && strings.Contains(detail, build.ID))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_CONTROL_EVENTS WHERE RUN_ID = ? AND EVENT_TYPE = 'START'", id), int64(0))
}

// otherBinary builds the command from another commit: an empty one on top.
func otherBinary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"git", "clone", "--quiet", "--no-hardlinks", "..", filepath.Join(dir, "clone")},
		{"git", "-C", filepath.Join(dir, "clone"), "-c", "user.name=acceptance", "-c", "user.email=acceptance@example.com",
			"commit", "--quiet", "--allow-empty", "--message", "another build"},
		{"go", "build", "-C", filepath.Join(dir, "clone"), "-trimpath", "-buildvcs=true", "-ldflags=-s", "-o", filepath.Join(dir, "benchfleet"), "./cmd/benchfleet"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	return filepath.Join(dir, "benchfleet")
}
