package cli

import (
	"os"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/benchfleet/benchfleet/core"
)

// NewUsage returns a function that measures this process since it was last called:
// the CPU and the memory that it uses, in percent of what it may use, and its CPU
// time so far in seconds. What it may use is what its cgroups say, and what the host has
// or GOMAXPROCS allows where that is less: share is how much that is of the host. It is for one
// goroutine.
func NewUsage() (read func() (cpuPercent, memoryPercent, cpuSeconds float64), share core.HostShare) {
	self, err := process.NewProcess(int32(os.Getpid()))
	cores, total := cgroupLimits(os.DirFS("/"))
	cores = least(cores, float64(min(runtime.NumCPU(), runtime.GOMAXPROCS(0))))
	if n, countErr := cpu.Counts(true); countErr == nil {
		share.CPU = shareOf(cores, float64(n))
	}
	if m, memErr := mem.VirtualMemory(); memErr == nil {
		total = least(total, m.Total)
		share.Memory = shareOf(float64(total), float64(m.Total))
	}
	last, lastSeconds := time.Now(), 0.0
	read = func() (float64, float64, float64) {
		if err != nil {
			return 0, 0, 0
		}
		seconds, memory, cpu := lastSeconds, 0.0, 0.0
		if t, e := self.Times(); e == nil {
			seconds = t.User + t.System
		}
		if m, e := self.MemoryInfo(); e == nil && total > 0 {
			memory = 100 * float64(m.RSS) / float64(total)
		}
		if wall := time.Since(last).Seconds(); wall > 0 {
			cpu = 100 * (seconds - lastSeconds) / wall / cores
		}
		last, lastSeconds = time.Now(), seconds
		return cpu, memory, seconds
	}
	return read, share
}

// shareOf is a part of a whole; 0 when it is all of it.
func shareOf(part, whole float64) float64 {
	if part > 0 && part < whole {
		return part / whole
	}
	return 0
}
