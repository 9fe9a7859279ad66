package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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

// Create stores a new run and reserves its key range: the range first, which stays
// reserved whatever becomes of the run.
func (s *Store) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (record ports.RunRecord, err error) {
	attempt := 0
	s.pending.forget(run.ID)
	err = s.unit(ctx, "creating run "+run.ID, func(q sqlx.ExtContext) error {
		exists := fmt.Errorf("%w: %s: run %q exists", core.ErrConflict, s.d.Name, run.ID)
		if found, err := s.runExists(ctx, q, run.ID); err != nil {
			return err
		} else if found {
			return exists
		}
		var now time.Time
		if scenario.InsertBase, now, err = s.reserveRange(ctx, q, run.ID, attempt); err != nil {
			attempt++ // somebody else has that range
			return err
		}
		if err := s.insertRun(ctx, q, run, scenario, home, now); err != nil {
			return err
		}
		if record, err = s.load(ctx, q, run.ID); err != nil {
			return err
		}
		if record.Scenario.InsertBase != scenario.InsertBase {
			return exists // another was faster
		}
		return nil
	})
	if err != nil {
		return ports.RunRecord{}, err
	}
	return record, nil
}

func (s *Store) runExists(ctx context.Context, q sqlx.QueryerContext, runID string) (bool, error) {
	var one int
	return get(ctx, q, &one, s.write.Rebind("SELECT 1 FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
}

// reserveRange takes the next key range. Its row stays for ever, so no range is
// given out twice, and the key of the table refuses one that is. Where several
// create runs at once, each further attempt leaves out more ranges at random, so
// that they do not meet again.
func (s *Store) reserveRange(ctx context.Context, q sqlx.ExtContext, runID string, attempt int) (base int64, now time.Time, err error) {
	var previous struct {
		Base   int64   `db:"PREVIOUS"`
		ReadAt instant `db:"READ_AT"`
	}
	if _, err = get(ctx, q, &previous, "SELECT COALESCE(MAX(INSERT_BASE), 0) AS PREVIOUS"+s.readAt()+" FROM "+s.d.Table("INSERT_RANGES")); err != nil {
		return 0, now, err
	}
	if now = previous.ReadAt.Truncate(time.Microsecond); s.d.Clock != nil {
		if now, err = s.now(ctx, q); err != nil {
			return 0, now, err
		}
	}
	base = core.NextInsertBase(previous.Base, now) + rand.N(int64(1)<<min(2*attempt, 10))*core.InsertRange
	var r row
	r.set("INSERT_BASE", base)
	r.set("RUN_ID", runID)
	r.set("CREATED_AT", s.stamp(now))
	return base, now, s.insertRows(ctx, q, table{name: "INSERT_RANGES"}, []row{r})
}

// insertRun stores a run that is not there. In a remote database it is done again
// when the reply was lost: who has stored the run is told by its key range.
func (s *Store) insertRun(ctx context.Context, q sqlx.ExtContext, run core.Run, scenario core.Scenario, home ports.Home, now time.Time) error {
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
	for attempt := 1; ; attempt++ {
		err := s.insertRows(ctx, q, table{name: "RUN_STATUS", key: []string{"RUN_ID"}}, []row{r})
		if err == nil || s.d.Remote == nil || !s.d.Remote.Uncertain(err) || attempt == settleAttempts || ctx.Err() != nil {
			return err
		}
	}
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
	Pending   *string `db:"PENDING_EVENTS"`
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
	columns := "VERSION, HANDLE_HOST, GATEWAY_ADDRESS, CREATED_AT, UPDATED_AT, STATE, SCENARIO_CONFIG"
	if s.d.Remote != nil {
		columns += ", PENDING_EVENTS"
	}
	var r recordRow
	found, err := get(ctx, q, &r, s.write.Rebind("SELECT "+columns+s.readAt()+" FROM "+
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
	if s.d.Remote != nil {
		pending, err := s.pendingRows(runID, r.Pending)
		if err != nil {
			return ports.RunRecord{}, err
		}
		s.pending.know(runID, r.Version, pending, true)
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
	CheckAt    instant     `db:"CHECK_AT"`
	EndedAt    instant     `db:"END_TIME"`
	TotalOps   int64       `db:"TOTAL_OPS"`
	Errors     int64       `db:"ERROR_COUNT"`
	QPS        float64     `db:"CURRENT_QPS"`
}

const summaryColumns = "RUN_ID, TEST_NAME, STATUS, PHASE, REASON, REASON_DETAIL, LAUNCHER, TOTAL_WORKERS_EXPECTED, OWNER, " +
	"OWNER_LEASE_UNTIL, CREATED_AT, START_TIME, CHECK_AT, END_TIME, TOTAL_OPS, ERROR_COUNT, CURRENT_QPS"

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
	if filter.Search != "" {
		where = append(where, "(LOWER(RUN_ID) LIKE ? ESCAPE '!' OR LOWER(TEST_NAME) LIKE ? ESCAPE '!')")
		args = append(args, containing(filter.Search), containing(filter.Search))
	}
	if filter.Launcher != "" {
		where, args = append(where, "LAUNCHER = ?"), append(args, filter.Launcher)
	}
	if filter.Template != "" {
		where, args = append(where, "TEMPLATE_ID = ?"), append(args, filter.Template)
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
		CreatedAt: r.CreatedAt.Time, StartedAt: r.StartedAt.Time, CheckAt: r.CheckAt.Time, EndedAt: r.EndedAt.Time,
		TotalOps: r.TotalOps, Errors: r.Errors, QPS: r.QPS,
	}
}

// containing is a pattern of texts in lower case that contain a text.
func containing(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(text)) + "%"
}

// marks is n placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Events returns control events of a run, in order: in a remote database also
// those that are pending. A run that is not there has none.
func (s *Store) Events(ctx context.Context, runID string, after int64) (events []core.ControlEvent, err error) {
	query := fmt.Sprintf("SELECT SEQUENCE_ID, EVENT_DATA FROM %s WHERE RUN_ID = ? AND SEQUENCE_ID > ? ORDER BY SEQUENCE_ID LIMIT %d",
		s.d.Table("RUN_CONTROL_EVENTS"), maxEvents)
	args := []any{runID, after}
	if s.d.Remote != nil {
		query = "SELECT SEQUENCE_ID, EVENT_DATA FROM (" + query + ") AS e UNION ALL SELECT 0, PENDING_EVENTS FROM " +
			s.d.Table("RUN_STATUS") + " WHERE RUN_ID = ? AND PENDING_EVENTS IS NOT NULL"
		args = append(args, runID)
	}
	err = s.wrap(ctx, "reading events of run "+runID, func() error {
		var rows []eventData
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), args...); err != nil {
			return err
		}
		events, err = s.events(rows, after)
		return err
	})
	return events, err
}

// eventData is one event, or, under number 0, all that are pending.
type eventData struct {
	Sequence int64   `db:"SEQUENCE_ID"`
	Data     *string `db:"EVENT_DATA"`
}

// events puts events into order, each once.
func (s *Store) events(rows []eventData, after int64) ([]core.ControlEvent, error) {
	events := make([]core.ControlEvent, 0, len(rows))
	for _, r := range rows {
		if r.Sequence == 0 {
			var pending []core.ControlEvent
			if err := s.decode("pending events", r.Data, &pending); err != nil {
				return nil, err
			}
			events = append(events, slices.DeleteFunc(pending, func(e core.ControlEvent) bool { return e.Sequence <= after })...)
			continue
		}
		var e core.ControlEvent
		if err := s.decode("control event", r.Data, &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	slices.SortStableFunc(events, func(a, b core.ControlEvent) int { return cmp.Compare(a.Sequence, b.Sequence) })
	events = slices.CompactFunc(events, func(a, b core.ControlEvent) bool { return a.Sequence == b.Sequence })
	return events[:min(len(events), maxEvents)], nil
}

// runTables hold rows under a run, RUN_STATUS last.
var runTables = []string{
	"RUN_CONTROL_EVENTS", "WORKER_HEARTBEATS", "TEST_RESULTS", "WORKER_METRICS_SNAPSHOTS", "METRICS_SNAPSHOTS",
	"QUERY_EXECUTIONS", "CONTROLLER_STEP_HISTORY", "WAREHOUSE_POLL_SNAPSHOTS", "TEST_LOGS", "RUN_STATUS",
}

// Delete removes a terminal run and everything stored under it, the run last, so
// that who was interrupted can do it again. Its key range stays reserved.
func (s *Store) Delete(ctx context.Context, runID string) error {
	return s.unit(ctx, "deleting run "+runID, func(q sqlx.ExtContext) error {
		var status core.Status
		found, err := get(ctx, q, &status, s.write.Rebind("SELECT STATUS FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
		switch {
		case err != nil:
			return err
		case !found:
			return s.notFound("run %q", runID)
		case !status.Terminal():
			return fmt.Errorf("%w: %s: run %q is %s; stop it first", core.ErrRefused, s.d.Name, runID, status)
		}
		for _, name := range runTables {
			if _, err := q.ExecContext(ctx, s.write.Rebind("DELETE FROM "+s.d.Table(name)+" WHERE RUN_ID = ?"), runID); err != nil {
				return err
			}
		}
		s.pending.forget(runID)
		return nil
	})
}
