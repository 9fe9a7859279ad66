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

// warehouseName is that of the address, or where it names none, that of the
// session, which is the user's default; "" without one.
func warehouseName(ctx context.Context, on queryer, config *Config) (string, error) {
	if config.Warehouse != "" {
		return config.Warehouse, nil
	}
	rows, err := ask(ctx, on, "SELECT CURRENT_WAREHOUSE() AS NAME")
	if err != nil || len(rows) != 1 || rows[0]["name"] == "" {
		return "", err
	}
	return `"` + rows[0]["name"] + `"`, nil // as it is stored
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

// errNoWarehouse is Unsupported.
var errNoWarehouse = fmt.Errorf("%w: snowflake: the address names no warehouse, and the user has none by default", core.ErrUnsupported)

// PollWarehouse asks how busy the warehouse is. Errors: NotFound, Unsupported
// when there is no warehouse.
func (t *Target) PollWarehouse(ctx context.Context) (core.WarehousePoll, error) {
	var row map[string]string
	err := t.observe(ctx, strings.TrimSpace("polling warehouse "+t.config.Warehouse), func(on queryer) error {
		name, err := warehouseName(ctx, on, t.config)
		if err == nil && name == "" {
			err = errNoWarehouse
		}
		if err == nil {
			row, err = showWarehouse(ctx, on, name)
		}
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
