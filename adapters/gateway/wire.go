package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The protocol: POST /v1/<port>.<method> with the arguments as JSON, and a token
// as bearer. The answer is the result as JSON, or a problem.
const (
	protocol = "v1"
	jsonType = "application/json"
)

// The arguments and results that are more than one value.
type (
	nothing struct{}
	hello   struct {
		RunID string `json:"run_id"` // that the token opens; empty: the whole store
	}
	runArgs struct {
		RunID string `json:"run_id"`
	}
	createArgs struct {
		Run      core.Run      `json:"run"`
		Scenario core.Scenario `json:"scenario"`
		Home     ports.Home    `json:"home"`
	}
	commitArgs struct {
		Expected int64               `json:"expected"`
		Next     core.Run            `json:"next"`
		Events   []core.ControlEvent `json:"events"`
		Progress ports.Progress      `json:"progress"`
	}
	afterArgs struct {
		RunID string `json:"run_id"`
		After int64  `json:"after"`
	}
	controlArgs struct {
		RunID    string        `json:"run_id"`
		WorkerID string        `json:"worker_id"`
		Seen     int64         `json:"seen,omitempty"`    // the version that the reader has
		Hold     time.Duration `json:"hold_ns,omitempty"` // how long it may be held while that is the newest
	}
	beatsArgs struct {
		RunID string           `json:"run_id"`
		Known map[string]int64 `json:"known,omitempty"`
	}
	beatsResult struct {
		Beats []core.Beat `json:"beats"`
		Now   time.Time   `json:"now"`
	}
	snapshotsArgs struct {
		Workers    []ports.WorkerInterval `json:"workers,omitempty"`
		Aggregates []ports.RunInterval    `json:"aggregates,omitempty"`
	}
	rollup struct {
		Parent   core.Rollup   `json:"parent"`
		Children []core.Rollup `json:"children,omitempty"`
	}
	offsetArgs struct {
		RunID  string  `json:"run_id"`
		Offset float64 `json:"offset"`
	}
	aggregatesArgs struct {
		offsetArgs
		Limit int `json:"limit,omitempty"`
	}
	executionsArgs struct {
		RunID string `json:"run_id"`
		After string `json:"after,omitempty"`
		Limit int    `json:"limit,omitempty"`
	}
	linesArgs struct {
		RunID    string    `json:"run_id"`
		WorkerID string    `json:"worker_id,omitempty"`
		After    time.Time `json:"after,omitzero"`
		Limit    int       `json:"limit,omitempty"`
	}
	poolArgs struct {
		ID     string   `json:"id"`
		Chunks []string `json:"chunks,omitempty"`
	}
	putIfArgs struct {
		Template  core.Template          `json:"template"`
		Condition core.TemplateCondition `json:"condition"`
	}
	nameArgs struct {
		Name string `json:"name"` // or id
	}
)

// problem is an error on the wire.
type problem struct {
	Code    core.Code `json:"code"`
	Message string    `json:"message"`
}

func problemOf(err error) problem {
	code := core.CodeOf(err)
	return problem{code, strings.TrimPrefix(err.Error(), core.SentinelOf(code).Error()+": ")}
}

func (p problem) error() error { return fmt.Errorf("%w: %s", core.SentinelOf(p.Code), p.Message) }

// statusOf is the HTTP status that goes with a code.
func statusOf(code core.Code) int {
	switch code {
	case core.NotFound:
		return http.StatusNotFound
	case core.Conflict:
		return http.StatusConflict
	case core.Invalid:
		return http.StatusBadRequest
	case core.Refused:
		return http.StatusUnprocessableEntity
	case core.Unsupported:
		return http.StatusNotImplemented
	case core.Unavailable:
		return http.StatusServiceUnavailable
	case core.Denied:
		return http.StatusForbidden
	default:
		return http.StatusInternalServerError
	}
}
