package snowflake_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// roles are those of grants.sql, by the word that names them there.
func (p place) roles(t testing.TB) map[string]string {
	t.Helper()
	suffix := rand.Text()[:10]
	roles := map[string]string{"orchestrator": "O_" + suffix, "worker": "W_" + suffix, "viewer": "V_" + suffix}
	names := schema.Names{
		Database: p.server.Database, Config: p.config, Results: p.results, Orchestrator: roles["orchestrator"], Worker: roles["worker"], Viewer: roles["viewer"],
		Warehouse: p.server.Warehouse, ControlWarehouse: p.server.Warehouse,
	}
	grants, err := schema.Statements("snowflake", schema.Grants)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, grant := range grants {
		text, err := names.Fill(grant)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for _, role := range roles {
		texts = append(texts, "GRANT ROLE "+role+" TO USER "+p.server.User)
	}
	admin := snowflaketest.In{Role: "ACCOUNTADMIN"}
	p.server.SQLIn(t, admin, texts...)
	t.Cleanup(func() {
		db := p.open(t, admin)
		for _, role := range roles {
			if _, err := db.Exec("DROP ROLE IF EXISTS " + role); err != nil {
				t.Errorf("dropping role %s: %v", role, err)
			}
		}
	})
	return roles
}

// TestLeastPrivileges: each role can do its work, and no more.
func TestLeastPrivileges(t *testing.T) {
	is := is.New(t)
	p := newPlace(t, shared.Server(t))
	p.apply(t)
	roles := p.roles(t)
	open := func(role string) ports.Store {
		store := p.store(t, snowflaketest.In{Role: roles[role]})
		t.Cleanup(func() { is.NoErr(store.Close()) })
		return store
	}
	orchestrator, worker, viewer := open("orchestrator"), open("worker"), open("viewer")
	denied := func(err error) {
		t.Helper()
		is.True(core.CodeOf(err) == core.Denied || core.CodeOf(err) == core.Refused)
		is.True(strings.Contains(err.Error(), "grants that benchfleet schema print shows"))
	}

	scenario := core.Scenario{Name: "roles", Load: core.ScenarioLoad{Workers: 1, Connections: 1}}
	_, err := orchestrator.Probe(t.Context())
	is.NoErr(err)
	record, err := orchestrator.Create(t.Context(), core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{})
	is.NoErr(err)
	_, err = orchestrator.Templates().Put(t.Context(), core.Template{Name: "oltp"})
	is.NoErr(err)

	_, err = worker.Control(t.Context(), "run-1", "worker-0")
	is.NoErr(err)
	_, err = worker.Load(t.Context(), "run-1")
	is.NoErr(err)
	is.NoErr(worker.Beat(t.Context(), core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}, Count: 1}))
	is.NoErr(worker.AppendExecutions(t.Context(), []core.Execution{{ID: "e", RunID: "run-1", WorkerID: "worker-0", Start: time.Now()}}))
	is.NoErr(worker.Logs().Append(t.Context(), []ports.LogLine{{RunID: "run-1", WorkerID: "worker-0", Sequence: 1, Time: time.Now()}}))
	_, err = worker.Commit(t.Context(), record.Version, record.Run, nil, ports.Progress{})
	denied(err)
	_, err = worker.Create(t.Context(), core.Run{ID: "run-2"}, core.Scenario{}, ports.Home{})
	denied(err)
	_, err = worker.Templates().List(t.Context())
	denied(err)
	_, err = worker.Probe(t.Context())
	denied(err)

	_, err = viewer.Load(t.Context(), "run-1")
	is.NoErr(err)
	list, err := viewer.Templates().List(t.Context())
	is.NoErr(err)
	is.Equal(len(list), 1)
	denied(viewer.Beat(t.Context(), core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}, Count: 2}))
	denied(viewer.Logs().Append(t.Context(), []ports.LogLine{{RunID: "run-1", WorkerID: "worker-0", Sequence: 2, Time: time.Now()}}))

	beats, _, err := orchestrator.Beats(t.Context(), "run-1", nil)
	is.NoErr(err)
	is.Equal(len(beats), 1)
	is.NoErr(orchestrator.AppendSnapshots(t.Context(), []ports.WorkerInterval{{RunID: "run-1", WorkerID: "worker-0", Interval: core.Interval{Sequence: 1, Start: time.Now()}}}, []ports.RunInterval{{RunID: "run-1", Start: time.Now()}}))
	is.NoErr(orchestrator.(ports.PollStore).AppendPolls(t.Context(), []core.WarehousePoll{{RunID: "run-1", At: time.Now(), Warehouse: "W"}}))
	is.NoErr(orchestrator.PutRollup(t.Context(), core.Rollup{RunID: "run-1"}, nil))
	ended := record.Run
	ended.Status = core.Failed
	_, err = orchestrator.Commit(t.Context(), record.Version, ended, nil, ports.Progress{})
	is.NoErr(err)
	is.NoErr(orchestrator.Delete(t.Context(), "run-1"))
	is.NoErr(orchestrator.Templates().Delete(t.Context(), "oltp"))
}
