package sqlstore

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
)

// maxSteps is how many steps of a run one call returns.
const maxSteps = 1000

// AppendSteps stores steps; the first of a run, type and number stays.
func (s *Store) AppendSteps(ctx context.Context, steps []core.ControllerStep) error {
	if len(steps) == 0 {
		return nil
	}
	runs := map[string]bool{}
	rows := make([]row, 0, len(steps))
	for i := range steps {
		runs[steps[i].RunID] = true
		rows = append(rows, s.stepRow(&steps[i]))
	}
	return s.appendBatches(ctx, "storing steps", runs, batch{table{name: "CONTROLLER_STEP_HISTORY", key: []string{"STEP_ID"}}, rows})
}

func (s *Store) stepRow(p *core.ControllerStep) row {
	var r row
	r.set("STEP_ID", fmt.Sprintf("%s/%s/%d", p.RunID, p.Type, p.Number))
	r.set("RUN_ID", p.RunID)
	r.set("STEP_NUMBER", p.Number)
	r.set("STEP_TYPE", p.Type)
	r.set("TARGET_WORKERS", p.Workers)
	r.set("FROM_CONNECTIONS", p.FromConnections)
	r.set("TO_CONNECTIONS", p.ToConnections)
	r.set("DIRECTION", p.Direction)
	r.set("START_TIME", s.stamp(p.Start))
	r.set("END_TIME", s.stamp(p.End))
	var seconds any
	if !p.End.IsZero() {
		seconds = p.End.Sub(p.Start).Seconds()
	}
	r.set("DURATION_SECONDS", seconds)
	r.set("TOTAL_QUERIES", p.Operations)
	r.set("QPS", p.QPS)
	r.set("TARGET_QPS", known(p.TargetQPS))
	r.set("P50_LATENCY_MS", milliseconds(p.P50))
	r.set("P95_LATENCY_MS", milliseconds(p.P95))
	r.set("P99_LATENCY_MS", milliseconds(p.P99))
	r.set("ERROR_COUNT", p.Errors)
	r.set("QPS_VS_PRIOR", known(p.QPSVsPrior))
	r.set("P95_VS_BASELINE", known(p.P95VsBaseline))
	r.set("QUEUE_DETECTED", flag(p.QueueDetected))
	r.set("QPS_ERROR_PCT", known(p.QPSErrorPercent))
	r.set("OUTCOME", p.Outcome)
	r.set("STOP_REASON", p.StopReason)
	return r
}

// known is a number as it is bound: NULL where there is none.
func known(x *float64) any {
	if x == nil {
		return nil
	}
	return *x
}

type readStep struct {
	RunID         string   `db:"RUN_ID"`
	Number        int      `db:"STEP_NUMBER"`
	Type          string   `db:"STEP_TYPE"`
	Workers       int      `db:"TARGET_WORKERS"`
	From          int      `db:"FROM_CONNECTIONS"`
	To            int      `db:"TO_CONNECTIONS"`
	Direction     string   `db:"DIRECTION"`
	Start         instant  `db:"START_TIME"`
	End           instant  `db:"END_TIME"`
	Operations    int64    `db:"TOTAL_QUERIES"`
	QPS           float64  `db:"QPS"`
	TargetQPS     *float64 `db:"TARGET_QPS"`
	P50           float64  `db:"P50_LATENCY_MS"`
	P95           float64  `db:"P95_LATENCY_MS"`
	P99           float64  `db:"P99_LATENCY_MS"`
	Errors        int64    `db:"ERROR_COUNT"`
	VsPrior       *float64 `db:"QPS_VS_PRIOR"`
	VsBaseline    *float64 `db:"P95_VS_BASELINE"`
	QueueDetected int      `db:"QUEUE_DETECTED"`
	ErrorPercent  *float64 `db:"QPS_ERROR_PCT"`
	Outcome       string   `db:"OUTCOME"`
	StopReason    string   `db:"STOP_REASON"`
}

const stepColumns = "RUN_ID, STEP_NUMBER, STEP_TYPE, TARGET_WORKERS, FROM_CONNECTIONS, TO_CONNECTIONS, DIRECTION, START_TIME, END_TIME, " +
	"TOTAL_QUERIES, QPS, TARGET_QPS, P50_LATENCY_MS, P95_LATENCY_MS, P99_LATENCY_MS, ERROR_COUNT, QPS_VS_PRIOR, P95_VS_BASELINE, " +
	"QUEUE_DETECTED, QPS_ERROR_PCT, OUTCOME, STOP_REASON"

// Steps returns the steps of a run of one type after another, in order.
func (s *Store) Steps(ctx context.Context, runID string) (list []core.ControllerStep, err error) {
	query := "SELECT " + stepColumns + " FROM " + s.d.Table("CONTROLLER_STEP_HISTORY") + " WHERE RUN_ID = ?" +
		fmt.Sprintf(" ORDER BY STEP_TYPE, STEP_NUMBER LIMIT %d", maxSteps)
	err = s.wrap(ctx, "reading steps of run "+runID, func() error {
		var rows []readStep
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), runID); err != nil {
			return err
		}
		for i := range rows {
			list = append(list, rows[i].step())
		}
		return nil
	})
	return list, err
}

func (r *readStep) step() core.ControllerStep {
	return core.ControllerStep{
		RunID: r.RunID, Type: r.Type, Number: r.Number, Workers: r.Workers, FromConnections: r.From, ToConnections: r.To,
		Direction: r.Direction, Start: r.Start.Time, End: r.End.Time, Operations: r.Operations, QPS: r.QPS, TargetQPS: r.TargetQPS,
		P50: fromMilliseconds(r.P50), P95: fromMilliseconds(r.P95), P99: fromMilliseconds(r.P99), Errors: r.Errors,
		QPSVsPrior: r.VsPrior, P95VsBaseline: r.VsBaseline, QueueDetected: r.QueueDetected != 0, QPSErrorPercent: r.ErrorPercent,
		Outcome: r.Outcome, StopReason: r.StopReason,
	}
}
