//go:build unix

package acceptance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A witness sees the workers of a site from outside, and does to them what the
// world may do. Workers have ids of its own.
type witness interface {
	// alive are the living workers of a run, or of all runs of the site for "".
	alive(s *site, run string) []string
	// left are the traces of workers that have ended.
	left(s *site, run string) []string
	// find is one living worker.
	find(s *site, run, worker string) string
	kill(id string) error
	// freeze stops a worker so that it hears nothing, not even SIGTERM.
	freeze(id string) error
	thaw(id string) error
}

// workers are the living workers of a run ("" for any) of this site.
func (s *site) workers(run string) []string { return fleet.witness.alive(s, run) }

// worker is one worker of a run.
func (s *site) worker(run, id string) string {
	s.t.Helper()
	found := fleet.witness.find(s, run, id)
	if found == "" {
		s.t.Fatalf("no living %s of run %s", id, run)
	}
	return found
}

// processes are workers as the operating system knows them.
type processes struct{}

func (processes) alive(s *site, run string) []string {
	var pids []string
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !bytes.Contains(environ, []byte("BENCHFLEET_EXIT_RECORD="+s.dir)) {
			continue
		}
		if bytes.Contains(environ, []byte("BENCHFLEET_RUN_ID="+run)) && bytes.Contains(environ, []byte("BENCHFLEET_WORKER_ID=")) {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// left are the launcher's files of a run: its records, logs and locks.
func (processes) left(s *site, run string) (files []string) {
	err := filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) { // it was there a moment ago
			return nil
		}
		if err == nil && strings.Contains(path, run) && !strings.HasPrefix(entry.Name(), "orchestrator-") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

func (p processes) find(s *site, run, worker string) string {
	for _, pid := range p.alive(s, run) {
		environ, err := os.ReadFile(filepath.Join("/proc", pid, "environ"))
		if err == nil && bytes.Contains(environ, []byte("BENCHFLEET_WORKER_ID="+worker+"\x00")) {
			return pid
		}
	}
	return ""
}

func (processes) signal(id string, sig syscall.Signal) error {
	pid, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

func (p processes) kill(id string) error   { return p.signal(id, syscall.SIGKILL) }
func (p processes) freeze(id string) error { return p.signal(id, syscall.SIGSTOP) }
func (p processes) thaw(id string) error   { return p.signal(id, syscall.SIGCONT) }

// containers are workers as the Docker Engine knows them.
type containers struct{}

// list are containers of the site's runs whose state is one of states.
func (containers) list(s *site, run, worker string, states ...string) []string {
	runs := []string{run}
	if run == "" {
		runs = s.runs()
	}
	cmd := exec.Command("docker", "ps", "--all", "--no-trunc", "--filter", "label=benchfleet.run",
		"--format", `{{.ID}} {{.State}} {{.Label "benchfleet.run"}} {{.Label "benchfleet.worker"}}`)
	if s.daemon != "" {
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+s.daemon)
	}
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatal("docker ps:", err)
	}
	var ids []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 4 && slices.Contains(states, f[1]) && slices.Contains(runs, f[2]) && (worker == "" || worker == f[3]) {
			ids = append(ids, f[0])
		}
	}
	return ids
}

func (c containers) alive(s *site, run string) []string {
	return c.list(s, run, "", "running", "paused", "restarting")
}

func (c containers) left(s *site, run string) []string {
	return c.list(s, run, "", "created", "exited", "dead", "removing")
}

func (c containers) find(s *site, run, worker string) string {
	if found := c.list(s, run, worker, "running", "paused"); len(found) > 0 {
		return found[0]
	}
	return ""
}

func (containers) docker(args ...string) error {
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], err, out)
	}
	return nil
}

func (c containers) kill(id string) error   { return c.docker("kill", id) }
func (c containers) freeze(id string) error { return c.docker("pause", id) }
func (c containers) thaw(id string) error   { return c.docker("unpause", id) }

// once skips a test that takes long and hardly depends on launchers, unless all are
// to be tried.
func once(t *testing.T) {
	t.Helper()
	unlessAll(t, launcherFlag, "local", "it takes long and hardly depends on launchers")
}

// unlessAll skips a test that says little new with another setting, unless all are to
// be tried.
func unlessAll(t *testing.T, setting *string, value, why string) {
	t.Helper()
	if !*allFlag {
		needs(t, setting, value, why+"; -all tries it")
	}
}

// needs skips a test that makes no sense with another launcher or target.
func needs(t *testing.T, setting *string, value, why string) {
	t.Helper()
	if *setting != value {
		t.Skipf("not with %s: %s", *setting, why)
	}
}
