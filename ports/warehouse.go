package ports

import (
	"context"

	"github.com/benchfleet/benchfleet/core"
)

// WarehousePoller is played by targets that compute in a warehouse whose load can
// be asked for. The orchestrator asks while a run goes on, from one goroutine.
type WarehousePoller interface {
	// PollWarehouse tells how busy the warehouse is now; run and times are the
	// caller's to fill in. It disturbs no statement of the load. Errors:
	// Unavailable, NotFound; Unsupported where the target has no warehouse.
	PollWarehouse(ctx context.Context) (core.WarehousePoll, error)
}

// WarehouseUser is played by stores that compute in a warehouse, so that it can be
// told from the target's.
type WarehouseUser interface {
	// Warehouse tells which it is. Errors: Unavailable, Denied; Unsupported where
	// the store has none.
	Warehouse(ctx context.Context) (core.Warehouse, error)
}

// PollStore is played by stores that keep what a WarehousePoller told.
type PollStore interface {
	// AppendPolls stores polls. Only the owner of a run calls it. Idempotency: by
	// run, warehouse and time; the first one stays.
	AppendPolls(ctx context.Context, polls []core.WarehousePoll) error
}
