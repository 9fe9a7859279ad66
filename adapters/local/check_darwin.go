package local

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// roomNow knows no free memory on macOS: what is free there says little.
func roomNow() (room, error) {
	free := room{processes: unknown, each: 1, memory: unknown, files: unknown}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return free, err
	}
	free.files = clamp(limit.Max)
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		return free, err
	}
	own, err := unix.SysctlKinfoProcSlice("kern.proc.uid", os.Geteuid())
	if err != nil {
		return free, err
	}
	free.processes = max(0, clamp(limit.Cur)-int64(len(own)))
	return free, nil
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
