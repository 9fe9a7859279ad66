package spcs

import (
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Not confirmed about Snowflake, and only here: the numbers and texts that no
// source shows. Documented are 395018, 392507, 392508 and the messages of
// containers.

const (
	number392508 = "392508" // services wait and the pool has its most nodes
	number392507 = "392507" // the cloud provider has no nodes
)

// invalidSpec is a specification that is refused; the number is documented.
func invalidSpec(format string, args ...any) *engine.Error {
	return engine.NewError(395018, "22023", "Invalid spec: "+format+".", args...)
}

// tooLarge is a request that no node of the pool could ever hold.
func tooLarge(what, pool, family string) *engine.Error {
	return invalidSpec("the requested %s exceeds what a node of compute pool '%s' (%s) has", what, pool, family)
}

// poolSuspended is a submission to a pool that is suspended and does not resume by
// itself.
func poolSuspended(pool string) *engine.Error {
	return engine.NewError(392503, "57P03", "Compute pool '%s' is suspended and AUTO_RESUME is off. Resume it with ALTER COMPUTE POOL %s RESUME.", pool, pool)
}

// poolBusy is DROP of a pool that has services.
func poolBusy(pool string) *engine.Error {
	return engine.NewError(392504, "55006", "Compute pool '%s' has services; ALTER COMPUTE POOL %s STOP ALL first.", pool, pool)
}

// notStarted is asking for the log of a container that has none yet; that the text
// has its status is documented.
func notStarted(container, status string) *engine.Error {
	return engine.NewError(395014, "22023", "Failed to get logs: container '%s' has not started. Container Status: %s", container, status)
}

// noContainer is asking for a container or instance that the service does not have.
func noContainer(service, container string, instance int) *engine.Error {
	return engine.NewError(395015, "22023", "Service '%s' has no container '%s' in instance %d.", service, container, instance)
}

// jobFailed is a synchronous job whose container failed.
func jobFailed(name, message string) *engine.Error {
	return engine.NewError(395021, "XX000", "Job %s failed: %s", name, message)
}

// waitedInVain is SPCS_WAIT_FOR whose time is over, or that waits for what cannot
// come; that it names the present status is documented.
func waitedInVain(name, want, have string) *engine.Error {
	return engine.NewError(395022, "22023", "Service %s did not reach status %s: its status is %s.", name, want, have)
}

// onlyJobs and onlyServices refuse what the other kind has.
func onlyJobs(name string) *engine.Error {
	return engine.NewError(395023, "0A000", "Service '%s' is not a job.", name)
}

func onlyServices(name string) *engine.Error {
	return engine.NewError(395024, "0A000", "Unsupported feature 'altering job service %s'.", name)
}

// tooManyServices is an account at its documented limit.
func tooManyServices() *engine.Error {
	return engine.NewError(395025, "54000", "The account has reached its limit of %d services.", maxServices)
}

// Messages of containers. Those without a mark are documented.
const (
	textWaiting      = "Waiting to start"
	textProvisioning = "Compute pool node(s) are being provisioned"
	textNoCPU        = "Unschedulable due to insufficient cpu resources"
	textNoMemory     = "Unschedulable due to insufficient memory resources"
	textNoImage      = "Failed to pull image"
	textRunning      = "Running"
	textOOM          = "Container was OOMKilled, it used more memory than its limit"
	textUserError    = "User application error, check container logs"
	textDone         = "Completed successfully"
	textTerminating  = "Terminating"                                       // not confirmed
	textNeverStarted = "Canceled before it started"                        // not confirmed
	textEvicted      = "The compute pool node was replaced by maintenance" // not confirmed
	textLost         = "The compute pool node was lost"                    // not confirmed
	textCannotStart  = "Failed to start container"                         // not confirmed
	textFullPool     = "Compute pool has reached the maximum node limit. Consider increasing max_nodes"
	textCapacity     = "Compute pool is starting for the last 3 minutes. We have observed CAPACITY_ERROR."
)
