//go:build unix

package acceptance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestAcceptanceLateWorker: a worker that stood still while the measurement began
// is named by the verdict, with how late it was; what the others' load generators
// cost is told beside. The warm-up is longer than the lead of a phase over a far
// store, which publishes a shorter one and what follows it in one commit.
func TestAcceptanceLateWorker(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	running := s.start("run", "short", "--warmup", "4s", "--duration", "4s", "--output", "json")
	run := s.reaches(db, "RUNNING", "WARMUP")
	late := s.worker(run, "worker-1")
	is.NoErr(fleet.witness.freeze(late))
	until(t, 20*time.Second, "the others measure", func() bool {
		return s.number(db, "SELECT COUNT(*) FROM METRICS_SNAPSHOTS WHERE RUN_ID = ? AND PHASE = 'MEASUREMENT'", run) > 0
	})
	is.NoErr(fleet.witness.thaw(late))
	o := running.wait(30 * time.Second)
	is.Equal(o.code, 0)
	var d struct {
		Verdict struct {
			Level           string
			Reasons, Causes []string
		}
		Overhead *struct {
			NullOperations int `json:"null_operations"`
			Service        *struct {
				P50 float64 `json:"p50_ms"`
			}
		}
		Strain        *struct{ ObservedSeconds float64 }
		WorkerResults []struct {
			WorkerID string `json:"worker_id"`
			Overhead *struct {
				NullOperations int `json:"null_operations"`
			}
		} `json:"worker_results"`
	}
	is.NoErr(json.Unmarshal([]byte(o.stdout), &d))
	is.Equal(d.Verdict.Level, "DEGRADED")
	at := slices.Index(d.Verdict.Causes, "WORKER_LATE")
	is.True(at >= 0)
	is.True(strings.HasPrefix(d.Verdict.Reasons[at], "worker-1 began the measurement "))
	is.True(d.Strain != nil && d.Overhead != nil)
	sum := 0
	for _, w := range d.WorkerResults {
		is.True(w.Overhead.NullOperations > 0)
		sum += w.Overhead.NullOperations
	}
	is.Equal(len(d.WorkerResults), 3)
	is.Equal(sum, d.Overhead.NullOperations) // those of all workers
	is.True(d.Overhead.Service.P50 > 0)
}
