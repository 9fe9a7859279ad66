package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Limits of what one call returns.
const (
	defaultRuns = 100
	maxRuns     = 1000
	maxEvents   = 1000
)

// Create stores a new run and reserves its key range.
func (s *Store) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (record ports.RunRecord, err error) {
	err = s.transaction(ctx, "creating run "+run.ID, func(tx *sqlx.Tx) error {
		if err := s.lockRun(ctx, tx, everyRun); err != nil {
			return err
		}
		if found, err := s.runExists(ctx, tx, run.ID); err != nil {
			return err
		} else if found {
			return fmt.Errorf("%w: %s: run %q exists", core.ErrConflict, s.d.Name, run.ID)
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		if scenario.InsertBase, err = s.reserveRange(ctx, tx, run.ID, now); err != nil {
			return err
		}
		if err := s.insertRun(ctx, tx, run, scenario, home, now); err != nil {
			return err
		}
		record, err = s.load(ctx, tx, run.ID)
		return err
	})
	var unknown *uncertain
	if errors.As(err, &unknown) && ctx.Err() == nil {
		// Its key range tells the run that was to be stored from any other.
		if stored, failed := s.Load(ctx, run.ID); failed == nil && stored.Scenario.InsertBase == record.Scenario.InsertBase {
			return stored, nil
		}
	}
	return record, err
}

func (s *Store) runExists(ctx context.Context, q sqlx.QueryerContext, runID string) (bool, error) {
	var one int
	return get(ctx, q, &one, s.write.Rebind("SELECT 1 FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
}

// reserveRange takes the next key range. Its row stays for ever, so no range is
// given out twice, and the key of the table refuses one that is.
func (s *Store) reserveRange(ctx context.Context, tx *sqlx.Tx, runID string, now time.Time) (int64, error) {
	var previous int64
	if _, err := get(ctx, tx, &previous, "SELECT COALESCE(MAX(INSERT_BASE), 0) FROM "+s.d.Table("INSERT_RANGES")); err != nil {
		return 0, err
	}
	base := core.NextInsertBase(previous, now)
	var r row
	r.set("INSERT_BASE", base)
	r.set("RUN_ID", runID)
	r.set("CREATED_AT", s.stamp(now))
	return base, s.insertRows(ctx, tx, table{name: "INSERT_RANGES"}, []row{r})
}

func (s *Store) insertRun(ctx context.Context, tx *sqlx.Tx, run core.Run, scenario core.Scenario, home ports.Home, now time.Time) error {
	config, err := s.encode("the scenario", scenario)
	if err != nil {
		return err
	}
	var r row
	r.set("RUN_ID", run.ID)
	r.set("TEST_ID", run.ID)
	r.set("VERSION", 1)
	r.set("INSERT_BASE", scenario.InsertBase)
	r.set("TEMPLATE_ID", optional(scenario.TemplateID))
	r.set("TEST_NAME", scenario.Name)
	r.set("LAUNCHER", scenario.Launcher)
	r.set("HANDLE_HOST", home.Host)
	r.set("GATEWAY_ADDRESS", home.Gateway)
	r.set("SCENARIO_CONFIG", config)
	r.set("CREATED_AT", s.stamp(now))
	if err := s.setRun(&r, run, now); err != nil {
		return err
	}
	return s.insertRows(ctx, tx, table{name: "RUN_STATUS"}, []row{r})
}

type recordRow struct {
	Version   int64   `db:"VERSION"`
	Host      string  `db:"HANDLE_HOST"`
	Gateway   string  `db:"GATEWAY_ADDRESS"`
	CreatedAt instant `db:"CREATED_AT"`
	UpdatedAt instant `db:"UPDATED_AT"`
	State     *string `db:"STATE"`
	Scenario  *string `db:"SCENARIO_CONFIG"`
	ReadAt    instant `db:"READ_AT"`
}

// Load reads one run.
func (s *Store) Load(ctx context.Context, runID string) (record ports.RunRecord, err error) {
	err = s.wrap(ctx, "loading run "+runID, func() error {
		record, err = s.load(ctx, s.read, runID)
		return err
	})
	return record, err
}

func (s *Store) load(ctx context.Context, q sqlx.QueryerContext, runID string) (record ports.RunRecord, err error) {
	var r recordRow
	found, err := get(ctx, q, &r, s.write.Rebind("SELECT VERSION, HANDLE_HOST, GATEWAY_ADDRESS, CREATED_AT, UPDATED_AT, STATE, SCENARIO_CONFIG"+s.readAt()+" FROM "+
		s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
	if err != nil {
		return record, err
	}
	if !found {
		return record, s.notFound("run %q", runID)
	}
	record = ports.RunRecord{Version: r.Version, Home: ports.Home{Host: r.Host, Gateway: r.Gateway}, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
	if record.Run, err = s.decodeState(runID, r.State); err != nil {
		return ports.RunRecord{}, err
	}
	if err := s.decode("scenario of run "+runID, r.Scenario, &record.Scenario); err != nil {
		return ports.RunRecord{}, err
	}
	if s.d.Clock == nil {
		record.Now = r.ReadAt.Truncate(time.Microsecond)
		return record, nil
	}
	record.Now, err = s.now(ctx, q)
	return record, err
}

type summaryRow struct {
	ID         string      `db:"RUN_ID"`
	Name       string      `db:"TEST_NAME"`
	Status     core.Status `db:"STATUS"`
	Phase      core.Phase  `db:"PHASE"`
	Reason     core.Reason `db:"REASON"`
	Detail     string      `db:"REASON_DETAIL"`
	Launcher   string      `db:"LAUNCHER"`
	Workers    int         `db:"TOTAL_WORKERS_EXPECTED"`
	Owner      string      `db:"OWNER"`
	LeaseUntil instant     `db:"OWNER_LEASE_UNTIL"`
	CreatedAt  instant     `db:"CREATED_AT"`
	StartedAt  instant     `db:"START_TIME"`
	EndedAt    instant     `db:"END_TIME"`
	TotalOps   int64       `db:"TOTAL_OPS"`
	Errors     int64       `db:"ERROR_COUNT"`
	QPS        float64     `db:"CURRENT_QPS"`
}

const summaryColumns = "RUN_ID, TEST_NAME, STATUS, PHASE, REASON, REASON_DETAIL, LAUNCHER, TOTAL_WORKERS_EXPECTED, OWNER, " +
	"OWNER_LEASE_UNTIL, CREATED_AT, START_TIME, END_TIME, TOTAL_OPS, ERROR_COUNT, CURRENT_QPS"

// List returns runs, newest first: INSERT_BASE rises with every run. After a run
// that is not there comes nothing.
func (s *Store) List(ctx context.Context, filter ports.RunFilter) (list []ports.RunSummary, err error) {
	limit := filter.Limit
	if limit <= 0 {
		limit = defaultRuns
	}
	where := []string{"1 = 1"}
	var args []any
	if len(filter.Status) > 0 {
		where = append(where, "STATUS IN ("+marks(len(filter.Status))+")")
		for _, status := range filter.Status {
			args = append(args, string(status))
		}
	}
	if filter.Before != "" {
		where = append(where, "INSERT_BASE < (SELECT INSERT_BASE FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?)")
		args = append(args, filter.Before)
	}
	query := "SELECT " + summaryColumns + " FROM " + s.d.Table("RUN_STATUS") + " WHERE " + strings.Join(where, " AND ") +
		fmt.Sprintf(" ORDER BY INSERT_BASE DESC LIMIT %d", min(limit, maxRuns))
	err = s.wrap(ctx, "listing runs", func() error {
		var rows []summaryRow
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), args...); err != nil {
			return err
		}
		now, err := s.now(ctx, s.read)
		if err != nil {
			return err
		}
		for i := range rows {
			list = append(list, rows[i].summary(now))
		}
		return nil
	})
	return list, err
}

func (r *summaryRow) summary(now time.Time) ports.RunSummary {
	return ports.RunSummary{
		ID: r.ID, Name: r.Name, Status: r.Status, Phase: r.Phase, Reason: r.Reason, Detail: r.Detail,
		Launcher: r.Launcher, Workers: r.Workers, Owner: r.Owner, OwnerAlive: now.Before(r.LeaseUntil.Time),
		CreatedAt: r.CreatedAt.Time, StartedAt: r.StartedAt.Time, EndedAt: r.EndedAt.Time,
		TotalOps: r.TotalOps, Errors: r.Errors, QPS: r.QPS,
	}
}

// marks is n placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Events returns control events of a run, in order. A run that is not there has
// none.
func (s *Store) Events(ctx context.Context, runID string, after int64) (events []core.ControlEvent, err error) {
	query := s.read.Rebind(fmt.Sprintf("SELECT EVENT_DATA FROM %s WHERE RUN_ID = ? AND SEQUENCE_ID > ? ORDER BY SEQUENCE_ID LIMIT %d",
		s.d.Table("RUN_CONTROL_EVENTS"), maxEvents))
	err = s.wrap(ctx, "reading events of run "+runID, func() error {
		var rows []*string
		if err := sqlx.SelectContext(ctx, s.read, &rows, query, runID, after); err != nil {
			return err
		}
		events = make([]core.ControlEvent, len(rows))
		for i, text := range rows {
			if err := s.decode("control event", text, &events[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return events, err
}

// runTables hold rows under a run, RUN_STATUS last.
var runTables = []string{
	"RUN_CONTROL_EVENTS", "WORKER_HEARTBEATS", "TEST_RESULTS", "WORKER_METRICS_SNAPSHOTS", "METRICS_SNAPSHOTS",
	"QUERY_EXECUTIONS", "CONTROLLER_STEP_HISTORY", "WAREHOUSE_POLL_SNAPSHOTS", "TEST_LOGS", "RUN_STATUS",
}

// Delete removes a terminal run and everything stored under it. Its key range
// stays reserved.
func (s *Store) Delete(ctx context.Context, runID string) error {
	return s.transaction(ctx, "deleting run "+runID, func(tx *sqlx.Tx) error {
		if err := s.lockRun(ctx, tx, runID); err != nil {
			return err
		}
		var status core.Status
		found, err := get(ctx, tx, &status, tx.Rebind("SELECT STATUS FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
		switch {
		case err != nil:
			return err
		case !found:
			return s.notFound("run %q", runID)
		case !status.Terminal():
			return fmt.Errorf("%w: %s: run %q is %s; stop it first", core.ErrRefused, s.d.Name, runID, status)
		}
		for _, name := range runTables {
			if _, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM "+s.d.Table(name)+" WHERE RUN_ID = ?"), runID); err != nil {
				return err
			}
		}
		return nil
	})
}
