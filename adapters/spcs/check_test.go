//go:build linux || darwin

package spcs

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// find is the finding with an id; the zero one where there is none.
func find(findings []core.Finding, id string) core.Finding {
	for _, f := range findings {
		if f.ID == id {
			return f
		}
	}
	return core.Finding{}
}

// compute makes a compute pool for one test.
func (f *fleet) compute(t testing.TB, more string) string {
	t.Helper()
	pool := "POOL_" + rand.Text()[:10]
	f.admin(t, "CREATE COMPUTE POOL "+pool+" INSTANCE_FAMILY = CPU_X64_XS MIN_NODES = 1 "+more, "GRANT USAGE, MONITOR ON COMPUTE POOL "+pool+" TO ROLE "+f.server.Role)
	t.Cleanup(func() {
		f.admin(t, "ALTER COMPUTE POOL "+pool+" STOP ALL")
		f.until(t, pool+" has no service", func() bool {
			return !slices.ContainsFunc(f.server.Services(t), func(s snowflaketest.Service) bool {
				return s.Pool == pool && stateOf(s.Status) != ports.LaunchGone
			})
		})
		f.admin(t, "DROP COMPUTE POOL "+pool)
	})
	return pool
}

// Each bad input is a finding with the statement that mends it, and where it can be
// seen at the launch only, an error with that.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	f := newFleet(t)
	for _, c := range []struct {
		what    string
		change  func(t testing.TB, o *Options)
		workers int
		id      string
		worst   core.Severity
		mend    string
		launch  core.Code // of the error of Launch; "" for none
	}{
		{"nothing", func(testing.TB, *Options) {}, 2, "spcs.pool", core.SeverityOK, "", ""},
		{"no pool named", func(_ testing.TB, o *Options) { o.Pool = "" }, 1, "spcs.pool", core.SeverityError, "--launcher-option pool=", core.Invalid},
		{"pool missing", func(_ testing.TB, o *Options) { o.Pool = "NO_SUCH" }, 1, "spcs.pool", core.SeverityError, "CREATE COMPUTE POOL NO_SUCH", core.Refused},
		{"pool suspended", func(t testing.TB, o *Options) {
			o.Pool = f.compute(t, "MAX_NODES = 1 AUTO_RESUME = FALSE INITIALLY_SUSPENDED = TRUE")
		}, 1, "spcs.pool", core.SeverityError, " RESUME", core.Refused},
		{"pool suspended, and resumes", func(t testing.TB, o *Options) {
			o.Pool = f.compute(t, "MAX_NODES = 1 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE")
		}, 1, "spcs.pool", core.SeverityWarning, " RESUME", ""},
		{"pool too small for all", func(t testing.TB, o *Options) { o.Pool = f.compute(t, "MAX_NODES = 2"); o.CPU = "500m" }, 5, "spcs.capacity", core.SeverityError, "SET MAX_NODES = 3", ""},
		{"node too small for one", func(t testing.TB, o *Options) { o.Pool = f.compute(t, "MAX_NODES = 2"); o.CPU = "2" }, 1, "spcs.capacity", core.SeverityError, "larger nodes", core.Invalid},
		{"schema missing", func(_ testing.TB, o *Options) { o.Schema = "NO_SUCH" }, 1, "spcs.schema", core.SeverityError, "CREATE SCHEMA IF NOT EXISTS", core.Refused},
		{"no image named", func(_ testing.TB, o *Options) { o.Image = "" }, 1, "spcs.image", core.SeverityError, "--launcher-option image=", core.Invalid},
		{"image missing", func(_ testing.TB, o *Options) { o.Image = strings.Replace(o.Image, ":v1", ":v2", 1) }, 1, "spcs.image", core.SeverityError, "docker push", ""},
		{"repository missing", func(_ testing.TB, o *Options) { o.Image = strings.Replace(o.Image, "/images/", "/nosuch/", 1) }, 1, "spcs.image", core.SeverityError, "CREATE IMAGE REPOSITORY", core.Refused},
		{"warehouse missing", func(_ testing.TB, o *Options) { o.Warehouse = "NO_SUCH" }, 1, "spcs.privileges", core.SeverityError, "GRANT USAGE ON WAREHOUSE NO_SUCH", core.Refused},
		{"integration missing", func(_ testing.TB, o *Options) { o.EAIs = []string{"NO_SUCH"} }, 1, "spcs.privileges", core.SeverityError, "GRANT USAGE ON INTEGRATION NO_SUCH", core.Refused},
		{"secret object missing", func(_ testing.TB, o *Options) {
			o.Secrets = map[string]string{"A": o.Database + "." + o.Schema + ".NO_SUCH"}
		}, 1, "spcs.secret.a", core.SeverityError, "CREATE SECRET", core.Refused},
	} {
		t.Run(c.what, func(t *testing.T) {
			is := is.New(t)
			o := f.options()
			c.change(t, &o)
			l := f.launcher(t, o)
			findings, err := l.Check(t.Context(), c.workers)
			is.NoErr(err)
			found := find(findings, c.id)
			is.Equal(found.Severity, c.worst)
			is.True(strings.Contains(found.Mend, c.mend))
			for _, other := range findings {
				is.True(other.Severity == core.SeverityOK || other.Mend != "")
			}
			if c.launch == "" {
				return
			}
			_, err = l.Launch(t.Context(), f.spec(0, "hold=1m"))
			is.Equal(core.CodeOf(err), c.launch)
			left, err := f.left(t, f.run)
			is.NoErr(err)
			is.Equal(left, nil)
		})
	}
}

// A role that lacks privileges is told which, and with them it works. What others
// hold beneath it counts.
func TestCheckOfPrivileges(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	role := f.role(t)
	l, err := New(f.open(t, snowflaketest.In{Role: role}), f.options())
	is.NoErr(err)
	findings, err := l.Check(t.Context(), 1)
	is.NoErr(err)
	found := find(findings, "spcs.privileges")
	is.Equal(found.Severity, core.SeverityError)
	is.True(!strings.Contains(found.Mend, "DATABASE") && strings.Contains(found.Mend, "GRANT CREATE SERVICE ON SCHEMA") && strings.Contains(found.Mend, "GRANT USAGE ON COMPUTE POOL"))
	_, err = l.Launch(t.Context(), f.spec(0, "hold=1m"))
	is.True(core.CodeOf(err) == core.Denied || core.CodeOf(err) == core.Refused)
	is.True(strings.Contains(err.Error(), "GRANT CREATE SERVICE ON SCHEMA"))

	// What the finding says is what is run; through a role beneath this one.
	beneath := role + "_B"
	grants := []string{"CREATE ROLE " + beneath, "GRANT ROLE " + beneath + " TO ROLE " + role}
	for _, grant := range strings.Split(strings.TrimPrefix(found.Mend, "run: "), "; ") {
		grants = append(grants, strings.Replace(grant, "TO ROLE "+role, "TO ROLE "+beneath, 1))
	}
	f.admin(t, grants...)
	findings, err = l.Check(t.Context(), 1)
	is.NoErr(err)
	is.Equal(core.Refusal(findings), "")
	h, err := l.Launch(t.Context(), f.spec(0, "exit=0"))
	is.NoErr(err)
	f.await(l, h, "GONE", "")
	is.NoErr(l.Release(t.Context(), h))
}

// A pool that others fill is a warning before the launch, and why workers wait
// after it.
func TestCheckOfAFullPool(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	o := f.options()
	o.Pool, o.CPU = f.compute(t, "MAX_NODES = 1"), "600m" // one fills a node of 1
	l := f.launcher(t, o)
	h := f.launch(l, 0, "hold=1m")
	f.await(l, h, "RUNNING", "")
	findings, err := l.Check(t.Context(), 1)
	is.NoErr(err)
	found := find(findings, "spcs.capacity")
	is.Equal(found.Severity, core.SeverityWarning)
	is.True(strings.Contains(found.Mend, "SET MAX_NODES = 2"))
	second := f.launch(l, 1, "hold=1m")
	s := f.await(l, second, "PENDING", "392508")
	is.True(strings.Contains(s.Cause, "ALTER COMPUTE POOL "+o.Pool+" SET MAX_NODES"))
	f.admin(t, "ALTER COMPUTE POOL "+o.Pool+" SET MAX_NODES = 2")
	f.await(l, second, "RUNNING", "")
}

// A specification that Snowflake refuses is Invalid, with what to do about it.
func TestARefusedSpecification(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	f.server.Break(t, snowflaketest.Fault{Kind: snowflaketest.SQLError, Match: "^EXECUTE JOB", Number: numberSpec, State: "22023", Message: "Invalid spec: unknown option 'x' for 'y'."})
	_, err := f.launcher(t, f.options()).Launch(t.Context(), f.spec(0, "hold=1m"))
	is.Equal(core.CodeOf(err), core.Invalid)
	is.True(strings.Contains(err.Error(), "unknown option 'x'") && strings.Contains(err.Error(), "correct the options"))
}

// A launch whose answer is lost is Unavailable or done, and done once when it is
// tried again.
func TestALostAnswer(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	l := f.launcher(t, f.options())
	f.server.Break(t, snowflaketest.Fault{Kind: snowflaketest.DropAfter, Match: "^EXECUTE JOB", Count: 1})
	h, err := l.Launch(t.Context(), f.spec(0, "hold=1m"))
	is.True(err == nil || core.CodeOf(err) == core.Unavailable)
	f.server.Mend(t)
	again, err := l.Launch(t.Context(), f.spec(0, "hold=1m"))
	is.NoErr(err)
	is.True(h.Zero() || string(h.Data) == string(again.Data))
	f.await(l, again, "RUNNING", "")
	found, err := f.containers(f.run, false)
	is.NoErr(err)
	is.Equal(len(found), 1)
}

// A Snowflake that is away is an error of every call, and no answer.
func TestSnowflakeIsAway(t *testing.T) {
	is := is.New(t)
	f := newFleet(t)
	h := f.launch(f.launcher(t, f.options()), 0, "exit=0")
	away, err := sqlx.Open("snowflake", "me:pw@127.0.0.1:1/DB?account=x&protocol=http&loginTimeout=1&maxRetryCount=1")
	is.NoErr(err)
	defer away.Close() //nolint:errcheck // of a test
	o := f.options()
	o.Code = func(err error) error {
		if errors.Is(err, core.ErrUnavailable) {
			return core.ErrUnavailable
		}
		return nil
	}
	l, err := New(away, o)
	is.NoErr(err)
	begun := time.Now()
	_, err = l.Check(t.Context(), 1)
	is.True(err != nil)
	_, err = l.Inspect(t.Context(), handlesOf(h))
	is.True(err != nil)
	_, err = l.List(t.Context(), "")
	is.True(err != nil)
	is.True(l.Stop(t.Context(), h, "hard") != nil)
	is.True(time.Since(begun) < callLimit)
}

func handlesOf(h core.Handle) []core.Handle { return []core.Handle{h} }
