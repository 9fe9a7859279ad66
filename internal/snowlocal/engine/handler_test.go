package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// echo returns the text and the binds that a handler was given.
func echo(_ context.Context, _ *engine.Session, q engine.Query) (*engine.Result, error) {
	text := q.SQL
	for _, b := range q.Binds {
		text += "|" + *b.Value
	}
	return engine.Status(text), nil
}

// A handler gets its own statement with its own binds; the longest words win; what
// only describes a statement executes none.
func TestHandlers(t *testing.T) {
	is := is.New(t)
	other := func(context.Context, *engine.Session, engine.Query) (*engine.Result, error) {
		return engine.Status("other"), nil
	}
	s := session(t, openWith(t, func(o *engine.Options) {
		o.Handlers = map[string]engine.Handler{"SHOW JOB SERVICES": echo, "SHOW JOB": other, "! STOP": echo, "DROP SERVICE": echo}
	}))
	is.Equal(show(run(t, s, "/* c */ show job services like ? -- d", text("x"))), "show job services like ?|x")
	is.Equal(show(run(t, s, "SHOW JOB NOTHING")), "other")
	is.Equal(show(run(t, s, "select a.b.\"C\"!stop(?)", text("1"))), "select a.b.\"C\"!stop(?)|1")
	is.Equal(show(run(t, s, "CALL a!STOP()")), "CALL a!STOP()")
	is.Equal(fails(t, s, "CALL a!START()").Number, 2)
	is.Equal(fails(t, s, "SHOW SERVICES").Number, 2)
	r, err := s.Execute(t.Context(), engine.Query{SQL: "SELECT ?; DROP SERVICE ?", Binds: []engine.Bind{text("1"), text("2")}, Parameters: map[string]string{"MULTI_STATEMENT_COUNT": "2"}})
	is.NoErr(err)
	is.Equal(show(r.Children[1]), "DROP SERVICE ?|2")
	r, err = s.Execute(t.Context(), engine.Query{SQL: "DROP SERVICE a", DescribeOnly: true})
	is.NoErr(err)
	is.Equal(len(r.Rows), 0)
}

// A handler is interrupted by who cancels its query, and by the statement's timeout.
func TestHandlersAreInterrupted(t *testing.T) {
	is := is.New(t)
	running := make(chan struct{}, 1)
	wait := func(ctx context.Context, _ *engine.Session, _ engine.Query) (*engine.Result, error) {
		running <- struct{}{}
		<-ctx.Done()
		return nil, fmt.Errorf("waiting: %w", ctx.Err())
	}
	e := openWith(t, func(o *engine.Options) {
		o.Handlers = map[string]engine.Handler{"EXECUTE JOB SERVICE": wait}
		o.Functions = map[string]engine.Function{"SYSTEM$WAITS": func(ctx context.Context, s *engine.Session, args []*string) (string, error) {
			_, err := wait(ctx, s, engine.Query{})
			return "", err
		}}
	})
	s := session(t, e)
	for i, sql := range []string{"EXECUTE JOB SERVICE x", "SELECT SYSTEM$WAITS()"} {
		id := fmt.Sprintf("44444444-4444-4444-8444-44444444444%d", i)
		ended := make(chan error, 1)
		go func() {
			_, err := s.Execute(context.Background(), engine.Query{ID: id, SQL: sql})
			ended <- err
		}()
		<-running
		is.True(e.Cancel(id))
		err, ok := (<-ended).(*engine.Error)
		is.True(ok)
		is.Equal(err.Number, 604)
		_, bad := s.Execute(t.Context(), engine.Query{SQL: sql, Parameters: map[string]string{"STATEMENT_TIMEOUT_IN_SECONDS": "1"}})
		err, ok = bad.(*engine.Error)
		is.True(ok)
		is.Equal(err.Number, 630)
		<-running
	}
	is.Equal(show(run(t, s, "SELECT 1")), "1") // the session goes on
}

// Functions get their arguments as values; NULL is nil.
func TestFunctionsOfOptions(t *testing.T) {
	is := is.New(t)
	s := session(t, openWith(t, func(o *engine.Options) {
		o.Functions = map[string]engine.Function{"SYSTEM$TELL": func(_ context.Context, _ *engine.Session, args []*string) (string, error) {
			var all []string
			for _, a := range args {
				if a == nil {
					all = append(all, "NULL")
				} else {
					all = append(all, *a)
				}
			}
			return strings.Join(all, ","), nil
		}}
	}))
	r := run(t, s, "SELECT SYSTEM$TELL('a', 1 + 1, ?, NULL) AS told", text("b"))
	is.Equal(show(r), "a,2,b,NULL")
	is.Equal(r.Columns[0].Name, "TOLD")
	is.Equal(show(run(t, s, "CALL SYSTEM$TELL()")), "")
	is.True(fails(t, s, "SELECT SYSTEM$TELL() FROM (SELECT 1)").Number != 0) // only alone
}

// What handlers keep has an owner and grants, and goes with its schema.
func TestKept(t *testing.T) {
	is := is.New(t)
	var gone []string
	e := openWith(t, func(o *engine.Options) {
		o.Gone = func(_ context.Context, name string) error {
			gone = append(gone, name)
			return nil
		}
	})
	s := session(t, e)
	run(t, s, "CREATE SCHEMA DB.X")
	is.NoErr(e.Keep(t.Context(), engine.Kept{Kind: "COMPUTE POOL", Name: "P", Owner: "SYSADMIN"}))
	is.NoErr(e.Keep(t.Context(), engine.Kept{Kind: "SECRET", Name: "DB.X.S", Owner: "SYSADMIN", Def: []byte(`{"a":1}`)}))
	is.NoErr(e.Keep(t.Context(), engine.Kept{Kind: "SECRET", Name: "DB.X.S", Owner: "WORKER", Def: []byte(`{"a":2}`)}))
	is.True(e.Keep(t.Context(), engine.Kept{Kind: "TABLE", Name: "T"}) != nil)
	k, ok, err := e.KeptOne(t.Context(), "SECRET", "DB.X.S")
	is.NoErr(err)
	is.True(ok)
	is.Equal(k.Owner, "SYSADMIN") // it stays the first owner's
	is.Equal(string(k.Def), `{"a": 2}`)

	run(t, s, "GRANT USAGE, MONITOR ON COMPUTE POOL p TO ROLE worker")
	run(t, s, "GRANT READ ON SECRET DB.X.s TO ROLE worker")
	is.True(fails(t, s, "GRANT READ ON COMPUTE POOL p TO ROLE worker").Number != 0)
	is.Equal(fails(t, s, "GRANT READ ON SECRET DB.X.none TO ROLE worker").Number, 2003)
	grants := run(t, s, "SHOW GRANTS ON COMPUTE POOL P")
	is.Equal(len(grants.Rows), 3)
	is.Equal(*grants.Rows[0][2], "COMPUTE_POOL")
	worker, err := e.NewSession(t.Context(), engine.SessionOptions{User: "OTHER"})
	is.NoErr(err)
	sees, err := worker.Sight(t.Context(), "SECRET")
	is.NoErr(err)
	is.True(sees.Sees("DB.X.S", "SYSADMIN"))
	is.True(!sees.Sees("DB.X.OTHER", "SYSADMIN"))
	may, err := worker.MayAny(t.Context(), "COMPUTE POOL", "P", "OPERATE", "MONITOR")
	is.NoErr(err)
	is.True(may)

	run(t, s, "DROP SCHEMA DB.X")
	is.Equal(gone, []string{"DB.X"})
	_, ok, err = e.KeptOne(t.Context(), "SECRET", "DB.X.S")
	is.NoErr(err)
	is.True(!ok)
	there, err := e.Forget(t.Context(), "COMPUTE POOL", "P")
	is.NoErr(err)
	is.True(there)
	is.True(fails(t, s, "SHOW GRANTS ON COMPUTE POOL P").Number != 0)
}

// A service that logs in is no user, and takes on no other role than its owner's.
func TestServiceSession(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s, err := e.NewSession(t.Context(), engine.SessionOptions{Service: &engine.Service{Name: "JOB", OwnerRole: "SYSADMIN", Database: "DB", Schema: "PUBLIC", Warehouse: "WH"}})
	is.NoErr(err)
	is.Equal(show(run(t, s, "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_WAREHOUSE()")), "JOB|SYSADMIN|DB|PUBLIC|WH")
	is.Equal(fails(t, s, "USE ROLE WORKER").Number, 3013) // though SYSADMIN's user may
	run(t, s, "USE ROLE PUBLIC")
	run(t, s, "USE ROLE SYSADMIN")
	slow := make(chan error, 1)
	go func() { // beside another statement it is the same service
		_, err := s.Execute(context.Background(), engine.Query{SQL: "SELECT SYSTEM$WAIT(1)"})
		slow <- err
	}()
	is.Equal(show(run(t, s, "SELECT CURRENT_USER()")), "JOB")
	is.NoErr(<-slow)
	_, err = e.NewSession(t.Context(), engine.SessionOptions{User: "JOB"})
	is.True(err != nil)
}
