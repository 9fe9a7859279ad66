package cli

import (
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestCgroupLimits(t *testing.T) {
	const (
		two   = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
		cpu   = "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct\n"
		mem   = "36 25 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:18 - cgroup cgroup rw,memory\n"
		named = "40 25 0:33 / /sys/fs/cgroup/systemd rw,nosuid shared:19 - cgroup cgroup rw,xattr,name=systemd\n"
		other = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
		inner = "36 25 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
		own1  = "9:memory:/docker/abc\n5:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n"
	)
	for _, c := range []struct {
		name   string
		files  map[string]string
		cores  float64
		memory uint64
	}{
		{"none", nil, 0, 0},
		{"no cgroups are mounted", map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": other}, 0, 0},
		{"version 2, its own namespace", map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": other + two,
			"sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/memory.max": "1073741824\n",
		}, 1.5, 1 << 30},
		{"version 2, unlimited", map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": two,
			"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n",
		}, 0, 0},
		{"version 2, a parent binds more", map[string]string{
			"proc/self/cgroup": "0::/a/b/c\n", "proc/self/mountinfo": two,
			"sys/fs/cgroup/a/cpu.max": "50000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/b/c/cpu.max": "200000 100000\n",
			"sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.max": "2000\n", "sys/fs/cgroup/a/b/c/memory.max": "3000\n",
			"sys/fs/cgroup/other/memory.max": "1\n",
		}, 0.5, 2000},
		{"version 2, outside what can be seen", map[string]string{
			"proc/self/cgroup": "0::/../../host\n", "proc/self/mountinfo": two, "sys/fs/cgroup/memory.max": "5000\n",
		}, 0, 5000},
		{"version 1", map[string]string{
			"proc/self/cgroup": own1, "proc/self/mountinfo": other + named + cpu + mem,
			"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "25000\n", "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "4096\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0.25, 4096},
		{"version 1, from inside a container", map[string]string{
			"proc/self/cgroup": own1, "proc/self/mountinfo": inner, "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n",
		}, 0, 4096},
		{"nonsense", map[string]string{
			"proc/self/cgroup": "x\n0::/\n", "proc/self/mountinfo": "a b c\n" + two, "sys/fs/cgroup/cpu.max": "fast\n", "sys/fs/cgroup/memory.max": "-1\n",
		}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			files := fstest.MapFS{}
			for name, text := range c.files {
				files[name] = &fstest.MapFile{Data: []byte(text)}
			}
			cores, memory := cgroupLimits(files)
			is.Equal(cores, c.cores)
			is.Equal(memory, c.memory)
		})
	}
}

// A process that may use one processor is full when that is, whatever else the host has.
func TestOwnUsage(t *testing.T) {
	is := is.New(t)
	before := runtime.GOMAXPROCS(1)
	usage, share := NewUsage(false)
	runtime.GOMAXPROCS(before)
	if runtime.NumCPU() > 1 {
		is.True(share.CPU > 0 && share.CPU <= 0.5)
	}
	sum := 0
	for i := range 200_000_000 {
		sum += i ^ sum
	}
	cpu, memory, seconds := usage()
	is.True(sum != 1)
	is.True(cpu > 0)
	is.True(memory > 0 && memory < 100)
	is.True(seconds > 0)
}

// Of a host with 16 cores a container may use some, and each of several containers has its
// own. Subprocesses share what their parent may use: together they can fill that.
func TestShareOfHost(t *testing.T) {
	host := limits{cores: 16, memory: 64 << 30}
	for _, c := range []struct {
		name     string
		allowed  limits
		procs    float64
		siblings bool
		cores    float64
		share    core.HostShare
	}{
		{"all", host, 16, false, 16, core.HostShare{}},
		{"a container", limits{2, 16 << 30}, 2, false, 2, core.HostShare{CPU: 0.125, Memory: 0.25}},
		{"a part of a core", limits{0.5, 64 << 30}, 2, false, 0.5, core.HostShare{CPU: 0.03125}},
		{"GOMAXPROCS", host, 4, false, 4, core.HostShare{CPU: 0.25}},
		{"subprocesses", host, 16, true, 16, core.HostShare{}},
		{"subprocesses in a container", limits{2, 16 << 30}, 2, true, 2, core.HostShare{}},
		{"subprocesses of one core each in a container", limits{2, 16 << 30}, 1, true, 1, core.HostShare{CPU: 0.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			cores, share := c.allowed.of(host, c.procs, c.siblings)
			is.Equal(cores, c.cores)
			is.Equal(share, c.share)
		})
	}
}
