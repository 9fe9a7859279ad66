package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func TestPolls(t *testing.T) {
	is := is.New(t)
	path := storeFile(t)
	store := openStore(t, path)
	defer store.Close()
	_, err := store.Create(t.Context(), core.Run{ID: "run-1"}, core.Scenario{}, ports.Home{})
	is.NoErr(err)
	keep := store.(ports.PollStore)
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)
	poll := core.WarehousePoll{RunID: "run-1", At: at, Elapsed: 1.5, Warehouse: "BENCH", State: "STARTED", StartedClusters: 2, Running: 8, Queued: 3, MinClusters: 1, MaxClusters: 4, ScalingPolicy: "STANDARD"}
	other := poll
	other.At, other.Running = at.Add(5*time.Second), 9
	again := poll
	again.Running = 99
	is.NoErr(keep.AppendPolls(t.Context(), nil))
	is.NoErr(keep.AppendPolls(t.Context(), []core.WarehousePoll{poll}))
	is.NoErr(keep.AppendPolls(t.Context(), []core.WarehousePoll{again, other, other}))
	is.True(errors.Is(keep.AppendPolls(t.Context(), []core.WarehousePoll{{RunID: "run-2", At: at}}), core.ErrNotFound))
	is.True(errors.Is(keep.AppendPolls(t.Context(), []core.WarehousePoll{{RunID: "run-1"}}), core.ErrInvalid))

	read, write, err := connect(path, Options{})
	is.NoErr(err)
	defer read.Close()
	defer write.Close()
	var rows []struct {
		At      string `db:"TIMESTAMP"`
		Running int    `db:"RUNNING"`
		State   string `db:"STATE"`
	}
	is.NoErr(read.SelectContext(t.Context(), &rows, `SELECT TIMESTAMP, RUNNING, json_extract(RAW, '$.state') AS STATE FROM WAREHOUSE_POLL_SNAPSHOTS ORDER BY TIMESTAMP`))
	is.Equal(len(rows), 2) // the first of a time stays
	is.Equal(rows[0].Running, 8)
	is.Equal(rows[0].At, "2026-03-04T05:06:07.123456Z")
	is.Equal(rows[1].Running, 9)
	is.Equal(rows[1].State, "STARTED")
}
