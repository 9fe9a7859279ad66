package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
)

// envStay makes this test binary a container that stays.
const envStay = "SNOWLOCAL_TEST_STAY"

// jobImage is an image of this test binary in the repository of every stand-in.
func jobImage(t *testing.T) string {
	t.Helper()
	host := dockertest.Require(t)
	image := dockertest.Image(t, host, dockertest.Binary(t, t.TempDir(), ".", true), nil)
	const name = "unistore_benchmark/services/images/stays:v1"
	if out, err := exec.Command("docker", "tag", image, name).CombinedOutput(); err != nil {
		t.Fatalf("docker tag: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", name).CombinedOutput(); err != nil {
			t.Errorf("docker rmi: %v: %s", err, out)
		}
	})
	return "/" + name
}

// status is a service's, or "" while there is none.
func status(t *testing.T, db *sql.DB, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	r, err := db.QueryContext(ctx, "SHOW SERVICES LIKE '"+name+"' IN SCHEMA UNISTORE_BENCHMARK.SERVICES")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	columns, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for r.Next() {
		if err := r.Scan(targets...); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return values[1].String
}

func untilStatus(t *testing.T, db *sql.DB, name, want string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(waitLimit); status(t, db, name) != want; <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("%s is %s, not %s", name, status(t, db, name), want)
		}
	}
}

// containersOf counts the containers of the stand-in with that data.
func containersOf(t *testing.T, data string) int {
	t.Helper()
	out, err := exec.Command("docker", "ps", "-aq", "--filter", "label=snowlocal.folder="+data).Output()
	if err != nil {
		t.Fatal(err)
	}
	return len(strings.Fields(string(out)))
}

// With --containers it runs services. One that is killed leaves containers, which
// the next one on its data removes: a job has failed then, a service runs anew. One
// that ends in order leaves none.
func TestContainers(t *testing.T) {
	is := is.New(t)
	image := jobImage(t)
	data := t.TempDir()
	is.NoErr(os.Chmod(filepath.Dir(data), 0o755)) // PostgreSQL's user comes through
	first := start(t, "--data", data, "--containers")
	is.Equal(first.ComputePool, "BENCH_POOL")
	is.Equal(first.ImageRepository, "UNISTORE_BENCHMARK.SERVICES.IMAGES")
	inServices := func(c *sf.Config) { c.Schema = "SERVICES" }
	db := first.open(t, inServices)
	text := fmt.Sprintf(`FROM SPECIFICATION $${"spec":{"containers":[{"name":"main","image":"%s","env":{"%s":"1"}}]}}$$`, image, envStay)
	for _, statement := range []string{
		"EXECUTE JOB SERVICE IN COMPUTE POOL BENCH_POOL NAME = a_job ASYNC = TRUE " + text,
		"CREATE SERVICE a_service IN COMPUTE POOL BENCH_POOL " + text,
		"CREATE COMPUTE POOL other MIN_NODES = 1 MAX_NODES = 2 INSTANCE_FAMILY = CPU_X64_XS",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		is.NoErr(err)
	}
	untilStatus(t, db, "A_JOB", "RUNNING")
	untilStatus(t, db, "A_SERVICE", "RUNNING")
	is.Equal(containersOf(t, data), 2)
	is.NoErr(first.Process.Kill())
	is.True(first.wait(t) != nil)
	is.Equal(containersOf(t, data), 2) // nobody was there to remove them

	second := start(t, "--data", data, "--containers")
	db = second.open(t, inServices)
	is.Equal(status(t, db, "A_JOB"), "FAILED")
	untilStatus(t, db, "A_SERVICE", "RUNNING")
	is.Equal(containersOf(t, data), 1)
	_, err := db.ExecContext(t.Context(), "ALTER COMPUTE POOL other SUSPEND")
	is.NoErr(err)
	is.NoErr(second.Process.Signal(os.Interrupt))
	is.NoErr(second.wait(t))
	is.Equal(containersOf(t, data), 0)
}

// Without a Docker Engine it says so, and leaves nothing.
func TestNoDocker(t *testing.T) {
	is := is.New(t)
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	p, line := launch(t, "--containers")
	is.Equal(string(line), "")
	is.True(p.wait(t) != nil)
	is.True(strings.Contains(p.stderr.String(), "--containers: the Docker Engine does not answer"))
}

// Without --containers their statements are refused by name.
func TestWithoutContainers(t *testing.T) {
	is := is.New(t)
	_, err := start(t).open(t, nil).ExecContext(t.Context(), "SHOW COMPUTE POOLS")
	is.Equal(numberOf(err), 2)
}
