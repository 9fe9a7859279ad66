//go:build unix

package bench

import (
	"bufio"
	"bytes"
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

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

const megabyte = 1e6

// BenchmarkImageSize tells the bytes of the command as task build makes it, and
// of the image around it where there is a Docker daemon.
func BenchmarkImageSize(b *testing.B) {
	binary := shipped(b)
	about, err := os.Stat(binary)
	must(b, err)
	b.ReportMetric(float64(about.Size())/megabyte, "binary-MB")
	if exec.Command("docker", "info").Run() == nil {
		text, err := exec.Command("docker", "image", "inspect", "--format", "{{.Size}}", imageOf(b, binary)).Output()
		must(b, err)
		size, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		must(b, err)
		b.ReportMetric(float64(size)/megabyte, "image-MB")
	}
	b.ReportMetric(0, "ns/op")
	b.Log("promised: ≤ 40 MB")
}

// BenchmarkWorkerMemory tells the largest resident set of a worker process with
// 50 connections that make point lookups in SQLite as fast as they can for 5 s.
func BenchmarkWorkerMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("needs /proc")
	}
	f := newFleet(b)
	s := lookups(b, 1, 50, 5*time.Second)
	peak := int64(0)
	for n := range b.N {
		peak = max(peak, f.peakOf(b, fmt.Sprintf("memory-%d-%d", b.N, n), s))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(peak)/megabyte, "peak-MB")
	b.Log("promised: ≤ 40 MB")
}

// peakOf drives a run of one worker and returns the largest resident set of its
// process, in bytes.
func (f *fleet) peakOf(b *testing.B, id string, s core.Scenario) (peak int64) {
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
		watching.Go(func() { peak = peakUntil(process.PID, ended) })
	})
	close(ended)
	watching.Wait()
	if run.Status != core.Completed || peak == 0 {
		b.Fatalf("%s: %s %s, peak %d", id, run.Status, run.Detail, peak)
	}
	return peak
}

// peakUntil is the largest resident set of a process so far, read for as long as
// it lives.
func peakUntil(pid int, ended <-chan struct{}) (peak int64) {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		peak = max(peak, highWater(pid))
		select {
		case <-ended:
			return peak
		case <-poll.C:
		}
	}
}

// highWater is VmHWM of a process in bytes; 0 when it has gone.
func highWater(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var kilobytes int64
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kilobytes); err == nil {
			return kilobytes << 10
		}
	}
	return 0
}
