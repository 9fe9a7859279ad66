package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
)

// controlColumns stand at the beginning of RUN_STATUS, before its long texts.
const controlColumns = "VERSION, STATUS, RUNG, PHASE, PHASE_AT, ORIGIN_AT, UNTIL_AT, OWNER_LEASE_UNTIL, NEXT_SEQUENCE_ID"

// controlText reads one row by its key. Placeholders: worker, run.
func (s *Store) controlText() string {
	return "SELECT " + controlColumns + s.readAt() + ", " + s.d.Member("WORKER_TARGETS") + " AS WORKER FROM " + s.d.Table("RUN_STATUS") + " WHERE RUN_ID = ?"
}

type controlRow struct {
	Version         int64       `db:"VERSION"`
	Status          core.Status `db:"STATUS"`
	Rung            string      `db:"RUNG"`
	Phase           core.Phase  `db:"PHASE"`
	PhaseAt         instant     `db:"PHASE_AT"`
	OriginAt        instant     `db:"ORIGIN_AT"`
	UntilAt         instant     `db:"UNTIL_AT"`
	OwnerLeaseUntil instant     `db:"OWNER_LEASE_UNTIL"`
	NextSequence    int64       `db:"NEXT_SEQUENCE_ID"`
	ReadAt          instant     `db:"READ_AT"`
	Worker          *string     `db:"WORKER"`
}

// Control reads the level state that a worker obeys.
func (s *Store) Control(ctx context.Context, runID, workerID string) (control core.Control, err error) {
	what := "reading the control state of run " + runID
	statement, err := s.prepared(ctx, what, &s.hot.control)
	if err != nil {
		return control, err
	}
	err = s.wrap(ctx, what, func() error {
		var r controlRow
		found, err := statement.get(ctx, s.read, &r, workerID, runID)
		switch {
		case err != nil:
			return err
		case !found:
			return s.notFound("run %q", runID)
		case r.Worker == nil:
			return s.notFound("run %q has no worker %q", runID, workerID)
		}
		control, err = s.control(&r)
		return err
	})
	return control, err
}

func (s *Store) control(r *controlRow) (core.Control, error) {
	var worker workerControl
	if err := s.decode("worker's control state", r.Worker, &worker); err != nil {
		return core.Control{}, err
	}
	now := r.ReadAt.Truncate(time.Microsecond)
	if s.d.Clock != nil {
		now = s.d.Clock().UTC().Truncate(time.Microsecond)
	}
	control := core.Control{
		Now: now, Version: r.Version, Status: r.Status, Phase: r.Phase, PhaseAt: r.PhaseAt.Time,
		Origin: r.OriginAt.Time, Until: r.UntilAt.Time, OwnerLeaseUntil: r.OwnerLeaseUntil.Time,
		Epoch: worker.Epoch, Target: worker.Target, Acknowledged: worker.Acknowledged, Aim: worker.Aim,
		LastSequence: r.NextSequence - 1,
	}
	return control, control.Rung.UnmarshalText([]byte(r.Rung))
}

// beatColumns are the columns of WORKER_HEARTBEATS, the report last.
var beatColumns = []string{
	"RUN_ID", "WORKER_ID", "WORKER_GROUP_ID", "EPOCH", "STATUS", "PHASE", "LAST_HEARTBEAT", "HEARTBEAT_COUNT",
	"ACTIVE_CONNECTIONS", "TARGET_CONNECTIONS", "CPU_PERCENT", "MEMORY_PERCENT", "QUERIES_PROCESSED", "ERROR_COUNT",
	"LAST_ERROR", "LAST_SEQUENCE", "ACKED_SEQUENCE", "TARGET_SESSIONS", "BUILD", "PAYLOAD",
}

// beatTable takes beats that are not older than those that are there.
var beatTable = table{
	name: "WORKER_HEARTBEATS", key: []string{"RUN_ID", "WORKER_ID"}, update: except(beatColumns, "RUN_ID", "WORKER_ID"),
	newer: []string{"EPOCH", "HEARTBEAT_COUNT"},
}

// beatText stores a beat in one statement. Placeholders: beatColumns, run; where
// the database has the clock, without LAST_HEARTBEAT.
func (s *Store) beatText() string {
	insert := Insert{
		Table: s.d.Table(beatTable.name), Name: beatTable.name, Columns: beatColumns, Rows: 1,
		OnlyIf: s.runsAreThere(1), Key: beatTable.key, Update: beatTable.update, Newer: beatTable.newer,
	}
	if s.d.Clock == nil {
		insert.Now = []string{"LAST_HEARTBEAT"}
	}
	return s.d.Insert(insert)
}

// Beat stores the newest beats of workers: in one statement in a remote database,
// with the clock in it; else in one transaction, so that the time is taken after
// the lock was waited for.
func (s *Store) Beat(ctx context.Context, beats ...core.Beat) error {
	if len(beats) == 0 {
		return nil
	}
	values := make([][]any, len(beats))
	for i, beat := range beats {
		var err error
		if values[i], err = s.beatValues(beat); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("storing %d beats, the first of %s of run %s,", len(beats), beats[0].Key.WorkerID, beats[0].Key.RunID)
	if s.d.Remote != nil {
		return s.beatRemote(ctx, what, beats, values)
	}
	statement, err := s.prepared(ctx, what, &s.hot.beat)
	if err != nil {
		return err
	}
	return s.unit(ctx, what, func(q sqlx.ExtContext) error {
		now, err := s.now(ctx, q)
		if err != nil {
			return err
		}
		for i, beat := range beats {
			args := values[i]
			if s.d.Clock != nil {
				args = slices.Insert(args, slices.Index(beatColumns, "LAST_HEARTBEAT"), s.stamp(now))
			}
			if err := s.storeBeat(ctx, q, statement, beat, args); err != nil {
				return err
			}
		}
		return nil
	})
}

// storeBeat stores one beat.
func (s *Store) storeBeat(ctx context.Context, q sqlx.ExtContext, statement statement, beat core.Beat, args []any) error {
	result, err := statement.exec(ctx, q, append(s.bind(args), beat.Key.RunID)...)
	if err != nil {
		return err
	}
	if stored, err := result.RowsAffected(); err != nil || stored > 0 {
		return err
	}
	// Nothing was stored: the beat is old, or there is no such run.
	return s.requireRuns(ctx, q, []string{beat.Key.RunID})
}

// beatRemote stores the newest beat of each worker, all in one statement, or in a
// few where they are many.
func (s *Store) beatRemote(ctx context.Context, what string, beats []core.Beat, values [][]any) error {
	const clock = "LAST_HEARTBEAT"
	runs, at := map[string]bool{}, map[string]int{}
	var newest []core.Beat
	var rows []row
	for i, beat := range beats {
		runs[beat.Key.RunID] = true
		r := row{columns: except(beatColumns, clock), values: values[i]}
		worker := fmt.Sprintf("%q %q", beat.Key.RunID, beat.Key.WorkerID)
		n, found := at[worker]
		switch {
		case !found:
			at[worker] = len(rows)
			newest, rows = append(newest, beat), append(rows, r)
		case beat.Key.Epoch > newest[n].Key.Epoch, beat.Key.Epoch == newest[n].Key.Epoch && beat.Count >= newest[n].Count:
			newest[n], rows[n] = beat, r
		}
	}
	to := beatTable
	to.now = []string{clock}
	return s.appendBatches(ctx, what, runs, batch{to, rows})
}

// beatValues are the values of beatColumns without LAST_HEARTBEAT.
func (s *Store) beatValues(beat core.Beat) ([]any, error) {
	sessions, err := s.encode("the sessions of a beat", beat.Sessions)
	if err != nil {
		return nil, err
	}
	build, err := s.encode("the build of a beat", beat.Build)
	if err != nil {
		return nil, err
	}
	payload, err := s.encode("the report of a beat", beat.Report)
	if err != nil {
		return nil, err
	}
	totals := beat.Report.Totals()
	return []any{
		beat.Key.RunID, beat.Key.WorkerID, beat.GroupID, beat.Key.Epoch, string(beat.State), string(beat.Phase), beat.Count,
		beat.Connections, beat.Target, beat.CPU, beat.Memory, int64(totals.Done()), int64(totals.Errors),
		beat.LastError, beat.LastSequence, beat.Acknowledged, sessions, build, payload,
	}, nil
}

type beatRow struct {
	RunID        string           `db:"RUN_ID"`
	WorkerID     string           `db:"WORKER_ID"`
	GroupID      int              `db:"WORKER_GROUP_ID"`
	Epoch        int              `db:"EPOCH"`
	State        core.WorkerState `db:"STATUS"`
	Phase        core.Phase       `db:"PHASE"`
	At           instant          `db:"LAST_HEARTBEAT"`
	Count        int64            `db:"HEARTBEAT_COUNT"`
	Connections  int              `db:"ACTIVE_CONNECTIONS"`
	Target       int              `db:"TARGET_CONNECTIONS"`
	CPU          float64          `db:"CPU_PERCENT"`
	Memory       float64          `db:"MEMORY_PERCENT"`
	Done         int64            `db:"QUERIES_PROCESSED"`
	Errors       int64            `db:"ERROR_COUNT"`
	LastError    string           `db:"LAST_ERROR"`
	LastSequence int64            `db:"LAST_SEQUENCE"`
	Acknowledged int64            `db:"ACKED_SEQUENCE"`
	Sessions     *string          `db:"TARGET_SESSIONS"`
	Build        *string          `db:"BUILD"`
	Payload      *string          `db:"PAYLOAD"`
	ReadAt       instant          `db:"READ_AT"`
}

// Beats returns the newest beats of a run. A run that is not there has none.
// Reports that the caller knows are not read.
func (s *Store) Beats(ctx context.Context, runID string, known map[string]int64) (beats []core.Beat, now time.Time, err error) {
	payload, from := "PAYLOAD", s.d.Table("WORKER_HEARTBEATS")
	var args []any
	if len(known) > 0 {
		// Joined, since a condition on each of a thousand workers would be looked at for
		// each of them. DISTINCT and the cast make SQLite look them up by an index.
		payload = "CASE WHEN HEARTBEAT_COUNT <= KNOWN_COUNT THEN NULL ELSE PAYLOAD END AS PAYLOAD"
		from += " LEFT JOIN (SELECT DISTINCT CAST(column1 AS TEXT) AS KNOWN_ID, column2 AS KNOWN_COUNT FROM (VALUES " +
			strings.Repeat(", (?, ?)", len(known))[2:] + ") AS listed) AS known ON KNOWN_ID = WORKER_ID"
		for worker, count := range known {
			args = append(args, worker, count)
		}
	}
	query := "SELECT " + strings.Join(beatColumns[:len(beatColumns)-1], ", ") + ", " + payload + s.readAt() +
		" FROM " + from + " WHERE RUN_ID = ? ORDER BY WORKER_GROUP_ID, WORKER_ID"
	err = s.wrap(ctx, "reading beats of run "+runID, func() error {
		var rows []beatRow
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), append(args, runID)...); err != nil {
			return err
		}
		for i := range rows {
			beat, err := s.beat(&rows[i])
			if err != nil {
				return err
			}
			beats = append(beats, beat)
		}
		if s.d.Clock == nil && len(rows) > 0 {
			now = rows[0].ReadAt.Truncate(time.Microsecond)
			return nil
		}
		now, err = s.now(ctx, s.read)
		return err
	})
	return beats, now, err
}

func (s *Store) beat(r *beatRow) (core.Beat, error) {
	beat := core.Beat{
		Key:     core.WorkerKey{RunID: r.RunID, WorkerID: r.WorkerID, Epoch: r.Epoch},
		GroupID: r.GroupID, State: r.State, Phase: r.Phase, At: r.At.Time, Count: r.Count,
		Connections: r.Connections, Target: r.Target, CPU: r.CPU, Memory: r.Memory,
		LastError: r.LastError, LastSequence: r.LastSequence, Acknowledged: r.Acknowledged,
	}
	if err := s.decode("sessions of a beat", r.Sessions, &beat.Sessions); err != nil {
		return core.Beat{}, err
	}
	if err := s.decode("build of a beat", r.Build, &beat.Build); err != nil {
		return core.Beat{}, err
	}
	return beat, s.decode("report of a beat", r.Payload, &beat.Report)
}
