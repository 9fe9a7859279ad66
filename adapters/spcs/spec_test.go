package spcs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/jmoiron/sqlx"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func made(t testing.TB, o Options) *Launcher {
	t.Helper()
	is := is.New(t)
	if o.Database == "" {
		o.Database, o.Schema = "db", "services"
	}
	l, err := New(sqlx.NewDb(nil, "none"), o)
	is.NoErr(err)
	return l
}

func worker(env ...ports.EnvVar) ports.WorkerSpec {
	return ports.WorkerSpec{
		Key: core.WorkerKey{RunID: "20261123-154200-3f9a1c", WorkerID: "worker-1", Epoch: 2}, GroupID: 1, GroupCount: 3, Environment: env,
		ExpiresAt: time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC),
	}
}

// The whole statement, as it goes over the wire.
func TestStatement(t *testing.T) {
	is := is.New(t)
	l := made(t, Options{
		Pool: "bench_pool", Image: "/db/services/images/benchfleet:v1", Warehouse: "bench_wh", CPU: "1.5", Memory: "2Gi", Args: []string{"worker"},
		EAIs: []string{"out_a", "OUT_B"}, Secrets: map[string]string{"BENCHFLEET_ENDPOINT_LOCAL": "DB.S.PG"}, Env: []string{"GOMAXPROCS=2"}, HealthPort: 9464,
	})
	spec := worker(ports.EnvVar{Name: ports.EnvStore, Value: "snowflake:/DB?authenticator=OAUTH"})
	spec.Secrets = []ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_LOCAL", Value: "postgres://u:pw-5ecret@h/db"}}
	is.NoErr(l.validSpec(spec))
	got, err := l.statement(spec)
	is.NoErr(err)
	name := nameOf(spec.Key)
	is.Equal(got, `EXECUTE JOB SERVICE IN COMPUTE POOL BENCH_POOL NAME = DB.SERVICES.`+name+` ASYNC = TRUE QUERY_WAREHOUSE = BENCH_WH`+
		` COMMENT = '{"benchfleet":1,"run":"20261123-154200-3f9a1c","worker":"worker-1","epoch":2,"expires":"2026-11-23T16:00:00Z"}'`+
		` EXTERNAL_ACCESS_INTEGRATIONS = (out_a, OUT_B)`+
		` FROM SPECIFICATION $${"spec":{"containers":[{"name":"worker","image":"/db/services/images/benchfleet:v1","args":["worker"],`+
		`"env":{"BENCHFLEET_EPOCH":"2","BENCHFLEET_HEALTH":"0.0.0.0:9464","BENCHFLEET_RUN_ID":"20261123-154200-3f9a1c","BENCHFLEET_STORE":"snowflake:/DB?authenticator=OAUTH",`+
		`"BENCHFLEET_WORKER_GROUP_COUNT":"3","BENCHFLEET_WORKER_GROUP_ID":"1","BENCHFLEET_WORKER_ID":"worker-1","GOMAXPROCS":"2"},`+
		`"readinessProbe":{"port":9464,"path":"/health"},"resources":{"requests":{"cpu":"1.5","memory":"2Gi"},"limits":{"cpu":"1.5","memory":"2Gi"}},`+
		`"secrets":[{"snowflakeSecret":{"objectName":"DB.S.PG"},"envVarName":"BENCHFLEET_ENDPOINT_LOCAL","secretKeyRef":"secret_string"}]}],`+
		`"logExporters":{"eventTableConfig":{"logLevel":"INFO"}}}}$$`)
	is.True(!strings.Contains(got, "5ecret"))
}

// Without options the statement has none of their clauses.
func TestStatementWithoutOptions(t *testing.T) {
	is := is.New(t)
	got, err := made(t, Options{Pool: "p", Image: "/db/s/r/b:1"}).statement(worker())
	is.NoErr(err)
	for _, clause := range []string{"QUERY_WAREHOUSE", "EXTERNAL_ACCESS", "resources", "readinessProbe", "secrets", "command", "REPLICAS", "TAG", "HEALTH"} {
		is.True(!strings.Contains(got, clause))
	}
	is.True(strings.HasSuffix(got, "$$"))
	is.Equal(strings.Count(got, "$$"), 2)
}

// What a specification says survives the quotes of SQL, JSON, and a reader of YAML.
func TestSpecificationIsYAML(t *testing.T) {
	is := is.New(t)
	values := []string{
		"", " two  blanks ", "first\nsecond\n", `quotes " ' and \`, "$", "$$", "$$$x$$", "a$$b", "tab\tbell\a nul-free \x7f\u0085\u009f", "grüße 世界 😀", "\ufeff \u2028", "{{ x }}", "a: b", "- x", "#", "<&>",
	}
	var env []ports.EnvVar
	for i, value := range values {
		env = append(env, ports.EnvVar{Name: fmt.Sprintf("V%d", i), Value: value})
	}
	l := made(t, Options{Pool: "p", Image: "/db/s/r/b:1"})
	is.NoErr(l.validSpec(worker(env...)))
	text, err := l.specify(worker(env...))
	is.NoErr(err)
	is.True(!strings.Contains(text, "$$"))
	for name, read := range map[string]func() (specification, error){
		"json": func() (s specification, err error) { return s, json.Unmarshal([]byte(text), &s) },
		"yaml": func() (s specification, err error) {
			var tree any
			err = yaml.Unmarshal([]byte(text), &tree)
			data, failed := json.Marshal(tree)
			return s, errors.Join(err, failed, json.Unmarshal(data, &s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s, err := read()
			is.NoErr(err)
			for i, value := range values {
				is.Equal(s.Spec.Containers[0].Env[fmt.Sprintf("V%d", i)], value)
			}
		})
	}
}

func TestSpecsThatAreRefused(t *testing.T) {
	is := is.New(t)
	l := made(t, Options{Pool: "p", Image: "/db/s/r/b:1", Secrets: map[string]string{"KNOWN": "D.S.O"}})
	refused := func(code core.Code, env, secret *ports.EnvVar) string {
		t.Helper()
		s := worker()
		if env != nil {
			s.Environment = []ports.EnvVar{*env}
		}
		if secret != nil {
			s.Secrets = []ports.EnvVar{*secret}
		}
		err := l.validSpec(s)
		is.Equal(core.CodeOf(err), code)
		is.True(err == nil || !strings.Contains(err.Error(), "5ecret"))
		if err == nil {
			return ""
		}
		return err.Error()
	}
	refused(core.Invalid, &ports.EnvVar{Name: "A=B", Value: "5ecret"}, nil)
	refused(core.Invalid, &ports.EnvVar{Name: "", Value: "5ecret"}, nil)
	refused(core.Invalid, &ports.EnvVar{Name: "A", Value: "5ecret\x00"}, nil)
	refused(core.Invalid, &ports.EnvVar{Name: "SNOWFLAKE_HOST", Value: "5ecret"}, nil)
	refused(core.Invalid, nil, &ports.EnvVar{Name: "A=B", Value: "5ecret"})
	text := refused(core.Refused, nil, &ports.EnvVar{Name: "OTHER", Value: "5ecret"})
	is.True(strings.Contains(text, "--launcher-option secret=OTHER="))
	refused("", &ports.EnvVar{Name: "A", Value: "b"}, &ports.EnvVar{Name: "KNOWN", Value: "5ecret"})
}

func TestOptionsThatCanNeverWork(t *testing.T) {
	is := is.New(t)
	good := Options{Database: "D", Schema: "S"}
	for what, change := range map[string]func(*Options){
		"database":                  func(o *Options) { o.Database = "" },
		"schema":                    func(o *Options) { o.Schema = `"s"` },
		"pool":                      func(o *Options) { o.Pool = "p; DROP" },
		"warehouse":                 func(o *Options) { o.Warehouse = "w w" },
		"image":                     func(o *Options) { o.Image = "benchfleet:dev" },
		"cpu":                       func(o *Options) { o.CPU = "0" },
		"memory":                    func(o *Options) { o.Memory = "4" },
		"health port":               func(o *Options) { o.HealthPort = 70000 },
		"pace":                      func(o *Options) { o.Pace = -1 },
		"external access":           func(o *Options) { o.EAIs = []string{"a)"} },
		"environment variable \"\"": func(o *Options) { o.Env = []string{"=x"} },
		"SNOWFLAKE_ACCOUNT":         func(o *Options) { o.Env = []string{"SNOWFLAKE_ACCOUNT=x"} },
		"BENCHFLEET_EPOCH":          func(o *Options) { o.Env = []string{"BENCHFLEET_EPOCH=x"} },
		"secret object":             func(o *Options) { o.Secrets = map[string]string{"A": "S.O"} },
		"secret for the variable":   func(o *Options) { o.Secrets = map[string]string{"SNOWFLAKE_HOST": "D.S.O"} },
	} {
		o := good
		change(&o)
		_, err := New(sqlx.NewDb(nil, "none"), o)
		is.Equal(core.CodeOf(err), core.Invalid)
		is.True(strings.Contains(err.Error(), what))
	}
	_, err := New(nil, good)
	is.Equal(core.CodeOf(err), core.Invalid)
	_, err = New(sqlx.NewDb(nil, "none"), good)
	is.NoErr(err)
}

func TestAmounts(t *testing.T) {
	is := is.New(t)
	is.Equal(cpuOf("1.5"), 1.5)
	is.Equal(cpuOf("500m"), 0.5)
	is.Equal(memoryOf("512Mi"), int64(512<<20))
	is.Equal(memoryOf("2G"), int64(2e9))
	is.Equal(memoryOf("0.5Gi"), int64(512<<20))
	is.Equal(memoryOf("7"), int64(0))
	f, ok := familyOf("CPU_X64_S")
	is.True(ok)
	is.Equal(Options{}.perNode(f), 6)                          // half a processor each
	is.Equal(Options{CPU: "1", Memory: "6Gi"}.perNode(f), 2)   // by memory
	is.Equal(Options{CPU: "4", Memory: "512Mi"}.perNode(f), 0) // never
}
