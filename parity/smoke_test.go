//go:build unix

package parity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/spcs"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// smokeLimit bounds one job that only looks: a node may have to be made for it.
const smokeLimit = 10 * time.Minute

// TestSmoke proves, by the exit codes of two jobs, that a container logs in with
// nothing but what the platform gives it: one checks the schema of the store and
// ends with 0; the other, whose token is elsewhere, does not.
func TestSmoke(t *testing.T) {
	if !compares("spcs") {
		t.Skip("-launchers does not name spcs")
	}
	given := *target
	t.Cleanup(func() { *target = given })
	*target = "snowflake" // a job that only looks needs no other
	s := newSite(t)
	s.jobs(t)
	inside, err := snowflake.ServiceAddress(s.cloud.address, nil)
	is.New(t).NoErr(err)
	for _, tt := range []struct {
		name, address string
		logsIn        bool
	}{
		{"with the token of the platform", inside, true},
		{"with a token that is not there", inside + "&token_file=/nowhere", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			status, log := s.job(t, "snowflake:"+tt.address)
			t.Logf("%s; it said: %s", status.Cause, log)
			is.Equal(status.State, ports.LaunchGone)
			is.Equal(status.ExitCode == 0, tt.logsIn)
			is.True(status.ExitCode >= 0) // it is known
		})
	}
}

// job runs a job that checks the schema of a store, and waits for its end.
func (s *site) job(t *testing.T, store string) (status ports.WorkerStatus, log []byte) {
	t.Helper()
	is := is.New(t)
	db, err := snowflake.OpenPool(s.cloud.address, snowflake.PoolOptions{})
	is.NoErr(err)
	defer db.Close()
	o := spcs.Options{Command: []string{"/benchfleet", "schema", "check", "--dir", "/tmp"}, Number: snowflake.ErrorNumber, Code: snowflake.ErrorCode}
	for _, option := range s.cloud.options {
		switch key, value, _ := strings.Cut(option, "="); key {
		case "pool":
			o.Pool = value
		case "image":
			o.Image = value
		case "schema":
			o.Database, o.Schema, _ = strings.Cut(value, ".")
		}
	}
	l, err := spcs.New(db, o)
	is.NoErr(err)
	ctx, cancel := context.WithTimeout(t.Context(), smokeLimit)
	defer cancel()
	handle, err := l.Launch(ctx, ports.WorkerSpec{
		Key:         core.WorkerKey{RunID: "smoke-" + time.Now().UTC().Format("20060102-150405.000"), WorkerID: "worker-0", Epoch: 1},
		GroupCount:  1,
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: store}, {Name: "SNOWFLAKE_DISABLE_PLATFORM_DETECTION", Value: "true"}},
	})
	is.NoErr(err)
	defer func() { // without the test's context, which may be over
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if status.State != ports.LaunchGone {
			is.NoErr(l.Stop(ctx, handle, ports.Hard))
		}
		is.NoErr(l.Release(ctx, handle))
	}()
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	for shown := ""; ; {
		states, err := l.Inspect(ctx, []core.Handle{handle})
		is.NoErr(err)
		if status = states[0]; status.State == ports.LaunchGone {
			break
		}
		if shown != status.Cause { // why it waits
			shown = status.Cause
			t.Logf("%s %s", status.State, shown)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the job has not ended within %s: %s %s", smokeLimit, status.State, status.Cause)
		case <-poll.C:
		}
	}
	log, err = l.Logs(ctx, handle, 0)
	is.NoErr(err)
	return status, log
}
