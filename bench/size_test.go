//go:build unix

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

const megabyte = 1e6

// BenchmarkImageSize tells the bytes of the command as task image builds it, and of
// the image around it.
func BenchmarkImageSize(b *testing.B) {
	binary := shipped(b)
	b.Run("binary", func(b *testing.B) {
		about, err := os.Stat(binary)
		must(b, err)
		reportSize(b, about.Size())
	})
	b.Run("image", func(b *testing.B) {
		image := imageOf(b, dockertest.Require(b), binary)
		text, err := exec.Command("docker", "image", "inspect", "--format", "{{.Size}}", image).Output()
		must(b, err)
		size, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		must(b, err)
		reportSize(b, size)
	})
}

func reportSize(b *testing.B, bytes int64) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(bytes)/megabyte, "MB")
	b.Log("promised: ≤ 40 MB")
}

// maxWorkerMemory is what a worker with 50 connections may need.
const maxWorkerMemory = 40 * megabyte

// BenchmarkWorkerMemory tells the memory of a worker with 50 connections that make
// point lookups as fast as they can for 5 s.
//
// As a container that has no more than is promised, over PostgreSQL: the most that
// it held as docker stats counts it, without what the kernel can take back unasked.
// A worker that needs more does not live to the end of the run.
//
// As a process, over SQLite: its largest resident set, and how much of that was
// private; the rest is pages of the program, which the workers of a host share.
// SQLite is in the worker, and caches pages for each connection, 2 MB of them unless
// the endpoint says otherwise: with the least cache it is the worker's own memory
// that is told.
func BenchmarkWorkerMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("needs /proc")
	}
	b.Run("container", func(b *testing.B) {
		f := newContainers(b, maxWorkerMemory)
		var most int64
		for n := range b.N {
			most = max(most, f.memoryOf(b, fmt.Sprintf("memory-%d-%d", b.N, n)))
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(most)/megabyte, "MB")
		b.Log("promised: ≤ 40 MB")
	})
	f := newFleet(b)
	s := lookups(b, 1, 50, 5*time.Second)
	for _, cache := range []struct{ name, pragma string }{{"least", "?_pragma=cache_size(1)"}, {"default", ""}} {
		b.Run("cache="+cache.name, func(b *testing.B) {
			here := *f
			here.options.Secrets = []ports.EnvVar{{Name: worker.EndpointVariable("local"), Value: f.target + cache.pragma}}
			var most footprint
			for n := range b.N {
				most = most.max(here.footprintOf(b, fmt.Sprintf("memory-%s-%d-%d", cache.name, b.N, n), s))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(most.peak)/megabyte, "peak-MB")
			b.ReportMetric(float64(most.private)/megabyte, "private-MB")
		})
	}
}

// memoryOf drives a run of one worker in a container and returns the most memory
// that it was seen to hold.
func (f *containers) memoryOf(b *testing.B, id string) (most int64) {
	b.Helper()
	daemon := dockertest.Client(b, f.host)
	ctx, ended := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		poll := time.NewTicker(50 * time.Millisecond)
		defer poll.Stop()
		for ctx.Err() == nil {
			most = max(most, heldBy(ctx, daemon, id))
			select {
			case <-ctx.Done():
			case <-poll.C:
			}
		}
	})
	f.expect(1, func() {})
	run := f.drive(b, id, lookupTemplate(1, 50, 5*time.Second), nil)
	ended()
	watching.Wait()
	if run.Status != core.Completed || most == 0 {
		b.Fatalf("%s: %s %s, %d bytes, %+v", id, run.Status, run.Detail, most, run.Certificate())
	}
	return most
}

// heldBy is the memory of the containers of a run as docker stats counts it; 0
// while there is none.
func heldBy(ctx context.Context, daemon *client.Client, run string) (held int64) {
	list, err := daemon.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "benchfleet.run="+run))})
	if err != nil {
		return 0
	}
	for _, c := range list {
		reply, err := daemon.ContainerStatsOneShot(ctx, c.ID)
		if err != nil {
			continue
		}
		var stats container.StatsResponse
		err = json.NewDecoder(reply.Body).Decode(&stats)
		reply.Body.Close()
		if err != nil {
			continue
		}
		free, v1 := stats.MemoryStats.Stats["total_inactive_file"]
		if !v1 {
			free = stats.MemoryStats.Stats["inactive_file"]
		}
		held += int64(stats.MemoryStats.Usage - min(free, stats.MemoryStats.Usage))
	}
	return held
}

// footprint is the memory of a process, in bytes.
type footprint struct {
	peak     int64 // largest resident set, as the kernel keeps it
	resident int64
	private  int64 // resident, but of no file
}

func (m footprint) max(o footprint) footprint {
	return footprint{max(m.peak, o.peak), max(m.resident, o.resident), max(m.private, o.private)}
}

// footprintOf drives a run of one worker and returns the most that its process had.
func (f *fleet) footprintOf(b *testing.B, id string, s core.Scenario) (most footprint) {
	b.Helper()
	var watching sync.WaitGroup
	ended := make(chan struct{})
	watched := false
	run := f.drive(b, id, s, func(o runner.Observation, _ chan<- core.StopRequested) {
		handle := o.Run.Workers[0].Handle
		if watched || handle.Zero() {
			return
		}
		watched = true
		var process struct {
			PID int `json:"pid"`
		}
		must(b, json.Unmarshal(handle.Data, &process))
		watching.Go(func() { most = mostUntil(process.PID, ended) })
	})
	close(ended)
	watching.Wait()
	if run.Status != core.Completed || most.peak == 0 || most.private == 0 {
		b.Fatalf("%s: %s %s, %+v", id, run.Status, run.Detail, most)
	}
	return most
}

// mostUntil reads the memory of a process again and again.
func mostUntil(pid int, ended <-chan struct{}) (most footprint) {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		most = most.max(readFootprint(pid))
		select {
		case <-ended:
			return most
		case <-poll.C:
		}
	}
}

// readFootprint reads the memory of a process; zero when it has gone.
func readFootprint(pid int) (m footprint) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		var kilobytes int64
		switch _, err := fmt.Sscanf(rest, "%d kB", &kilobytes); {
		case err != nil:
		case name == "VmHWM":
			m.peak = kilobytes << 10
		case name == "VmRSS":
			m.resident = kilobytes << 10
		case name == "RssAnon":
			m.private = kilobytes << 10
		}
	}
	return m
}
