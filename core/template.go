package core

import "time"

// Template is a named, stored, typed description of a benchmark. Every run
// starts from one. Its zero fields mean "the default"; Resolve fills them in.
type Template struct {
	Name        string            `json:"name" jsonschema:"description=Unique name; letters digits dot dash and underscore"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Target      TemplateTarget    `json:"target"`
	Table       TemplateTable     `json:"table"`
	Load        TemplateLoad      `json:"load"`
	Mix         []TemplateOp      `json:"mix" jsonschema:"description=Operations and their weights in percent; the weights sum to 100"`
	SLOs        []string          `json:"slos,omitempty" jsonschema:"description=Objectives such as 'p99 < 20ms' or 'POINT_LOOKUP p95 < 5ms' or 'error_rate < 0.1%' or 'throughput > 900'; with 'for 10s' behind it one is missed when every interval misses it for that long and with 'for 10s abort' it ends the run then"`
	Limits      TemplateLimits    `json:"limits,omitzero"`
	Budget      TemplateBudget    `json:"budget,omitzero" jsonschema:"description=What the run may use up at most; it is stopped before any of it is passed"`
}

// TemplateTarget names what is under test, never how to log in to it.
type TemplateTarget struct {
	Kind     string `json:"kind" jsonschema:"description=Kind of target: sqlite or postgres or snowflake"`
	Endpoint string `json:"endpoint,omitempty" jsonschema:"description=Name of the endpoint; its address and secret come from BENCHFLEET_ENDPOINT_<NAME> or --endpoint NAME=FILE"`
	// ResultCache lets the target answer from results that it keeps.
	ResultCache bool `json:"result_cache,omitempty" jsonschema:"description=Let the target answer from a cache of results (default false); only snowflake has one"`
}

// TemplateTable is the benchmark table.
type TemplateTable struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty" jsonschema:"description=STANDARD (default) HYBRID or INTERACTIVE"`
	// Layout is which tables there are; empty: one, with TableColumns.
	Layout string `json:"layout,omitempty" jsonschema:"description=Which tables there are: tpcb or ycsb; without one a single table of orders"`
	Rows   int64  `json:"rows" jsonschema:"description=Rows that prepare loads and that lookup keys are drawn from"`
}

// TemplateLoad says how much load is made, by how many workers, for how long.
type TemplateLoad struct {
	Mode        string   `json:"mode,omitempty" jsonschema:"description=CONCURRENCY (default): each connection starts its next operation when the last has ended. QPS: operations are started at a rate whatever the target does. FIND_MAX_CONCURRENCY and FIND_MAX_QPS: search for the most connections or the highest rate that the target bears within the objectives"`
	Scaling     string   `json:"scaling,omitempty" jsonschema:"description=FIXED (default): load.workers workers. BOUNDED: as many as the load needs within the bounds. AUTO: the same within bounds that follow from the launcher"`
	Workers     int      `json:"workers,omitempty" jsonschema:"description=How many workers; FIXED needs it and the others have none"`
	Connections int      `json:"connections,omitempty" jsonschema:"description=FIXED: connections of each worker. BOUNDED and AUTO with mode CONCURRENCY: of all workers together"`
	Warmup      Duration `json:"warmup,omitempty"`
	Duration    Duration `json:"duration,omitempty" jsonschema:"description=Length of the measurement"`
	Cooldown    Duration `json:"cooldown,omitempty"`
	Operations  int64    `json:"operations,omitempty" jsonschema:"description=Bound by a number of measured operations instead of by time"`
	ThinkTime   Duration `json:"think_time,omitempty" jsonschema:"description=Pause of a connection between two operations"`
	Seed        int64    `json:"seed,omitempty" jsonschema:"description=Seed of every random choice; default 1"`
	Sampling    *float64 `json:"sampling,omitempty" jsonschema:"description=Share of operations stored one by one in percent; default 1"`
	NullLane    *bool    `json:"null_lane,omitempty" jsonschema:"description=Measure in each worker what the load generator itself costs and delays (default true); false: not"`

	MinWorkers     int `json:"min_workers,omitempty" jsonschema:"description=BOUNDED: the fewest workers; default 1"`
	MaxWorkers     int `json:"max_workers,omitempty" jsonschema:"description=BOUNDED: the most workers; needed"`
	MinConnections int `json:"min_connections,omitempty" jsonschema:"description=BOUNDED: the fewest connections of a worker that makes load; default 1"`
	MaxConnections int `json:"max_connections,omitempty" jsonschema:"description=BOUNDED: the most connections of one worker; default 32"`

	Rate        float64      `json:"rate,omitempty" jsonschema:"description=Operations per second of all workers together; with a ramp or a search the highest. QPS and FIND_MAX_QPS need it"`
	Arrivals    string       `json:"arrivals,omitempty" jsonschema:"description=How operations of QPS follow each other: uniform (default) or poisson"`
	MaxLateness Duration     `json:"max_lateness,omitempty" jsonschema:"description=Operations of QPS that could not be started within this time are skipped and counted; default 100ms"`
	CatchUp     bool         `json:"catch_up,omitempty" jsonschema:"description=Start every operation of QPS however late it is (default false); a target that stalled gets all of them at once"`
	Ramp        TemplateRamp `json:"ramp,omitzero" jsonschema:"description=How the rate (QPS) or the connections of each worker (CONCURRENCY) change from the beginning of the measurement"`

	Search TemplateSearch `json:"search,omitzero" jsonschema:"description=How FIND_MAX_CONCURRENCY and FIND_MAX_QPS search; the ceiling is workers × connections or the rate and the time limit is the duration (default 10m)"`
}

// TemplateSearch is how the most load is searched for. Zero fields mean the default.
type TemplateSearch struct {
	Start      float64  `json:"start,omitempty" jsonschema:"description=Load of the first step: connections over all workers (default 1) or operations per second (default a hundredth of the rate)"`
	Growth     float64  `json:"growth,omitempty" jsonschema:"description=Factor of each step until a load is missed; default 2"`
	Resolution float64  `json:"resolution,omitempty" jsonschema:"description=How near the answer is to the truth in percent; default 5"`
	Window     Duration `json:"window,omitempty" jsonschema:"description=Time by which a step is judged; default 5s"`
	Settle     Duration `json:"settle,omitempty" jsonschema:"description=Time between a change of the load and the first window; default 2s"`
}

// TemplateRamp is how the load changes; the zero value means not at all.
type TemplateRamp struct {
	Shape  string   `json:"shape" jsonschema:"description=linear or steps; with QPS also sine or spike"`
	From   float64  `json:"from,omitempty" jsonschema:"description=The lowest value; operations per second of all workers (QPS) or connections of each worker (CONCURRENCY)"`
	Over   Duration `json:"over,omitempty" jsonschema:"description=linear and steps: time until the highest value. spike: its length"`
	Steps  int      `json:"steps,omitempty" jsonschema:"description=steps: how many equal ones"`
	At     Duration `json:"at,omitempty" jsonschema:"description=spike: when it begins"`
	Period Duration `json:"period,omitempty" jsonschema:"description=sine: time from lowest to lowest. spike: time until it comes again; without it comes once"`
}

// TemplateOp is one operation of the mix: a built-in kind, one custom statement
// (sql), or a named transaction (statements).
type TemplateOp struct {
	Kind       string              `json:"kind" jsonschema:"description=POINT_LOOKUP RANGE_SCAN INSERT UPDATE DELETE or a name of your own"`
	Weight     float64             `json:"weight" jsonschema:"description=Percent of all operations with at most two decimals"`
	Keys       Distribution        `json:"keys,omitempty" jsonschema:"description=uniform (default) zipfian scrambled_zipfian sequential or latest"`
	Theta      float64             `json:"theta,omitempty" jsonschema:"description=Skew of zipfian and latest; default 0.99"`
	Span       int64               `json:"span,omitempty" jsonschema:"description=Keys that one RANGE_SCAN covers; default 100"`
	Access     string              `json:"access,omitempty" jsonschema:"description=READ or WRITE; default from the first word of each statement"`
	SQL        string              `json:"sql,omitempty" jsonschema:"description=One statement; {table} is the benchmark table and ? a parameter"`
	Parameters []Parameter         `json:"parameters,omitempty"`
	Statements []TemplateStatement `json:"statements,omitempty" jsonschema:"description=Statements of one transaction in order"`
}

// TemplateStatement is one statement of a transaction. Bind names, in order, the
// parameters of the operation that its placeholders take.
type TemplateStatement struct {
	SQL  string   `json:"sql"`
	Bind []string `json:"bind,omitempty"`
}

// TemplateLimits are the bounds of a run. Zero means the default.
type TemplateLimits struct {
	StatementTimeout Duration   `json:"statement_timeout,omitempty"`
	StartTimeout     Duration   `json:"start_timeout,omitempty"`
	DrainTimeout     Duration   `json:"drain_timeout,omitempty"`
	CancelTimeout    Duration   `json:"cancel_timeout,omitempty"`
	TerminateTimeout Duration   `json:"terminate_timeout,omitempty"`
	KillTimeout      Duration   `json:"kill_timeout,omitempty"`
	RunLimit         Duration   `json:"run_limit,omitempty"`
	WorkerLease      Duration   `json:"worker_lease,omitempty"`
	OwnerLease       Duration   `json:"owner_lease,omitempty"`
	ControlPoll      Duration   `json:"control_poll,omitempty"`
	OnLoss           LostPolicy `json:"on_loss,omitempty" jsonschema:"description=fail (default) or degrade"`

	Guardrails TemplateGuardrails `json:"guardrails,omitzero" jsonschema:"description=Soft bounds on the CPU and memory of the workers themselves"`
}

// ParameterType says how the values of a parameter are made.
type ParameterType string

// The parameter types.
const (
	ParamKey         ParameterType = "key"          // an existing row, by Distribution
	ParamRecentKey   ParameterType = "recent_key"   // a row, or one that this connection inserted: the newest most often
	ParamInsertKey   ParameterType = "insert_key"   // a new row of this run; int64
	ParamInsertedKey ParameterType = "inserted_key" // a row that this connection inserted before
	ParamInt         ParameterType = "int"          // uniform in [Min, Max]
	ParamFloat       ParameterType = "float"        // uniform in [Min, Max)
	ParamString      ParameterType = "string"       // Length letters and digits
	ParamBool        ParameterType = "bool"
	ParamTimestamp   ParameterType = "timestamp" // UTC, within Within before 2026-01-01
	ParamChoice      ParameterType = "choice"    // one of Values
	ParamLiteral     ParameterType = "literal"   // always Value
	ParamPool        ParameterType = "pool"      // a value of Column, sampled before the run; no two connections share one (QPS: workers)
	ParamOffset      ParameterType = "offset"    // the parameter Of plus Add
)

// ParameterTypes returns every parameter type.
func ParameterTypes() []ParameterType {
	return []ParameterType{ParamKey, ParamRecentKey, ParamInsertKey, ParamInsertedKey, ParamInt, ParamFloat, ParamString,
		ParamBool, ParamTimestamp, ParamChoice, ParamLiteral, ParamPool, ParamOffset}
}

// Parameter is one typed parameter of an operation. Statements of one operation
// share its value.
type Parameter struct {
	Name         string        `json:"name,omitempty"`
	Type         ParameterType `json:"type"`
	Table        string        `json:"table,omitempty"` // part of the layout that keys are of
	Distribution Distribution  `json:"distribution,omitempty"`
	Theta        float64       `json:"theta,omitempty"`
	Min          float64       `json:"min,omitempty"`
	Max          float64       `json:"max,omitempty"`
	Length       int           `json:"length,omitempty"`
	Values       []any         `json:"values,omitempty"`
	Value        any           `json:"value,omitempty"`
	Within       Duration      `json:"within,omitempty"`
	Of           string        `json:"of,omitempty"`
	Add          int64         `json:"add,omitempty"`
	Column       string        `json:"column,omitempty"` // whose values a pool has
	Size         int           `json:"size,omitempty"`   // values of a pool at most; default 10000
}

// Duration is a time.Duration that is written as "1m30s".
type Duration time.Duration

// Std returns it as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes it as Go does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes it as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "1m30s"; a bare number is refused, since its unit would
// be a guess.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return invalid("duration", string(text), `a number with a unit, like "500ms", "15s" or "1m30s"`)
	}
	*d = Duration(v)
	return nil
}
