package snowflake

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var _ ports.WarehousePoller = (*Target)(nil)

// showWarehouse reads the row of SHOW WAREHOUSES with exactly that name. It needs
// no warehouse that runs.
func showWarehouse(ctx context.Context, on queryer, name string) (map[string]string, error) {
	stored := name
	if plainName.MatchString(name) {
		stored = strings.ToUpper(name)
	}
	stored = strings.Trim(stored, `"`)
	rows, err := ask(ctx, on, "SHOW WAREHOUSES LIKE "+literal(likePattern(stored)))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row["name"] == stored {
			return row, nil
		}
	}
	return nil, fmt.Errorf("%w: snowflake: warehouse %s does not exist, or the role may not see it", core.ErrNotFound, stored)
}

// warehouseOf is what a warehouse says of itself.
func warehouseOf(ctx context.Context, on queryer, name string) (core.Warehouse, error) {
	row, err := showWarehouse(ctx, on, name)
	if err != nil {
		return core.Warehouse{}, err
	}
	w := core.Warehouse{Name: row["name"], State: strings.ToUpper(row["state"]), Type: strings.ToUpper(row["type"]), Size: row["size"], AutoResume: yes(row["auto_resume"])}
	if yes(row["is_interactive"]) {
		w.Type = core.WarehouseInteractive
	}
	w.MinClusters, w.MaxClusters = number(row["min_cluster_count"]), number(row["max_cluster_count"])
	return w, nil
}

// number reads a count of SHOW; 0 where it is not there.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// PollWarehouse asks how busy the warehouse is. Errors: NotFound, Unsupported
// when the address names no warehouse.
func (t *Target) PollWarehouse(ctx context.Context) (core.WarehousePoll, error) {
	if t.config.Warehouse == "" {
		return core.WarehousePoll{}, fmt.Errorf("%w: snowflake: the address names no warehouse", core.ErrUnsupported)
	}
	var row map[string]string
	err := t.observe(ctx, "polling warehouse "+t.config.Warehouse, func(on queryer) (err error) {
		row, err = showWarehouse(ctx, on, t.config.Warehouse)
		return err
	})
	if err != nil {
		return core.WarehousePoll{}, err
	}
	return core.WarehousePoll{
		Warehouse: row["name"], State: strings.ToUpper(row["state"]), ScalingPolicy: strings.ToUpper(row["scaling_policy"]),
		StartedClusters: number(row["started_clusters"]), Running: number(row["running"]), Queued: number(row["queued"]),
		MinClusters: number(row["min_cluster_count"]), MaxClusters: number(row["max_cluster_count"]),
	}, nil
}
