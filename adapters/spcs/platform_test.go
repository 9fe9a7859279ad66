//go:build linux || darwin

package spcs

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// fleet is the jobs of one test, under a run id of its own, which are gone at its
// end.
type fleet struct {
	*platform
	t   testing.TB
	run string
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	f := &fleet{platform: newPlatform(t), t: t, run: "test-" + strings.ToLower(rand.Text()[:12])}
	t.Cleanup(func() {
		is := is.New(t)
		f.server.MendServices(t)
		l, ctx := f.launcher(t, f.options()), context.Background()
		launches, err := l.List(ctx, f.run)
		is.NoErr(err)
		for _, launch := range launches {
			is.NoErr(l.Stop(ctx, launch.Handle, ports.Hard))
		}
		for _, launch := range launches {
			f.await(l, launch.Handle, ports.LaunchGone, "")
			is.NoErr(l.Release(ctx, launch.Handle))
		}
		left, err := f.left(t, f.run)
		is.NoErr(err)
		is.Equal(left, nil)
	})
	return f
}

func (f *fleet) spec(i int, script string) ports.WorkerSpec {
	return ports.WorkerSpec{
		Key: core.WorkerKey{RunID: f.run, WorkerID: fmt.Sprintf("worker-%d", i), Epoch: 1}, GroupID: i, GroupCount: 9,
		Environment: []ports.EnvVar{{Name: porttest.EnvScript, Value: script}}, ExpiresAt: time.Now().Add(time.Hour),
	}
}

func (f *fleet) launch(l *Launcher, i int, script string) core.Handle {
	f.t.Helper()
	h, err := l.Launch(context.Background(), f.spec(i, script))
	is.New(f.t).NoErr(err)
	return h
}

// await polls until a job is in a state, with a text in its cause.
func (f *fleet) await(l *Launcher, h core.Handle, state ports.LaunchState, cause string) (last ports.WorkerStatus) {
	f.t.Helper()
	defer func() {
		if f.t.Failed() {
			f.t.Logf("last seen: %+v", last)
		}
	}()
	f.until(f.t, fmt.Sprintf("the job is %s with %q", state, cause), func() bool {
		all, err := l.Inspect(context.Background(), []core.Handle{h})
		if err != nil {
			f.t.Fatalf("Inspect: %v", err)
		}
		last = all[0]
		return last.State == state && strings.Contains(last.Cause, cause)
	})
	return last
}

// sent counts the statements of this package's sessions since the newest of before,
// by their first words.
func (f *fleet) sent(after int64) map[string]int {
	f.t.Helper()
	all, _ := f.server.Statements(f.t, after)
	counts := map[string]int{}
	for _, s := range all {
		words := strings.Fields(s.SQL)
		counts[strings.Join(words[:min(2, len(words))], " ")]++
	}
	return counts
}

// Whatever the number of jobs, a poll is one SHOW; one more statement for each that
// has ended, once; and two while any waits.
func TestStatementsOfAPollDoNotGrow(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	o := f.options()
	o.Pace = time.Nanosecond // every call asks
	l := f.launcher(t, o)
	var handles []core.Handle
	for i := range 6 {
		script := "hold=1m"
		if i >= 4 {
			script = "exit=3"
		}
		handles = append(handles, f.launch(l, i, script))
	}
	for i, h := range handles {
		f.await(l, h, map[bool]ports.LaunchState{true: ports.LaunchGone, false: ports.LaunchRunning}[i >= 4], "")
	}
	poll := func(handles []core.Handle) map[string]int {
		before := f.server.Received(t)
		_, err := l.Inspect(t.Context(), handles)
		is.NoErr(err)
		return f.sent(before)
	}
	is.Equal(poll(handles[:1]), map[string]int{"SHOW JOB": 1})
	is.Equal(poll(handles), map[string]int{"SHOW JOB": 1}) // the two ends are known already
	l = f.launcher(t, o)
	is.Equal(poll(handles), map[string]int{"SHOW JOB": 1, "SHOW SERVICE": 2})
	is.Equal(poll(handles), map[string]int{"SHOW JOB": 1})

	f.server.BreakServices(t, snowflaketest.ServiceFault{Kind: snowflaketest.Unschedulable})
	for i := 6; i < 9; i++ {
		handles = append(handles, f.launch(l, i, "hold=1m"))
	}
	is.Equal(poll(handles), map[string]int{"SHOW JOB": 1, "SHOW SERVICE": 1, "DESCRIBE COMPUTE": 1})

	o.Pace = time.Hour // and no call asks before its time, unless something was changed
	l = f.launcher(t, o)
	poll(handles)
	is.Equal(poll(handles), map[string]int{})
	is.NoErr(l.Stop(t.Context(), handles[8], ports.Gentle))
	is.Equal(poll(handles)["SHOW JOB"], 1)
}

// Why a job waits is told while it waits, and nothing is left of one that never ran.
func TestWaitingIsExplained(t *testing.T) {
	for _, c := range []struct{ kind, says, mends string }{
		{snowflaketest.PoolExhausted, "392508", "SET MAX_NODES"},
		{snowflaketest.ProviderCapacity, "392507", "another instance family"},
		{snowflaketest.Unschedulable, "Unschedulable due to insufficient", ""},
		{snowflaketest.ImagePull, "Failed to pull image", ""},
	} {
		t.Run(c.kind, func(t *testing.T) {
			is := is.New(t)
			f := newFleet(t)
			l := f.launcher(t, f.options())
			f.server.BreakServices(t, snowflaketest.ServiceFault{Kind: c.kind})
			first, second := f.launch(l, 0, "hold=1m"), f.launch(l, 1, "hold=1m")
			s := f.await(l, first, ports.LaunchPending, c.says)
			is.True(strings.HasPrefix(s.Cause, "pending: ") && strings.Contains(s.Cause, c.mends))
			f.await(l, second, ports.LaunchPending, c.says)
			log, err := l.Logs(t.Context(), first, 0)
			is.NoErr(err)
			is.Equal(len(log), 0)

			is.NoErr(l.Stop(t.Context(), first, ports.Gentle))
			is.NoErr(l.Stop(t.Context(), second, ports.Hard))
			for _, h := range []core.Handle{first, second} {
				end := f.await(l, h, ports.LaunchGone, "never started")
				is.Equal(end.ExitCode, -1)
				is.NoErr(l.Release(t.Context(), h))
			}
			left, err := f.left(t, f.run)
			is.NoErr(err)
			is.Equal(left, nil)
		})
	}
}

// A job that waited runs once it can, and nothing is told of the wait any more.
func TestWaitingEnds(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	f.server.BreakServices(t, snowflaketest.ServiceFault{Kind: snowflaketest.PoolExhausted})
	h := f.launch(l, 0, "hold=1m")
	f.await(l, h, ports.LaunchPending, "392508")
	f.server.MendServices(t)
	is.Equal(f.await(l, h, ports.LaunchRunning, "").Cause, "")
}

func TestMaintenanceEndsAJob(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	h := f.launch(l, 0, "term=0 hold=1m")
	f.await(l, h, ports.LaunchRunning, "")
	f.server.BreakServices(t, snowflaketest.ServiceFault{Kind: snowflaketest.Evict, Match: nameOf(f.spec(0, "").Key)})
	s := f.await(l, h, ports.LaunchGone, "maintenance")
	is.True(s.State == ports.LaunchGone)
}

// A dropped job takes its log with it: what Stop read is kept, until Release.
func TestTheLogOfWhatIsDroppedIsKept(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	h := f.launch(l, 0, "print=precious hold=1m")
	f.await(l, h, ports.LaunchRunning, "")
	f.logged(l, h, "precious")
	is.NoErr(l.Stop(t.Context(), h, ports.Hard))
	f.await(l, h, ports.LaunchGone, "dropped")
	f.logged(l, h, "precious")
	is.NoErr(l.Release(t.Context(), h))
	_, err := l.Logs(t.Context(), h, 0)
	is.Equal(core.CodeOf(err), core.NotFound)
}

// logged waits for a text in a log.
func (f *fleet) logged(l *Launcher, h core.Handle, text string) {
	f.t.Helper()
	f.until(f.t, text+" is in the log", func() bool {
		log, err := l.Logs(context.Background(), h, 0)
		return err == nil && strings.Contains(string(log), text)
	})
}

// Of a log that is gone with its node there is nothing, and the end is known all the
// same.
func TestALogGoesWithItsNode(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	h := f.launch(l, 0, "exit=3")
	f.await(l, h, ports.LaunchGone, "")
	f.server.BreakServices(t, snowflaketest.ServiceFault{Kind: snowflaketest.LostLogs})
	log, err := l.Logs(t.Context(), h, 0)
	is.True(len(log) == 0 && (err == nil || core.CodeOf(err) == core.NotFound)) // documented is: nothing
	s, err := f.launcher(t, f.options()).Inspect(t.Context(), []core.Handle{h})
	is.NoErr(err)
	is.Equal(s[0].ExitCode, 3)
}

// Status answers that are late tell nothing false for long: who has stopped a job
// sees it end.
func TestLateAnswers(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	f.server.BreakServices(t, snowflaketest.ServiceFault{Kind: snowflaketest.LateStatus, DelayMS: 1500})
	l := f.launcher(t, f.options())
	h := f.launch(l, 0, "term=7 hold=1m")
	f.await(l, h, ports.LaunchRunning, "")
	is.NoErr(l.Stop(t.Context(), h, ports.Gentle))
	is.Equal(f.await(l, h, ports.LaunchGone, "").ExitCode, 7)
}

// Names that others have are not taken for a worker's, and not touched.
func TestNamesThatAreTaken(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	spec := `FROM SPECIFICATION $$` + `{"spec":{"containers":[{"name":"worker","image":"` + f.options().Image + `","env":{"` + porttest.EnvScript + `":"hold=1m"}}]}}` + `$$`
	for i, foreign := range []string{"EXECUTE JOB SERVICE IN COMPUTE POOL %s NAME = %s ASYNC = TRUE %s", "CREATE SERVICE %[2]s IN COMPUTE POOL %[1]s %[3]s"} {
		path := l.at.path(nameOf(f.spec(i, "").Key))
		f.must(t, fmt.Sprintf(foreign, f.options().Pool, path, spec))
		t.Cleanup(func() { f.drop(t, path) })
		_, err := l.Launch(t.Context(), f.spec(i, "hold=1m"))
		is.Equal(core.CodeOf(err), core.Refused)
		is.True(strings.Contains(err.Error(), "DROP SERVICE "+path))
	}
	launches, err := l.List(t.Context(), f.run)
	is.NoErr(err)
	is.Equal(len(launches), 0)
}

// Whatever bytes a key is made of, its job is found by them and by nothing like them.
func TestOddKeys(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	var handles []core.Handle
	for i, worker := range []string{`it's "w" \ $$ %_`, "größe 世界", "WORKER", "worker", "-- x"} {
		spec := f.spec(i, "hold=1m")
		spec.Key.WorkerID = worker
		h, err := l.Launch(t.Context(), spec)
		is.NoErr(err)
		again, err := f.launcher(t, f.options()).Launch(t.Context(), spec)
		is.NoErr(err)
		is.Equal(string(again.Data), string(h.Data))
		handles = append(handles, h)
	}
	launches, err := l.List(t.Context(), f.run)
	is.NoErr(err)
	is.Equal(len(launches), len(handles))
	for _, h := range handles {
		f.await(l, h, ports.LaunchRunning, "")
	}
	none, err := l.List(t.Context(), strings.ToUpper(f.run)) // whose jobs would have the same names, but for the hash
	is.NoErr(err)
	is.Equal(len(none), 0)
}

// drop drops a service that is not a launcher's, and waits until its name is free.
func (f *fleet) drop(t testing.TB, path string) {
	t.Helper()
	f.must(t, "DROP SERVICE "+path)
	f.until(t, path+" is gone", func() bool {
		return !slices.ContainsFunc(f.server.Services(t), func(s snowflaketest.Service) bool { return s.Name == path })
	})
}

// until waits for something.
func (p *platform) until(t testing.TB, what string, done func() bool) {
	t.Helper()
	late := time.NewTimer(30*time.Second + grace)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// Another role does not see the job: it must not take it for gone.
func TestAnotherRoleKnowsNothing(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	h := f.launch(l, 0, "hold=1m")
	f.await(l, h, ports.LaunchRunning, "")
	role := f.role(t)
	other, err := New(f.open(t, snowflaketest.In{Role: role}), f.options())
	is.NoErr(err)
	_, err = other.Inspect(t.Context(), []core.Handle{h})
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.True(strings.Contains(err.Error(), f.server.Role))
	is.Equal(core.CodeOf(other.Stop(t.Context(), h, ports.Hard)), core.Unavailable)
	is.Equal(core.CodeOf(other.Release(t.Context(), h)), core.Unavailable)
	_, err = other.Logs(t.Context(), h, 0)
	is.Equal(core.CodeOf(err), core.Unavailable)
	f.await(l, h, ports.LaunchRunning, "")
}

// role makes a role that may log in, use the schema, and nothing else.
func (p *platform) role(t testing.TB) string {
	t.Helper()
	role, o := "ROLE_"+rand.Text()[:10], p.options()
	p.admin(t,
		"CREATE ROLE "+role, "GRANT ROLE "+role+" TO USER "+p.server.User, "GRANT USAGE ON WAREHOUSE "+p.server.Warehouse+" TO ROLE "+role,
		"GRANT USAGE ON DATABASE "+o.Database+" TO ROLE "+role, "GRANT USAGE ON SCHEMA "+o.Database+"."+o.Schema+" TO ROLE "+role)
	return role
}

// admin executes statements of a test's set-up as ACCOUNTADMIN.
func (p *platform) admin(t testing.TB, statements ...string) {
	t.Helper()
	db, err := sqlx.Open("snowflake", p.server.DSN(snowflaketest.In{Role: "ACCOUNTADMIN"}))
	is.New(t).NoErr(err)
	defer db.Close() //nolint:errcheck // of a test
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
