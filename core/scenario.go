package core

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// The kinds of operation that every target knows.
const (
	PointLookup = "POINT_LOOKUP"
	RangeScan   = "RANGE_SCAN"
	Insert      = "INSERT"
	Update      = "UPDATE"
	Delete      = "DELETE"
)

// The names of modes, scalings and accesses.
const (
	ModeConcurrency = "CONCURRENCY"
	ModeQPS         = "QPS"
	// Those that search for the most that the target bears.
	ModeFindConcurrency = "FIND_MAX_CONCURRENCY"
	ModeFindQPS         = "FIND_MAX_QPS"

	ScalingFixed   = "FIXED"
	ScalingBounded = "BOUNDED"
	ScalingAuto    = "AUTO"
	AccessRead     = "READ"
	AccessWrite    = "WRITE"
)

// Scenario is a template resolved for one run: every default filled in, every
// override applied. It is frozen in RUN_STATUS.SCENARIO_CONFIG and holds no
// secret.
type Scenario struct {
	Name       string         `json:"name"`
	TemplateID string         `json:"template_id,omitempty"`
	Launcher   string         `json:"launcher"`
	Target     ScenarioTarget `json:"target"`
	Table      TemplateTable  `json:"table"`
	Load       ScenarioLoad   `json:"load"`
	Operations []Operation    `json:"operations"`
	SLOs       []SLO          `json:"slos,omitempty"`
	Limits     Limits         `json:"limits"`
	Budget     *RunBudget     `json:"budget,omitempty"` // nil: there is none
	// InsertBase is the first key of the range that is reserved for this run.
	InsertBase int64             `json:"insert_base"`
	Tags       map[string]string `json:"tags,omitempty"`
}

// ScenarioTarget is what may be known of the target without its secret.
type ScenarioTarget struct {
	Kind     string `json:"kind"`
	Endpoint string `json:"endpoint"`
	Host     string `json:"host,omitempty"`
	Database string `json:"database,omitempty"`
	User     string `json:"user,omitempty"`
	// ResultCache lets the target answer from results that it keeps.
	ResultCache bool `json:"result_cache,omitempty"`
}

// ScenarioLoad is the load with every default filled in.
type ScenarioLoad struct {
	Mode        string   `json:"mode"`
	Scaling     string   `json:"scaling"`
	Workers     int      `json:"workers"`     // the most there may be
	Connections int      `json:"connections"` // over all workers
	Warmup      Duration `json:"warmup"`
	Duration    Duration `json:"duration"`
	Cooldown    Duration `json:"cooldown"`
	Operations  int64    `json:"operations"`
	ThinkTime   Duration `json:"think_time"`
	Seed        int64    `json:"seed"`
	Sampling    float64  `json:"sampling"` // percent of operations
	Interval    Duration `json:"interval"`
	// NoNullLane: workers do not measure what they themselves cost and delay.
	NoNullLane bool `json:"no_null_lane,omitempty"`

	// Of QPS: the highest rate of all workers together, in operations per second,
	// uniform or poisson arrivals, and how late one may be started; MaxLateness 0
	// means however late.
	Rate        float64  `json:"rate,omitempty"`
	Arrivals    string   `json:"arrivals,omitempty"`
	MaxLateness Duration `json:"max_lateness,omitempty"`
	// Initial is how many workers are launched at the start, where others may join
	// later; 0: all. MinConnections is the least that a worker keeps, unless none.
	Initial        int `json:"initial_workers,omitempty"`
	MinConnections int `json:"min_connections,omitempty"`
	// Ramp is how the rate, or the connections of a closed loop, change.
	Ramp *Ramp `json:"ramp,omitempty"`
	// Search is how the most load is searched for; nil: it is given.
	Search *LoadSearch `json:"search,omitempty"`
}

// OpenLoop reports whether operations are started at a rate, whatever the target
// does.
func (l ScenarioLoad) OpenLoop() bool { return l.Mode == ModeQPS || l.Mode == ModeFindQPS }

// Limits are the bounds of a run, all filled in.
type Limits struct {
	StatementTimeout  Duration   `json:"statement_timeout"`
	PreflightTimeout  Duration   `json:"preflight_timeout"`
	StartTimeout      Duration   `json:"start_timeout"`
	DrainTimeout      Duration   `json:"drain_timeout"`
	CancelTimeout     Duration   `json:"cancel_timeout"`
	TerminateTimeout  Duration   `json:"terminate_timeout"`
	KillTimeout       Duration   `json:"kill_timeout"`
	ProcessingTimeout Duration   `json:"processing_timeout"`
	RunLimit          Duration   `json:"run_limit"`
	WorkerLease       Duration   `json:"worker_lease"`
	OwnerLease        Duration   `json:"owner_lease"`
	ControlPoll       Duration   `json:"control_poll"`
	OnLoss            LostPolicy `json:"on_loss"`

	Guardrails *Guardrails `json:"guardrails,omitempty"` // nil: there are none
}

// Operation is one entry of the mix, resolved: statements in order, and the
// parameters that they share.
type Operation struct {
	Kind        string      `json:"kind"`
	Weight      int         `json:"weight_bp"` // basis points; all sum to 10000
	Access      string      `json:"access"`    // READ or WRITE
	Transaction bool        `json:"transaction"`
	Parameters  []Parameter `json:"parameters,omitempty"`
	Statements  []Statement `json:"statements"`
}

// Statement is one SQL statement with {table} and ? placeholders; Bind holds,
// for each placeholder in order, the index of the operation's parameter.
type Statement struct {
	SQL  string `json:"sql"`
	Bind []int  `json:"bind,omitempty"`
	// Query says that the statement returns rows.
	Query bool `json:"query"`
}

// Statements returns every statement of the mix in order: what a session
// prepares. Statement numbers count through all operations.
func (s Scenario) Statements() []Statement {
	var all []Statement
	for _, op := range s.Operations {
		all = append(all, op.Statements...)
	}
	return all
}

// Plan is what the run machine needs of the scenario.
func (s Scenario) Plan() Plan {
	p := Plan{
		Workers:           s.Load.Workers,
		Connections:       s.Load.Connections,
		Operations:        s.Load.Operations,
		Initial:           s.Load.Initial,
		Floor:             s.Load.MinConnections,
		Rate:              s.highestRate(),
		Warmup:            s.Load.Warmup.Std(),
		Duration:          s.Load.Duration.Std(),
		Cooldown:          s.Load.Cooldown.Std(),
		StartLead:         PhaseLead(WaitingPoll(s.Limits.ControlPoll.Std())),
		PhaseLead:         PhaseLead(s.Limits.ControlPoll.Std()),
		RunLimit:          s.Limits.RunLimit.Std(),
		PreflightTimeout:  s.Limits.PreflightTimeout.Std(),
		StartTimeout:      s.Limits.StartTimeout.Std(),
		DrainTimeout:      s.Limits.DrainTimeout.Std(),
		CancelTimeout:     s.Limits.CancelTimeout.Std(),
		TerminateTimeout:  s.Limits.TerminateTimeout.Std(),
		KillTimeout:       s.Limits.KillTimeout.Std(),
		ProcessingTimeout: s.Limits.ProcessingTimeout.Std(),
		OnLoss:            s.Limits.OnLoss,
		Search:            s.searchPlan(),
	}
	if s.Budget != nil {
		if p.BudgetTime, p.BudgetText = s.Budget.Limit(); p.BudgetTime > 0 {
			p.BudgetLead = budgetLead(p.PhaseLead, s.Load.Interval.Std())
		}
	}
	return p
}

// highestRate is the highest rate that a run which may grow can be asked for.
func (s Scenario) highestRate() float64 {
	if s.Load.Initial == 0 {
		return 0
	}
	return s.Load.Rate
}

// AtStart is how many workers are launched at the start.
func (l ScenarioLoad) AtStart() int { return Plan{Workers: l.Workers, Initial: l.Initial}.AtStart() }

// PhaseLead is how far ahead a phase is published for workers that read their
// control state once per poll.
func PhaseLead(poll time.Duration) time.Duration { return 2 * poll }

// WaitingPoll is how often a worker reads its control state while it waits for
// START, when no load suffers from it: so a run can begin soon.
func WaitingPoll(poll time.Duration) time.Duration { return poll / 10 }

// Hash is the identity of the scenario: workers register with it.
func (s Scenario) Hash() (string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("%w: scenario: %w", ErrInternal, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}
