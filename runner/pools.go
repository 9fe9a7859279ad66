package runner

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
)

// checkPools samples every value pool of the scenario from the target, one after
// another, and judges it.
func (r *Runner) checkPools(ctx context.Context, s core.Scenario) (findings []core.Finding, pools []core.ValuePool) {
	for _, spec := range s.Pools() {
		values, err := r.ports.Target.Sample(ctx, s.Table, spec)
		pool := core.ValuePool{}
		if err == nil {
			pool, err = core.NewValuePool(values)
		}
		if err != nil {
			findings = append(findings, refuse("target.pool", "name a column of whole numbers or texts that the user may read",
				"sampling column %s of table %s: %v", spec.Column, s.Table.PartName(spec.Table), err))
			continue
		}
		findings = append(findings, core.PoolFinding(spec, s.Table, pool, s.Load))
		pools = append(pools, pool)
	}
	return findings, pools
}

// storePools keeps the pools of a run that may start, and returns their ids.
func (r *Runner) storePools(ctx context.Context, findings []core.Finding, pools []core.ValuePool) (ids []string, err error) {
	if core.Refusal(findings) != "" {
		return nil, nil
	}
	for _, pool := range pools {
		chunks, err := pool.Chunks()
		if err != nil {
			return nil, err
		}
		id := core.PoolID(chunks)
		if err := r.ports.Pools.Put(ctx, id, chunks); err != nil {
			return nil, fmt.Errorf("storing a value pool: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
