//go:build unix

package acceptance

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

const racers = 32

// lost is what those say last that do not drive the run.
var lost = []string{"is driven by", "has ended: COMPLETED", "taken the run over"}

// TestAcceptanceCloudRace: of 32 orchestrators that are told at once to drive one
// PREPARED run, one drives it, and the others say that it does.
func TestAcceptanceCloudRace(t *testing.T) {
	is := is.New(t)
	s := ownCloud(t, snowflaketest.Options{})
	db, server := s.db(), s.own
	run := s.prepared("short")
	after := server.Received(t)
	// The first claims are held back until the others are on their way.
	claim := `(?s)^UPDATE\s+\S*` + s.schema + `\S*RUN_STATUS`
	server.Break(t, snowflaketest.Fault{Kind: snowflaketest.Latency, DelayMS: 4000, Match: claim})
	var all []*running
	for range racers {
		all = append(all, s.start("orchestrator", "--run", run))
	}
	until(t, 30*time.Second, "a claim", func() bool { return len(s.claims(after)) > 0 })
	server.Mend(t) // those that are held back follow
	won, refused := 0, map[string]int{}
	for _, r := range all {
		o := r.wait(60 * time.Second)
		if o.code == 0 {
			won++
			is.True(strings.Contains(o.stdout, "COMPLETED"))
			continue
		}
		last := o.stderr[strings.LastIndex(strings.TrimSpace(o.stderr), "\n")+1:]
		i := slices.IndexFunc(lost, func(says string) bool { return strings.Contains(last, says) })
		if i < 0 {
			t.Errorf("an orchestrator that lost the race: %v", o)
			continue
		}
		refused[fmt.Sprintf("%d: …%s…", o.code, lost[i])]++
	}
	is.Equal(won, 1)
	is.True(s.checkSurvived(t, db, run).Clean) // OWNER_CHANGED is not in it
	is.Equal(s.number(db, "SELECT COUNT(*) FROM WORKER_HEARTBEATS WHERE RUN_ID = ? AND EPOCH = 1", run), int64(3))
	claims := s.claims(after)
	sessions := map[int64]bool{}
	for _, x := range claims[:min(len(claims), racers)] {
		sessions[x.Session] = true
	}
	t.Logf("%d sessions claimed the run at first; one got it, and the other orchestrators said: %v", len(sessions), refused)
	is.True(len(sessions) > 1) // they did race
	statements, _ := server.Statements(t, after)
	mustSendNoDDL(t, statements)
}

// claims are the changes of a run that the stand-in received, claims first.
func (s *site) claims(after int64) (claims []snowflaketest.Statement) {
	s.t.Helper()
	statements, _ := s.own.Statements(s.t, after)
	for _, x := range statements {
		if x.Kind == "UPDATE" && x.Tag == "benchfleet store" && strings.Contains(x.SQL, "RUN_STATUS") {
			claims = append(claims, x)
		}
	}
	return claims
}

// prepared is a run of a template that nobody has started.
func (s *site) prepared(template string) string {
	t, is := s.t, is.New(s.t)
	var address string
	for _, v := range s.env {
		if value, found := strings.CutPrefix(v, "BENCHFLEET_STORE=snowflake:"); found {
			address = value
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	store, err := snowflake.OpenStore(ctx, address, snowflake.StoreOptions{})
	is.NoErr(err)
	defer store.Close()
	record, err := store.Templates().Get(ctx, template)
	is.NoErr(err)
	scenario, err := record.Template.Resolve(core.Resolution{
		TemplateID: record.ID, Launcher: "local", StartTimeout: time.Minute,
		ControlPoll: time.Second, OwnerLease: 20 * time.Second, WorkerLease: time.Minute,
	})
	is.NoErr(err)
	host, err := os.Hostname()
	is.NoErr(err)
	const id = "raced"
	_, err = store.Create(ctx, core.NewRun(id, scenario.Plan()), scenario, ports.Home{Host: host})
	is.NoErr(err)
	return id
}
