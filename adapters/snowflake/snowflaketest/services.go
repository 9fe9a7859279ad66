package snowflaketest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The kinds of faults of container services.
const (
	PoolExhausted    = "pool_exhausted"    // new instances wait for nodes that the pool may not have: 392508
	ProviderCapacity = "provider_capacity" // they wait for nodes that the cloud does not have: 392507
	ImagePull        = "image_pull"        // no image can be pulled
	Unschedulable    = "unschedulable"     // no node has room, and no more is said
	Evict            = "evict"             // what runs ends now, as by maintenance
	LateStatus       = "late_status"       // SHOW and DESCRIBE tell what was DelayMS ago
	StartGap         = "start_gap"         // instances of a pool start at least DelayMS apart
	StartDelay       = "start_delay"       // an instance has its node for DelayMS before it starts
	NodeDelay        = "node_delay"        // a node that is added needs DelayMS
	LostLogs         = "lost_logs"         // the logs of what has ended are gone
)

// ServiceFault is something that goes wrong with container services.
type ServiceFault struct {
	Kind string `json:"kind"`
	// Match is a regular expression for the full name of the service, or the name
	// of the pool. An empty one matches all.
	Match   string `json:"match,omitempty"`
	DelayMS int64  `json:"delay_ms,omitempty"`
}

// BreakServices makes something go wrong until the test ends, or MendServices.
func (s *Server) BreakServices(tb testing.TB, faults ...ServiceFault) {
	tb.Helper()
	s.only(tb)
	tb.Cleanup(func() { s.MendServices(tb) })
	s.ask(tb, http.MethodPost, "/spcs", faults, nil)
}

// MendServices ends all faults of services.
func (s *Server) MendServices(tb testing.TB) {
	tb.Helper()
	s.ask(tb, http.MethodDelete, "/spcs", nil, nil)
}

// Container is a container of a service, as the stand-in knows it.
type Container struct {
	Instance int    `json:"instance"`
	Name     string `json:"name"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	Docker   string `json:"docker"` // the id of Docker's, while there is one
	Restarts int    `json:"restarts"`
}

// Service is a service or a job.
type Service struct {
	Name       string      `json:"name"` // in full
	Status     string      `json:"status"`
	Pool       string      `json:"pool"`
	Containers []Container `json:"containers"`
}

// Services are all that there are, finished jobs too, as they are now: no fault
// makes this late. With an account the test is skipped.
func (s *Server) Services(tb testing.TB) []Service {
	tb.Helper()
	s.only(tb)
	var answer struct {
		Services []Service `json:"services"`
	}
	s.ask(tb, http.MethodGet, "/spcs", nil, &answer)
	return answer.Services
}

// sweep removes the containers of a stand-in that could not do so itself.
func (s *Server) sweep() error {
	if s.ComputePool == "" || s.command.ProcessState.Success() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	ids, err := exec.CommandContext(ctx, "docker", "ps", "--all", "--quiet", "--filter", "label=snowlocal.folder="+filepath.Dir(s.TokenFile)).Output()
	if err != nil {
		return fmt.Errorf("listing the containers of the stand-in: %w", err)
	}
	if len(bytes.TrimSpace(ids)) == 0 {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "docker", append([]string{"rm", "--force"}, strings.Fields(string(ids))...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("removing the containers of the stand-in: %w: %s", err, out)
	}
	return nil
}

// Repository is the prefix that makes an image of the Docker Engine one of
// ImageRepository: docker tag IMAGE <prefix>NAME:TAG. In a specification the image
// is /<prefix>NAME:TAG.
func (s *Server) Repository() string {
	return strings.ToLower(strings.ReplaceAll(s.ImageRepository, ".", "/")) + "/"
}
