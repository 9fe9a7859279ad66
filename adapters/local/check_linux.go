package local

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// threadsEach is how many threads a worker may have: the Go runtime's own and
// some that wait in system calls.
const threadsEach = 16

func roomNow() (room, error) {
	free := room{processes: unknown, each: threadsEach, memory: unknown, files: unknown}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return free, err
	}
	free.files = clamp(limit.Max) // the Go runtime raises the soft limit to it
	if os.Geteuid() != 0 {        // root is not bound by it
		if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
			return free, err
		}
		if limit.Cur != unix.RLIM_INFINITY {
			used, err := threadsOfUser()
			if err != nil {
				return free, err
			}
			free.processes = max(0, clamp(limit.Cur)-used)
		}
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return free, err
	}
	free.memory = available(data)
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return free, err
	}
	free.processes = least(free.processes, cgroupRoom("/sys/fs/cgroup", cgroup, "pids.max", "pids.current"))
	free.memory = least(free.memory, cgroupRoom("/sys/fs/cgroup", cgroup, "memory.max", "memory.current"))
	return free, nil
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// available is MemAvailable of /proc/meminfo in bytes.
func available(meminfo []byte) int64 {
	lines := bufio.NewScanner(bytes.NewReader(meminfo))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return unknown
}

// cgroupRoom is what the cgroups (version 2) above this process leave of one
// resource: the least of limit minus use, from its own group to the root.
func cgroupRoom(root string, self []byte, limit, use string) int64 {
	free := int64(unknown)
	for line := range strings.Lines(string(self)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for at := filepath.Clean("/" + group); ; at = filepath.Dir(at) {
			most, ok1 := number(filepath.Join(root, at, limit))
			used, ok2 := number(filepath.Join(root, at, use))
			if ok1 && ok2 {
				free = least(free, max(0, most-used))
			}
			if at == "/" {
				break
			}
		}
	}
	return free
}

func number(path string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil // "max" is no limit
}

// threadsOfUser counts the threads of this user's processes.
func threadsOfUser() (int64, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		info, err := os.Stat("/proc/" + e.Name())
		if err != nil {
			continue // ended meanwhile
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		if tasks, err := os.ReadDir("/proc/" + e.Name() + "/task"); err == nil {
			sum += int64(len(tasks))
		}
	}
	return sum, nil
}
