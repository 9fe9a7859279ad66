package ports

// The worker contract: a worker is started with everything in these variables,
// the same on every launcher. Endpoints and their secrets are
// BENCHFLEET_ENDPOINT_<NAME>. A secret, which endpoints, the store's token and its
// address may be, may also be in a file that the variable with _FILE at its end
// names.
const (
	EnvRunID       = "BENCHFLEET_RUN_ID"
	EnvWorkerID    = "BENCHFLEET_WORKER_ID"
	EnvGroupID     = "BENCHFLEET_WORKER_GROUP_ID"
	EnvGroupCount  = "BENCHFLEET_WORKER_GROUP_COUNT"
	EnvEpoch       = "BENCHFLEET_EPOCH"
	EnvStore       = "BENCHFLEET_STORE"
	EnvStoreToken  = "BENCHFLEET_STORE_TOKEN" // secret that lets the worker into the store, where one is needed
	EnvHealth      = "BENCHFLEET_HEALTH"      // address (host:port) to serve /health and /metrics on; empty: a free port of loopback
	EnvExitRecord  = "BENCHFLEET_EXIT_RECORD" // file that a local worker leaves its exit record in
	EnvGrace       = "BENCHFLEET_GRACE"       // the platform's time from gentle stop to kill, like "30s"; empty: none
	EndpointPrefix = "BENCHFLEET_ENDPOINT_"
)

// ExitRecord is what a local worker leaves behind by rename before it exits,
// since an orchestrator that adopts it is not its parent. None means that it
// crashed.
type ExitRecord struct {
	Code         int    `json:"code"`
	Cause        string `json:"cause"`
	LastSequence int64  `json:"last_sequence"` // newest control event that it knew of
}
