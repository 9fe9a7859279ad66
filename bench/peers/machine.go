//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// setting finds out what the samples are taken under.
func (b *bed) setting(ctx context.Context, data string) (setting, error) {
	version, err := execute(ctx, b.scratch, nil, nil, "go", "version", "-m", b.binary)
	if err != nil {
		return setting{}, err
	}
	s := setting{
		Began: time.Now().UTC().Round(time.Second), Machine: machine(), Go: runtime.Version(), Pgx: moduleVersion("github.com/jackc/pgx/v5"),
		Postgres: b.server.version, Server: describe(serverConfig), Over: b.server.over,
		Warmup: b.warmup.Seconds(), Duration: b.duration.Seconds(), Rate: b.rate,
	}
	for line := range strings.Lines(version.out) {
		if _, value, found := strings.Cut(strings.TrimSpace(line), "vcs.revision="); found {
			s.Revision = value[:min(12, len(value))] + s.Revision
		}
		if strings.HasSuffix(strings.TrimSpace(line), "vcs.modified=true") {
			s.Revision += "+"
		}
	}
	if out, err := exec.CommandContext(ctx, "uname", "-sr").Output(); err == nil {
		s.Kernel = strings.TrimSpace(string(out))
	}
	if out, err := exec.CommandContext(ctx, "df", "-T", data).Output(); err == nil {
		if lines := strings.Split(strings.TrimSpace(string(out)), "\n"); len(lines) > 1 {
			if fields := strings.Fields(lines[1]); len(fields) > 1 {
				s.Data = fields[1]
			}
		}
	}
	return s, nil
}

// machine is the processor and the memory.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	text := fmt.Sprintf("%s, %d processors", model, runtime.NumCPU())
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kilobytes); err == nil {
			text += fmt.Sprintf(", %d GiB", (kilobytes+1<<19)>>20)
		}
	}
	return text
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == path {
				return dep.Version
			}
		}
	}
	return "unknown"
}

// loadAverage is that of the last minute; 0 where it is not known.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}
