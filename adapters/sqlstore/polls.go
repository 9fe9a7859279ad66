package sqlstore

import (
	"context"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var _ ports.PollStore = (*Store)(nil)

// AppendPolls stores what warehouses said; the first of a run, warehouse and time
// stays.
func (s *Store) AppendPolls(ctx context.Context, polls []core.WarehousePoll) error {
	if len(polls) == 0 {
		return nil
	}
	runs := map[string]bool{}
	rows := make([]row, 0, len(polls))
	for i := range polls {
		runs[polls[i].RunID] = true
		r, err := s.pollRow(&polls[i])
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	to := table{name: "WAREHOUSE_POLL_SNAPSHOTS", key: []string{"RUN_ID", "WAREHOUSE_NAME", "TIMESTAMP"}}
	return s.appendBatches(ctx, "storing polls of warehouses", runs, batch{to, rows})
}

func (s *Store) pollRow(p *core.WarehousePoll) (row, error) {
	if p.At.IsZero() {
		return row{}, s.invalid("a poll of warehouse %q has no time", p.Warehouse)
	}
	var r row
	r.set("RUN_ID", p.RunID)
	r.set("WAREHOUSE_NAME", p.Warehouse)
	r.set("TIMESTAMP", s.stamp(p.At))
	r.set("ELAPSED_SECONDS", p.Elapsed)
	r.set("STARTED_CLUSTERS", p.StartedClusters)
	r.set("RUNNING", p.Running)
	r.set("QUEUED", p.Queued)
	r.set("MIN_CLUSTERS", p.MinClusters)
	r.set("MAX_CLUSTERS", p.MaxClusters)
	r.set("SCALING_POLICY", p.ScalingPolicy)
	raw, err := s.encode("a poll", p)
	r.set("RAW", raw)
	return r, err
}
