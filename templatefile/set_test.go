package templatefile_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

func TestSet(t *testing.T) {
	is := is.New(t)
	before := full()
	got, err := templatefile.Set(before, []string{
		"load.workers=5", "load.duration=1m30s", "load.sampling=100", "mix[1].weight=1_0.5e0", "mix[0].keys=uniform",
	})
	is.True(err != nil) // 1_0.5e0 is no number
	got, err = templatefile.Set(before, []string{
		"load.workers=5", "load.duration=1m30s", "load.sampling=100", " mix[1].weight =10.5", "mix[0].keys=uniform",
		"tags.team=a=b, c", "tags.x.y=42", "name=true", `slos=["p99 < 1ms", 'p95 < 1ms']`, "load.seed=-1",
		"mix[4].parameters[0].values[1]=7", "mix[4].parameters[1].value=1.5", "limits={control_poll: 1s}", "description=",
		"mix[5].statements[0].bind[0]=b",
	})
	is.NoErr(err)
	is.Equal(got.Load.Workers, 5)
	is.Equal(got.Load.Duration.Std(), 90*time.Second)
	is.Equal(*got.Load.Sampling, 100.0)
	is.Equal(got.Mix[1].Weight, 10.5)
	is.Equal(got.Mix[0].Keys, core.Uniform)
	is.Equal(got.Tags["team"], "a=b, c")
	is.Equal(got.Tags["x.y"], "42")
	is.Equal(got.Name, "true")
	is.Equal(got.Description, "")
	is.Equal(got.SLOs, []string{"p99 < 1ms", "p95 < 1ms"})
	is.Equal(got.Load.Seed, int64(-1))
	is.Equal(got.Mix[4].Parameters[0].Values[1], int64(7))
	is.Equal(got.Mix[4].Parameters[1].Value, 1.5)
	is.Equal(got.Limits, core.TemplateLimits{ControlPoll: core.Duration(time.Second)})
	is.Equal(got.Mix[5].Statements[0].Bind, []string{"b"})
	is.Equal(asJSON(t, before), asJSON(t, full())) // what was given is as it was

	got, err = templatefile.Set(core.Template{}, []string{"tags.team=perf"})
	is.NoErr(err)
	is.Equal(got.Tags, map[string]string{"team": "perf"})
}

func TestSetRefuses(t *testing.T) {
	tests := []struct{ assignment, want string }{
		{"load.wrkers=5", "--set load.wrkers: load.wrkers is no key of a template; did you mean load.workers?"},
		{"workers=5", "--set workers: workers is no key of a template; did you mean load.workers?"},
		{"load.thinkTime=5ms", "--set load.thinkTime: load.thinkTime is no key of a template; did you mean load.think_time?"},
		{"load.thnk=3ms", "--set load.thnk: load.thnk is no key of a template; did you mean load.think_time?"},
		{"limits.pol=3s", "--set limits.pol: limits.pol is no key of a template; did you mean limits.control_poll?"},
		{"limits.timeout=3s", "--set limits.timeout: limits.timeout is no key of a template; allowed here: statement_timeout, start_timeout, drain_timeout, cancel_timeout, terminate_timeout, kill_timeout, run_limit, worker_lease, owner_lease, control_poll, on_loss, guardrails"}, // which?
		{"load.zzz=5", "--set load.zzz: load.zzz is no key of a template; allowed here: mode, scaling, workers, connections, warmup, duration, cooldown, operations, think_time, seed, sampling, null_lane, min_workers, max_workers, min_connections, max_connections, rate, arrivals, max_lateness, catch_up, ramp, search"},
		{"load.workers=many", `--set load.workers: load.workers is "many" (text); allowed: a whole number`},
		{"load.workers=", "--set load.workers: load.workers has no value; allowed: a whole number, or leave the key out"},
		{"load.workers", "--set load.workers: it is no assignment; allowed: KEY=VALUE, like load.workers=5 or mix[0].weight=60"},
		{"=5", "--set : it is no assignment; allowed: KEY=VALUE, like load.workers=5 or mix[0].weight=60"},
		{"load.workers=1e99", "--set load.workers: load.workers is 1e99 (a number); allowed: a whole number"},
		{"load.workers=99999999999999999999", "--set load.workers: load.workers is 99999999999999999999: it is out of range; allowed: a whole number"},
		{"load.duration=15", `--set load.duration: load.duration is "15"; allowed: a duration with a unit, like 500ms, 15s or 1m30s`},
		{"load=5", "--set load: load is 5 (a whole number); allowed: the keys mode, scaling, workers, connections, warmup, duration, cooldown, operations, think_time, seed, sampling, null_lane, min_workers, max_workers, min_connections, max_connections, rate, arrivals, max_lateness, catch_up, ramp, search"},
		{"load.workers.x=5", `--set load.workers.x: load.workers is a whole number and has no keys; "x" is left over`},
		{"load.workers[0]=5", `--set load.workers[0]: load.workers is a whole number and has no keys; "[0]" is left over`},
		{"load.=5", "--set load.: load. is no key of a template; allowed here: mode, scaling, workers, connections, warmup, duration, cooldown, operations, think_time, seed, sampling, null_lane, min_workers, max_workers, min_connections, max_connections, rate, arrivals, max_lateness, catch_up, ramp, search"},
		{"mix.weight=5", "--set mix.weight: mix is a list; name one element, like mix[0], or the whole list"},
		{"mix[0=5", "--set mix[0: mix is a list; name one element, like mix[0], or the whole list"},
		{"mix[6].weight=5", "--set mix[6].weight: mix[6] does not exist; allowed: mix[0] to mix[5]"},
		{"mix[-1].weight=5", "--set mix[-1].weight: mix[-1] does not exist; allowed: mix[0] to mix[5]"},
		{"mix[0].parameters[0].name=x", "--set mix[0].parameters[0].name: mix[0].parameters[0] does not exist: the list is empty"},
		{"mix[0].wieght=5", "--set mix[0].wieght: mix[0].wieght is no key of a template; did you mean mix[0].weight?"},
		{"limits={on_los: fail}", "--set limits: limits.on_los is no key of a template; did you mean limits.on_loss?"},
		{"slos=[1", "--set slos: it is not YAML: sequence end token ']' not found"},
		{"target.dsn=secret", "--set target.dsn: target.dsn is no key of a template; allowed here: kind, endpoint, result_cache"},
		{"name=\x1b[31m", "--set name: control character U+001B is not allowed"},
	}
	for _, test := range tests {
		t.Run(test.assignment, func(t *testing.T) {
			is := is.New(t)
			_, err := templatefile.Set(full(), []string{test.assignment})
			is.True(err != nil)
			is.Equal(err.Error(), test.want)
			is.True(errors.Is(err, core.ErrInvalid))
		})
	}
}

func TestSetReportsAll(t *testing.T) {
	is := is.New(t)
	_, err := templatefile.Set(full(), []string{"a=1", "load.workers=2", "b=2"})
	var invalid *templatefile.Error
	is.True(errors.As(err, &invalid))
	is.Equal(len(invalid.Problems), 2)
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{"load.workers=5", "mix[0].weight=1", "tags.a=b", "slos=[a]", "mix[0]..x=1", "mix[0][0]=1", "limits={}", "mix=[]", "load.sampling=null", "mix[4].parameters[1].value=null", "a..b=", "tags=1", "tags.=1", "tags[0]=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, assignment string) {
		before := full()
		_, err := templatefile.Set(before, []string{assignment})
		var invalid *templatefile.Error
		if err != nil && !errors.As(err, &invalid) {
			t.Fatal(err)
		}
		if asJSON(t, before) != asJSON(t, full()) {
			t.Fatalf("%q changed what was given", assignment)
		}
	})
}
