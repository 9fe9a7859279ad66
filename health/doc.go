// Package health is what every role of benchfleet serves on its health address:
// whether it lives and is ready, with reasons, as JSON, and metrics for
// Prometheus. Ask is the client, for images that hold nothing but the binary.
//
//	GET /health        live and ready: 200 when both, else 503
//	GET /health/live   the same body; the status code is for live alone
//	GET /health/ready  the same body; the status code is for ready alone
//	GET /metrics       Prometheus text
//
// It is not a control interface, a profiler or a log: it changes nothing, and
// there is nothing else to read. It measures nothing itself; it shows values that
// its role has made for other purposes (Worker, Orchestrator).
//
// Laws: a request reads what was last made and waits for nobody, so load never
// feels it; whoever is not ready says why; no text of a driver or of a target is
// in an answer, since it may quote a secret; labels are bounded by the scenario
// and by closed sets; every connection has a deadline and their number a bound.
package health
