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
// or GOMAXPROCS allows where that is less: share is how much that is of the host. The host
// of siblings, the workers that one process has started on its own host, is what their
// common cgroups and processors give. It is for one goroutine.
func NewUsage(siblings bool) (read func() (cpuPercent, memoryPercent, cpuSeconds float64), share core.HostShare) {
	self, err := process.NewProcess(int32(os.Getpid()))
	var allowed, host limits
	allowed.cores, allowed.memory = cgroupLimits(os.DirFS("/"))
	allowed.cores = least(allowed.cores, float64(runtime.NumCPU()))
	if n, countErr := cpu.Counts(true); countErr == nil {
		host.cores = float64(n)
	}
	if m, memErr := mem.VirtualMemory(); memErr == nil {
		allowed.memory, host.memory = least(allowed.memory, m.Total), m.Total
	}
	cores, share := allowed.of(host, float64(runtime.GOMAXPROCS(0)), siblings)
	last, lastSeconds := time.Now(), 0.0
	read = func() (float64, float64, float64) {
		if err != nil {
			return 0, 0, 0
		}
		seconds, memory, cpu := lastSeconds, 0.0, 0.0
		if t, e := self.Times(); e == nil {
			seconds = t.User + t.System
		}
		if m, e := self.MemoryInfo(); e == nil && allowed.memory > 0 {
			memory = 100 * float64(m.RSS) / float64(allowed.memory)
		}
		if wall := time.Since(last).Seconds(); wall > 0 {
			cpu = 100 * (seconds - lastSeconds) / wall / cores
		}
		last, lastSeconds = time.Now(), seconds
		return cpu, memory, seconds
	}
	return read, share
}

// limits are what processes may use; 0: unknown.
type limits struct {
	cores  float64
	memory uint64 // bytes
}

// of is how many cores one process may use of what is allowed, if it uses procs at most,
// and how much that is of its host.
func (allowed limits) of(host limits, procs float64, siblings bool) (cores float64, share core.HostShare) {
	if siblings {
		host = allowed
	}
	cores = min(allowed.cores, procs)
	return cores, core.HostShare{CPU: shareOf(cores, host.cores), Memory: shareOf(float64(allowed.memory), float64(host.memory))}
}

// shareOf is a part of a whole; 0 when it is all of it.
func shareOf(part, whole float64) float64 {
	if part > 0 && part < whole {
		return part / whole
	}
	return 0
}
