package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxEnviron bounds the environment that is read of one process; the kernel's
// own bound of arguments and environment together is 6 MiB.
const maxEnviron = 6 << 20

// bootID is the kernel's random id of this boot, and the namespace in which
// process ids are counted: a container that is made anew is another boot.
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(id)) + " " + namespace, nil
}

// look reads /proc/PID/stat.
func look(pid int) (sight, bool, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return sight{}, false, nil
	}
	if err != nil {
		return sight{}, false, err
	}
	now, err := parseStat(data)
	return now, err == nil, err
}

// parseStat reads what proc_pid_stat(5) describes. The fields are counted from
// behind the command's name, which may hold anything.
func parseStat(data []byte) (sight, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return sight{}, fmt.Errorf("unknown format of /proc/PID/stat: %.60q", data)
	}
	const (
		first   = 3 // number of the field behind the name
		session = 6 - first
		threads = 20 - first
		start   = 22 - first
		code    = 52 - first
	)
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) <= code {
		return sight{}, fmt.Errorf("/proc/PID/stat has %d fields behind the name, want more than %d", len(fields), code)
	}
	var now sight
	var errs [5]error
	var thread, status int
	now.PID, errs[0] = strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	now.session, errs[1] = strconv.Atoi(fields[session])
	thread, errs[2] = strconv.Atoi(fields[threads])
	now.Start, errs[3] = strconv.ParseUint(fields[start], 10, 64)
	status, errs[4] = strconv.Atoi(fields[code])
	switch fields[0] {
	case "Z": // a first thread that ended before the others is no zombie
		now.zombie = thread <= 1
	case "X", "x":
		now.zombie = true
	}
	if now.zombie {
		now.exit = exitOf(status)
	}
	return now, errors.Join(errs[:]...)
}

// scan finds every marked process of this user.
func scan() ([]marked, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	_ = dir.Close()
	if err != nil {
		return nil, err
	}
	var all []marked
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		environ, ok := environOf(pid)
		if !ok {
			continue
		}
		m, ok := markedBy(environ)
		if !ok {
			continue
		}
		now, ok, err := look(pid)
		if err != nil || !ok || now.zombie {
			continue // ended meanwhile
		}
		// What lies between two looks at the same launch is of that launch.
		environ, ok = environOf(pid)
		if again, same := markedBy(environ); ok && same && again == m {
			all = append(all, m.seen(now))
		}
	}
	return all, nil
}

// environOf reads the environment that a process of this user was started with.
func environOf(pid int) ([]string, bool) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil, false // another's, or gone
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, false
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return nil, false
	}
	data, err := io.ReadAll(io.LimitReader(f, maxEnviron))
	if err != nil || len(data) == 0 {
		return nil, false
	}
	return strings.Split(string(data), "\x00"), true
}

// signal signals a process, or its whole group, if it still is that process: a
// pidfd keeps naming the same process, whoever gets its number.
func signal(p process, sig syscall.Signal, group bool) error {
	if p.PID <= 1 {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil
	case err != nil: // an old kernel, or a filter of system calls
		return signalByNumber(p, sig, group)
	}
	defer unix.Close(fd) //nolint:errcheck // only a name
	now, ok, err := look(p.PID)
	if err != nil || !ok || !now.is(p) {
		return err
	}
	// The process lived after the pidfd was opened and has the right start, so
	// it is the one that the pidfd names.
	if group {
		err = unix.PidfdSendSignal(fd, sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // before Linux 6.9
			return signalByNumber(p, sig, group)
		}
	} else {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
			return signalByNumber(p, sig, group)
		}
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// signalByNumber is the way without a pidfd: look, then kill.
func signalByNumber(p process, sig syscall.Signal, group bool) error {
	now, ok, err := look(p.PID)
	if err != nil || !ok || !now.is(p) {
		return err
	}
	if group {
		return kill(-p.PID, sig)
	}
	return kill(p.PID, sig)
}
