package local

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// Here the tests ask the system in ways of their own, so that they do not share
// a mistake with the launcher.

func osAlive(pid int) (bool, error) {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	var code *exec.ExitError
	if errors.As(err, &code) && len(out) == 0 {
		return false, nil // ps knows no such process
	}
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z"), err
}

func commandLine(pid int) (string, error) {
	args, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return string(args), err
}

// countWorkers: macOS shows no environment but by the way that is under test.
func countWorkers() func(runID string) (int, error) { return nil }

func processesOf(string) ([]string, error) { return nil, nil }
