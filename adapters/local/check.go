package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// What a worker takes, roughly: what an idle Go program takes, rounded up.
const (
	memoryEach = 64 << 20 // bytes
	filesEach  = 256      // open files of one worker
)

// unknown is a limit that cannot be told, or that does not exist.
const unknown = -1

// room is what the host and its limits leave for workers.
type room struct {
	processes int64 // as the limit counts them: threads on Linux
	each      int64 // of these, for one worker
	memory    int64 // bytes
	files     int64 // that one process may open
}

// Check implements ports.Launcher: the program, the folder, and rough limits of
// processes, memory and open files for n workers.
func (l *Launcher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: local: check for %d workers; want 1 or more", core.ErrInvalid, n)
	}
	if err := live(ctx, "check"); err != nil {
		return nil, err
	}
	free, err := roomNow()
	if err != nil {
		return nil, failed("limits of this host", err)
	}
	findings := []core.Finding{l.checkCommand(), l.checkFolder(), checkProcesses()}
	return append(findings, checkRoom(free, n)...), nil
}

func (l *Launcher) checkCommand() core.Finding {
	path, err := exec.LookPath(l.command[0])
	if err != nil {
		return core.Finding{ID: "local.command", Severity: core.SeverityError,
			Message: fmt.Sprintf("the worker's program %s cannot be run: %v", l.command[0], errors.Unwrap(err)),
			Mend:    "name an executable file that exists, or make it executable (chmod +x)"}
	}
	return core.Finding{ID: "local.command", Severity: core.SeverityOK, Message: "the worker's program is " + path}
}

// checkFolder writes and locks a file where launches are recorded.
func (l *Launcher) checkFolder() core.Finding {
	err := func() error {
		folder := l.dir
		if _, err := os.Lstat(l.root()); err == nil {
			folder = l.root() // there have been launches: that is where the next are recorded
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		probe, err := os.CreateTemp(folder, ".probe-*")
		if err != nil {
			return err
		}
		_, err = probe.WriteString("probe\n")
		if err == nil {
			err = probe.Sync()
		}
		if err == nil {
			_, err = flock(probe, exclusive)
		}
		return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
	}()
	if err != nil {
		return core.Finding{ID: "local.folder", Severity: core.SeverityError,
			Message: fmt.Sprintf("launches cannot be recorded in %s: %v", l.dir, strings.ReplaceAll(err.Error(), "\n", "; ")),
			Mend:    "make the folder writable, free some space, or name another on a local disk with --dir"}
	}
	return core.Finding{ID: "local.folder", Severity: core.SeverityOK, Message: "launches are recorded in " + filepath.Join(l.dir, "workers")}
}

// checkProcesses sees whether processes can be told apart and found again.
func checkProcesses() core.Finding {
	_, ok, err := look(os.Getpid())
	if err == nil && ok {
		_, err = scan()
	}
	if err != nil || !ok {
		return core.Finding{ID: "local.processes", Severity: core.SeverityError,
			Message: fmt.Sprintf("this system does not show its processes: %v", err),
			Mend:    "on Linux, mount /proc"}
	}
	return core.Finding{ID: "local.processes", Severity: core.SeverityOK, Message: "processes can be found by id and start time"}
}

// checkRoom compares the limits with what n workers take.
func checkRoom(free room, n int) []core.Finding {
	count := int64(n)
	return []core.Finding{
		roughly("local.process_limit", "processes and threads", free.processes, count, count*free.each,
			"raise the limit (ulimit -u, or the pids limit of the container), or use fewer workers"),
		roughly("local.memory", "MiB of memory", free.memory>>20, count*memoryEach/4>>20, count*memoryEach>>20, // unknown stays unknown
			"free some memory, or use fewer workers"),
		roughly("local.open_files", "open files of one process", free.files, filesEach/4, filesEach,
			"raise the limit (ulimit -n)"),
	}
}

// roughly refuses what is below least, and warns below good.
func roughly(id, of string, have, least, good int64, mend string) core.Finding {
	switch {
	case have == unknown:
		return core.Finding{ID: id, Severity: core.SeverityOK, Message: "no limit of " + of + " is known"}
	case have < least:
		return core.Finding{ID: id, Severity: core.SeverityError, Message: fmt.Sprintf("room for %d %s, these workers need at least %d", have, of, least), Mend: mend}
	case have < good:
		return core.Finding{ID: id, Severity: core.SeverityWarning, Message: fmt.Sprintf("room for %d %s, these workers may need %d", have, of, good), Mend: mend}
	default:
		return core.Finding{ID: id, Severity: core.SeverityOK, Message: fmt.Sprintf("room for %d %s", have, of)}
	}
}

// least returns the smaller of two limits, either of which may be unknown.
func least(a, b int64) int64 {
	if a == unknown || b != unknown && b < a {
		return b
	}
	return a
}
