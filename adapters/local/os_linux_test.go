package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Here the tests ask the system in ways of their own, so that they do not share
// a mistake with the launcher.

func osAlive(pid int) (bool, error) {
	status, err := statusOf("/proc/" + strconv.Itoa(pid))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && !strings.HasPrefix(status["State"], "Z"), err
}

func commandLine(pid int) (string, error) {
	args, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return string(args), err
}

// statusOf reads /proc/PID/status.
func statusOf(dir string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields, nil
}

// countWorkers counts the living leaders of sessions with the run in their
// environment.
func countWorkers() func(runID string) (int, error) {
	return func(runID string) (int, error) {
		all, err := processesOf(runID)
		n := 0
		for _, dir := range all {
			status, err := statusOf(dir)
			if err != nil {
				continue // ended meanwhile
			}
			if status["NSsid"] == status["Pid"] && !strings.HasPrefix(status["State"], "Z") {
				n++
			}
		}
		return n, err
	}
}

// processesOf finds the processes with the run in their environment; one that
// has ended and is not reaped yet has none.
func processesOf(runID string) ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err == nil && strings.Contains("\x00"+string(environ), "\x00BENCHFLEET_RUN_ID="+runID+"\x00") {
			all = append(all, filepath.Dir(file))
		}
	}
	return all, nil
}
