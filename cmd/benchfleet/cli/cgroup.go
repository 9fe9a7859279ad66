package cli

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// cgroupLimits are what the cgroups of this process let it use: cores, and bytes of
// memory; 0 where they set no limit. A cgroup's parents bind it too, so the least of
// all of them counts. Files are read below root, which is the host's / but in tests.
// Where there are no cgroups, as on macOS, there is no limit.
func cgroupLimits(root fs.FS) (cores float64, memory uint64) {
	own := read(root, "proc/self/cgroup")
	for line := range strings.Lines(read(root, "proc/self/mountinfo")) {
		m, ok := cgroupMount(line)
		if !ok {
			continue
		}
		at, ok := ownCgroup(own, m)
		if !ok {
			continue
		}
		for dir := at; ; dir = path.Dir(dir) {
			cores = least(cores, m.cores(root, dir))
			memory = least(memory, m.memory(root, dir))
			if dir == m.point || len(dir) <= len(m.point) {
				break
			}
		}
	}
	return cores, memory
}

// mount is a place where cgroups can be seen.
type mount struct {
	root, point string // of the cgroups, and where it is seen
	unified     bool   // version 2
	controllers []string
}

// cgroupMount reads one line of /proc/self/mountinfo: see proc(5).
func cgroupMount(line string) (m mount, ok bool) {
	before, after, found := strings.Cut(line, " - ")
	head, tail := strings.Fields(before), strings.Fields(after)
	if !found || len(head) < 5 || len(tail) < 3 || tail[0] != "cgroup2" && tail[0] != "cgroup" {
		return m, false
	}
	return mount{
		root: head[3], point: strings.TrimPrefix(head[4], "/"), unified: tail[0] == "cgroup2",
		controllers: strings.Split(tail[2], ","),
	}, true
}

// ownCgroup is the folder of this process's own cgroup in a mount. What is not to
// be seen there, as from inside a container, is the mount itself.
func ownCgroup(own string, m mount) (dir string, ok bool) {
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || m.unified != (parts[1] == "") || !m.unified && !shareOne(strings.Split(parts[1], ","), m.controllers) {
			continue
		}
		below := strings.TrimPrefix(parts[2], strings.TrimSuffix(m.root, "/"))
		if below == parts[2] && m.root != "/" || strings.HasPrefix(below, "/..") {
			below = "/"
		}
		return path.Join(m.point, below), true
	}
	return "", false
}

func shareOne(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y && (x == "cpu" || x == "memory") {
				return true
			}
		}
	}
	return false
}

// cores is the limit of one cgroup; 0: none.
func (m mount) cores(root fs.FS, dir string) float64 {
	quota, period := read(root, dir+"/cpu.cfs_quota_us"), read(root, dir+"/cpu.cfs_period_us")
	if m.unified {
		quota, period, _ = strings.Cut(read(root, dir+"/cpu.max"), " ")
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(quota), 64)
	p, problem := strconv.ParseFloat(strings.TrimSpace(period), 64)
	if err != nil || problem != nil || !(q > 0 && p > 0) { // max, -1, or not there
		return 0
	}
	return q / p
}

// memory is the limit of one cgroup in bytes; 0: none.
func (m mount) memory(root fs.FS, dir string) uint64 {
	name := "/memory.limit_in_bytes"
	if m.unified {
		name = "/memory.max"
	}
	n, err := strconv.ParseUint(strings.TrimSpace(read(root, dir+name)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// read is the text of a file; one that cannot be read has none.
func read(root fs.FS, name string) string {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(text)
}

// least is the smaller of two limits, of which 0 is none.
func least[N float64 | uint64](a, b N) N {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
